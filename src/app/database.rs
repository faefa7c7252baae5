//! Opens the database: waits until it is up, and verifies that the keys belong to it.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use backon::{ExponentialBuilder, Retryable as _};
use hmac::Mac as _;
use secrecy::ExposeSecret as _;
use tokio::time::Instant;

use super::keys::sealer;
use super::start_error::StartError;
use crate::settings::Settings;
use crate::settings::keys::{Key, Keys};
use charter_authn::secrets::Binding;
use charter_domain::clock::Clock;
use charter_domain::entropy::Entropy;
use charter_domain::keyed_hash::keyed_hash;
use charter_store::{self as store, AuditKey, KeyCheck, Store};
use charter_system::private;

/// A server restarts more slowly than this, so a connection used within this time is still valid.
const PING_AFTER_IDLE: Duration = Duration::from_millis(100);
const FIRST_PAUSE: Duration = Duration::from_millis(100);
const MAX_PAUSE: Duration = Duration::from_secs(2);

/// Purposes of the keys that belong to a database: reading its secrets and verifying its audit chains.
const SEALING: &str = "sealing";
const AUDIT: &str = "audit";

/// Whether a missing database file is created.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Missing {
    /// As by a start.
    IsMade,
    /// An error: the file was moved, or the settings name another one.
    IsAFault,
}

/// Connects to the database for an operator's command, without migrating it. The data directory, which holds the
/// heads of the audit chains, is created if it is missing.
pub async fn open_store(
    settings: &Settings,
    keys: &Keys,
    clock: &Arc<dyn Clock>,
    entropy: &Arc<dyn Entropy>,
    missing: Missing,
) -> Result<Store, StartError> {
    open(settings, keys, (clock, entropy), false, missing).await
}

/// Connects as a server does, which waits for a database that is not up yet.
pub(super) async fn wait_for_store(
    settings: &Settings,
    keys: &Keys,
    clock: &Arc<dyn Clock>,
    entropy: &Arc<dyn Entropy>,
) -> Result<Store, StartError> {
    let limit = settings.database.start_timeout;
    let end = Instant::now() + limit;
    let attempt = || open(settings, keys, (clock, entropy), true, Missing::IsMade);
    attempt
        .retry(pauses(limit))
        .when(|error| {
            let may_come_up = matches!(error, StartError::Database(store::Error::Unavailable(_)));
            may_come_up && Instant::now() < end
        })
        .notify(|error, _pause| tracing::warn!(%error, ?limit, "waiting for the database"))
        .await
}

/// Pauses between a start's connection attempts.
pub(super) const fn pauses(limit: Duration) -> ExponentialBuilder {
    ExponentialBuilder::new()
        .with_min_delay(FIRST_PAUSE)
        .with_max_delay(MAX_PAUSE)
        .without_max_times()
        .with_total_delay(Some(limit))
}

async fn open(
    settings: &Settings,
    keys: &Keys,
    (clock, entropy): (&Arc<dyn Clock>, &Arc<dyn Entropy>),
    is_server: bool,
    missing: Missing,
) -> Result<Store, StartError> {
    private::prepare_data_dir(&settings.data_dir)?;
    let config = store::Config {
        may_create: missing == Missing::IsMade,
        ..config(settings, keys, is_server)
    };
    Ok(Store::open(config, Arc::clone(clock), Arc::clone(entropy)).await?)
}

/// Connects for reading; `None` if the database file does not exist and could be created.
pub(super) async fn open_read_only(
    settings: &Settings,
    keys: &Keys,
    clock: &Arc<dyn Clock>,
    entropy: &Arc<dyn Entropy>,
) -> Result<Option<Store>, StartError> {
    private::check_data_dir(&settings.data_dir)?;
    let is_in_data_dir = sqlite_dir(settings).as_ref() == Some(&settings.data_dir);
    let config = config(settings, keys, false);
    if is_in_data_dir && !settings.data_dir.exists() {
        Store::check_url(&config)?;
        return Ok(None);
    }
    let opened = Store::open_read_only(config, Arc::clone(clock), Arc::clone(entropy)).await;
    Ok(opened?)
}

/// Where the database's file lies, if it is SQLite's.
pub(super) fn sqlite_dir(settings: &Settings) -> Option<PathBuf> {
    let url = settings.database.connection.url.expose_secret();
    let file = url.strip_prefix("sqlite://")?;
    Path::new(file).parent().map(Path::to_owned)
}

fn config(settings: &Settings, keys: &Keys, is_server: bool) -> store::Config {
    store::Config {
        connection: settings.database.connection.clone(),
        ping_after_idle: PING_AFTER_IDLE,
        is_server,
        may_create: false,
        audit_keys: keys.audit.iter().map(audit_key).collect(),
        audit_heads: Some(audit_heads(&settings.data_dir)),
    }
}

