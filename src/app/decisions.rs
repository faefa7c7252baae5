//! Opens the decision log with the settings' configuration.

use std::collections::BTreeSet;
use std::path::Path;
use std::sync::Arc;

use crate::settings::Settings;
use crate::settings::keys::Keys;
use charter_authz::folder::DOMAINS;
use charter_authz::snapshot::Snapshot;
use charter_budgets::Budgets;
use charter_decision_log::{
    Clocks, DecisionLog, DecisionLogConfig, LogKey, Mask, OpenError, Recorder,
};
use charter_domain::clock::Clock;
use charter_domain::confirmed_clock::ConfirmedClock;
use charter_domain::entropy::Entropy;
use charter_domain::similar;
use charter_policy::domain_arg;
use charter_system::private;

use super::StartError;

/// The file of the log's head, in the data directory and outside the log's own.
const HEAD: &str = "decision-head.json";

/// Opens the log; `None` if decisions are not logged. `attributes` are those that the schema in force declares.
pub(super) fn open(
    settings: &Settings,
    keys: &Keys,
    attributes: &BTreeSet<String>,
    (clock, confirmed): (&Arc<dyn Clock>, &Arc<ConfirmedClock>),
    (budgets, entropy): (&Arc<Budgets>, &Arc<dyn Entropy>),
) -> Result<Option<Arc<DecisionLog>>, StartError> {
    let decisions = &settings.decisions;
    if !decisions.enabled {
        return Ok(None);
    }
    let shadow = shadow(settings)?;
    let mask = mask(settings)?;
    if let Some(error) = unmatched(settings, attributes).into_iter().next() {
        return Err(error);
    }
    let config = DecisionLogConfig {
        dir: decisions.dir.clone(),
        head: decision_head(settings),
        keys: log_keys(keys),
        overflow: decisions.overflow,
        queue: decisions.queue,
        mask,
        limits: decisions.limits,
        allowed_per_second: decisions.allowed_per_second,
        sync_within: settings.sync_within,
        budgets: Arc::clone(budgets),
    };
    let clocks = Clocks {
        now: Arc::clone(clock),
        confirmed: Arc::clone(confirmed),
    };
    let log = DecisionLog::open(config, shadow, clocks, Arc::clone(entropy))?;
    Ok(Some(Arc::new(log)))
}

fn shadow(settings: &Settings) -> Result<Option<Snapshot>, StartError> {
    let shadow = settings.policies.shadow.as_deref().map(Snapshot::load);
    shadow.transpose().map_err(|error| {
        let error = error.renamed("`policies.dir`", "`policies.shadow`");
        StartError::Shadow(error.report())
    })
}

fn mask(settings: &Settings) -> Result<Mask, StartError> {
    let decisions = &settings.decisions;
    Ok(Mask::parse(&decisions.mask, decisions.mask_style)?)
}

/// The configured masks that match no field and no attribute that the schema of the built-in or another domain
/// declares.
fn unmatched(settings: &Settings, attributes: &BTreeSet<String>) -> Vec<StartError> {
    let masked = settings.decisions.mask.iter();
    let is_attribute =
        |name: &&String| name.starts_with("context.") || name.starts_with("entities.");
    let mut unknown: Vec<&String> = masked
        .filter(is_attribute)
        .filter(|name| !attributes.contains(*name))
        .collect();
    if unknown.is_empty() {
        return Vec::new();
    }
    let domains = DomainAttributes::read(&settings.policies.dir.join(DOMAINS));
    unknown.retain(|name| !domains.declared.contains(*name));
    if !unknown.is_empty() && domains.is_partial {
        // It is masked wherever it occurs all the same.
        tracing::warn!(mask = ?unknown, "no schema that can be read declares what is to be masked");
        return Vec::new();
    }
    let error = |name: &String| {
        let all = attributes.iter().chain(&domains.declared);
        let nearest = similar::nearest(name, all.map(String::as_str));
        StartError::Unmatched(name.clone(), nearest.unwrap_or_default().to_owned())
    };
    unknown.into_iter().map(error).collect()
}

/// What the schemas of domains of one's own declare.
#[derive(Default)]
struct DomainAttributes {
    declared: BTreeSet<String>,
    /// Some cannot be read, which keeps none of the others from being served.
    is_partial: bool,
}

impl DomainAttributes {
    fn read(domains: &Path) -> Self {
        let mut read = Self::default();
        for name in domain_arg::names(domains) {
            match Snapshot::load(&domains.join(name)) {
                Ok(snapshot) => read.declared.extend(snapshot.attributes().iter().cloned()),
                Err(_) => read.is_partial = true,
            }
        }
        read
    }
}

/// Errors that [`open`] would return, without creating or writing anything. `attributes` are those that the schema
/// in force declares, if it can be read.
pub(super) fn check(settings: &Settings, attributes: Option<&BTreeSet<String>>) -> Vec<StartError> {
    if !settings.decisions.enabled {
        return Vec::new();
    }
    let dir = &settings.decisions.dir;
    let place = private::check_dir(dir).map_err(|source| {
        StartError::from(OpenError::Io {
            path: dir.clone(),
            source,
        })
    });
    let mask = match mask(settings) {
        Ok(_) => attributes.map_or_else(Vec::new, |all| unmatched(settings, all)),
        Err(error) => vec![error],
    };
    let faults = [shadow(settings).err(), place.err()];
    faults.into_iter().flatten().chain(mask).collect()
}

pub(super) fn recorder(log: Option<&Arc<DecisionLog>>, entropy: &Arc<dyn Entropy>) -> Recorder {
    log.map_or_else(
        || Recorder::disabled(Arc::clone(entropy)),
        |log| log.recorder().clone(),
    )
}

#[must_use]
pub fn decision_head(settings: &Settings) -> std::path::PathBuf {
    settings.data_dir.join(HEAD)
}

/// The audit keys.
#[must_use]
pub fn log_keys(keys: &Keys) -> Vec<LogKey> {
    let key = |key: &crate::settings::keys::Key| LogKey {
        id: key.id().to_owned(),
        secret: key.expose().to_vec().into(),
    };
    keys.audit.iter().map(key).collect()
}