fn audit_heads(data_dir: &Path) -> PathBuf {
    data_dir.join("audit-heads.jsonl")
}

fn audit_key(key: &Key) -> AuditKey {
    AuditKey {
        id: key.id().to_owned(),
        secret: key.expose().to_vec().into(),
    }
}

/// Verifies the keys and records them.
pub(super) async fn note_keys(store: &Store, keys: &Keys) -> Result<(), StartError> {
    let new = check_keys(store, keys).await?;
    if !new.is_empty() {
        store.note_keys(new).await?;
    }
    Ok(())
}

/// Verifies that the keys belong to this database: each has the same value as before, and at least one of each
/// list was used before. Returns the keys that are new to it.
pub async fn check_keys(store: &Store, keys: &Keys) -> Result<Vec<KeyCheck>, StartError> {
    let (new, faults) = compare_keys(store, keys).await?;
    faults.into_iter().next().map_or(Ok(new), Err)
}

/// The same with all faults; of keys of another database there is one, which names the lists.
pub(super) async fn compare_keys(
    store: &Store,
    keys: &Keys,
) -> Result<(Vec<KeyCheck>, Vec<StartError>), StartError> {
    let known = store.key_checks().await?;
    let (mut new, mut lists, mut reasons) = (Vec::new(), Vec::new(), Vec::new());
    for (purpose, keys) in [(SEALING, &keys.sealing), (AUDIT, &keys.audit)] {
        match compare(&known, purpose, keys) {
            Ok(unknown) => new.extend(unknown),
            Err(StartError::ForeignKeys(list, reason)) => {
                lists.push(list);
                reasons.push(reason);
            }
            Err(other) => return Err(other),
        }
    }
    let mut faults = Vec::new();
    if !lists.is_empty() {
        let (lists, reasons) = (lists.join(" and "), reasons.join(", "));
        faults.push(StartError::ForeignKeys(lists, reasons));
    }
    if known.is_empty() {
        faults.extend(check_by_rows(store, keys).await.err());
    }
    Ok((new, faults))
}

/// Returns the keys of one list that are new.
fn compare(
    known: &[KeyCheck],
    purpose: &'static str,
    keys: &[Key],
) -> Result<Vec<KeyCheck>, StartError> {
    let known: Vec<_> = known
        .iter()
        .filter(|known| known.purpose == purpose)
        .collect();
    let mut new = Vec::new();
    let mut is_one_known = known.is_empty();
    for key in keys {
        let check = check(purpose, key);
        match known.iter().find(|known| known.key_id == check.key_id) {
            Some(known) if **known == check => is_one_known = true,
            Some(_) => {
                let key = key.id();
                let why = format!("`{key}` has another value in this database");
                return Err(foreign(purpose, why));
            }
            None => new.push(check),
        }
    }
    if !is_one_known {
        let ids: Vec<_> = known.iter().map(|known| &*known.key_id).collect();
        let ids = ids.join("`, `");
        let why = format!("the database was used with `{ids}`");
        return Err(foreign(purpose, why));
    }
    Ok(new)
}

/// For databases of versions that did not record their keys: verifies them with stored rows.
async fn check_by_rows(store: &Store, keys: &Keys) -> Result<(), StartError> {
    let sealer = sealer(keys)?;
    let mut opened = !store.has_secrets().await?;
    for key in &keys.sealing {
        if let Some((key_id, organization, secret)) = store.sealed_by(key.id()).await? {
            let binding = Binding {
                key: key_id,
                organization,
            };
            if sealer.open(&secret, binding).is_err() {
                let why = format!("`{}` does not decrypt the secrets stored with it", key.id());
                return Err(foreign(SEALING, why));
            }
            opened = true;
        }
    }
    if !opened {
        let why = "none of them encrypted any of its secrets";
        return Err(foreign(SEALING, why.to_owned()));
    }
    let mut verified = !store.has_audit_events().await?;
    for key in &keys.audit {
        match store.audit_key_fits(key.id()).await? {
            Some(true) => verified = true,
            Some(false) => {
                let why = format!(
                    "`{}` does not verify the audit events signed with it",
                    key.id()
                );
                return Err(foreign(AUDIT, why));
            }
            None => {}
        }
    }
    if !verified {
        let why = "none of them signed any of its audit events";
        return Err(foreign(AUDIT, why.to_owned()));
    }
    Ok(())
}

fn check(purpose: &'static str, key: &Key) -> KeyCheck {
    let text = format!("charter key check 1\n{purpose}\n{}", key.id());
    let mac = keyed_hash(key.expose()).chain_update(text);
    KeyCheck {
        purpose: purpose.to_owned(),
        key_id: key.id().to_owned(),
        value: mac.finalize().into_bytes().into(),
    }
}

fn foreign(purpose: &str, why: String) -> StartError {
    StartError::ForeignKeys(format!("`keys.{purpose}`"), why)
}
