//! `charter check`: finds what a start would fail on without serving, creating or writing anything. It calls the
//! same functions as a start.

mod database;
mod part;

use std::collections::BTreeSet;
use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use serde_json::Value;

use crate::settings::Settings;
use crate::settings::keys::{Key, Keys};
use charter_authn::nonces::{
    LeaseError, LeaseHolder, OpenError, RedisConfig, UnopenedRedisGuard, find_lease,
};
use charter_domain::clock::{Clock, SystemClock};
use charter_domain::entropy::OsEntropy;
use charter_system::private::{self, DataDirError};

use super::database::compare_keys;
use super::policies::{self, Policies};
use super::serve::Server;
use super::{
    StartError, decisions, disk, missing_keys, open_files, replay, replicas, sealer, users,
};
use database::FoundDatabase;
pub use part::CheckedPart;

/// Checks every part of a start, even if others are faulty, as far as it does not depend on them. `program` is
/// this executable, which checks policies in a child process.
pub async fn check(settings: &Settings, program: &Path) -> Vec<CheckedPart> {
    let mut parts = vec![sources(settings), data_directory(settings)];
    let keys = match settings.require_keys() {
        Ok(keys) => keys,
        Err(error) => {
            let mut part = CheckedPart::new("keys");
            part.fault(&StartError::from(error));
            parts.push(part);
            return parts;
        }
    };
    let clock: Arc<dyn Clock> = Arc::new(SystemClock::start());
    let found = database::look(settings, keys, &clock, &(Arc::new(OsEntropy) as _)).await;
    let key_lists = key_lists(settings, keys, &found).await;
    let (service, policies) = tokio::join!(
        service(settings, keys, &found, &*clock),
        policy_folder(
            (settings, keys, program),
            (&found, key_lists.belong),
            &clock
        )
    );
    parts.extend([
        key_lists.part,
        found.part,
        service.part,
        policies.part,
        decision_log(settings, keys, policies.attributes.as_ref()),
        mail(settings),
        listeners(settings, service.is_running),
    ]);
    parts
}

fn sources(settings: &Settings) -> CheckedPart {
    let files = settings.sources.files.iter();
    let files: Vec<String> = files.map(|file| file.display().to_string()).collect();
    CheckedPart::new("settings")
        .fact("files", files)
        .fact("variables", settings.sources.variables.clone())
}

fn data_directory(settings: &Settings) -> CheckedPart {
    let directory = &settings.data_dir;
    let mut part = CheckedPart::new("data").fact("directory", shown(directory));
    let tried = |()| {
        private::try_write(directory).map_err(|error| DataDirError::Io(directory.clone(), error))
    };
    let checked = part.take(private::check_data_dir(directory).and_then(tried));
    if checked.is_some() && !directory.exists() {
        part.note("the data directory does not exist yet; a start creates it");
    }
    part.notes.extend(disk::fault(directory));
    part
}

struct CheckedKeys {
    part: CheckedPart,
    /// Whether they are those of the database.
    belong: bool,
}

async fn key_lists(settings: &Settings, keys: &Keys, found: &FoundDatabase) -> CheckedKeys {
    let ids = |keys: &[Key]| {
        keys.iter()
            .map(|key| key.id().into())
            .collect::<Vec<Value>>()
    };
    let mut part = CheckedPart::new("keys")
        .fact("sealing", ids(&keys.sealing))
        .fact("audit", ids(&keys.audit))
        .fact("replay", keys.replay.id())
        .fact("token", ids(&keys.token))
        .fact("refresh", ids(&keys.refresh));
    part.notes.extend(readable_by_all(settings));
    part.take(users::check_token_keys(keys));
    part.take(sealer(keys));
    let mut belong = true;
    if let Some(store) = found.store_with("names_and_keys") {
        let compared = part.take(compare_keys(store, keys).await);
        belong = compared
            .as_ref()
            .is_some_and(|(_, faults)| faults.is_empty());
        for fault in compared.iter().flat_map(|(_, faults)| faults) {
            part.fault(fault);
        }
    }
    // Another database's keys open none of its secrets.
    if let Some(store) = found.store_with("jobs").filter(|_| belong) {
        let sealing = missing_keys::ids(&keys.sealing);
        let missing = part.take(missing_keys::fault(store, &sealing).await);
        part.findings.extend(missing.flatten());
    }
    CheckedKeys { part, belong }
}

/// A note for each settings file with keys that every user of the machine can read.
fn readable_by_all(settings: &Settings) -> impl Iterator<Item = String> {
    let files = settings.sources.files.iter();
    files.filter_map(|file| {
        let mode = fs::metadata(file).ok()?.permissions().mode() & 0o777;
        let text = fs::read_to_string(file).ok()?;
        let has_keys = text.lines().any(|line| {
            let line = line.trim_start();
            line.starts_with("[keys]") || line.starts_with("keys")
        });
        (has_keys && mode & 0o004 != 0).then(|| {
            let file = file.display();
            format!(
                "every user of this machine can read the keys in `{file}` (mode {mode:03o}): `chmod o-r` it, and \
                 rotate the keys if others could have read them"
            )
        })
    })
}

/// Which process serves the database.
struct CheckedService {
    part: CheckedPart,
    /// Whether it is the service of these settings.
    is_running: bool,
}

impl CheckedService {
    const fn not_running(part: CheckedPart) -> Self {
        Self {
            part,
            is_running: false,
        }
    }
}

async fn service(
    settings: &Settings,
    keys: &Keys,
    found: &FoundDatabase,
    clock: &dyn Clock,
) -> CheckedService {
    let mut part = CheckedPart::new("service");
    if let Some(config) = replay::redis(settings, keys) {
        return shared_service(part, &config, settings.replay.lease, (found, clock)).await;
    }
    let config = replay::config(settings, keys);
    let directory = config.directory;
    part = part.fact("journal", shown(&directory));
    let place = private::check_dir(&directory).map_err(|source| OpenError::Directory {
        path: directory.clone(),
        source,
    });
    part.take(place);
    let Some(store) = &found.store else {
        return CheckedService::not_running(part);
    };
    let found = find_lease(store, &directory, settings.replay.lease).await;
    let Some(found) = part.take(found) else {
        return CheckedService::not_running(part);
    };
    if found.may_lack_nonces && !matches!(found.holder, LeaseHolder::Other(_)) {
        part.findings.push(format!(
            "`{}` is not the directory of the process that served this database last, or a copy of it: after a start, \
             signed requests that it could have accepted get 503 until they have expired, about {} from then on",
            directory.display(),
            humantime::format_duration(settings.signing.max_skew)
        ));
    }
    let is_running = matches!(found.holder, LeaseHolder::Own(_));
    let lease = match found.holder {
        LeaseHolder::Nobody => "held by nobody".to_owned(),
        LeaseHolder::Gone(holder) => {
            part.note(format!(
                "{holder} has ended without releasing the lease; the next start takes it over"
            ));
            "held by nobody".to_owned()
        }
        LeaseHolder::Own(holder) => format!("held by the running service, {holder}"),
        LeaseHolder::Other(holder) => {
            part.take::<()>(Err(OpenError::Lease(LeaseError::Held(holder.clone()))));
            format!("held by {holder}")
        }
    };
    CheckedService {
        part: part.fact("lease", lease),
        is_running,
    }
}

/// The same of a service whose replicas share nonces. It is that of these settings if it runs on this machine.
async fn shared_service(
    mut part: CheckedPart,
    config: &RedisConfig,
    lease: Duration,
    (found, clock): (&FoundDatabase, &dyn Clock),
) -> CheckedService {
    part = part.fact("nonces", config.servers());
    part.take(config.check().await);
    if let Some(store) = &found.store {
        part.take(UnopenedRedisGuard::wait(store, lease).await);
    }
    if let Some(store) = found.store_with("replica_keys") {
        part.take(config.check_key(store, clock.now()).await);
    }
    let Some(store) = found.store_with("_replicas") else {
        return CheckedService::not_running(part);
    };
    let hosts = part.take(store.live_hosts(clock.now()).await);
    let here = hosts.iter().flatten().find(|host| replicas::is_here(host));
    let is_running = here.is_some();
    if let Some(here) = here {
        part = part.fact("replica", format!("the running service, {here}"));
    }
    CheckedService { part, is_running }
}

struct CheckedPolicies {
    part: CheckedPart,
    /// Those that the schema declares which would be in force; `None` if none would.
    attributes: Option<BTreeSet<String>>,
}

/// Also returns the attributes that the schema declares which would be in force.
async fn policy_folder(
    (settings, keys, program): (&Settings, &Keys, &Path),
    (found, belong): (&FoundDatabase, bool),
    clock: &Arc<dyn Clock>,
) -> CheckedPolicies {
    let mut part = CheckedPart::new("policies").fact("folder", shown(&settings.policies.dir));
    // Without the keys that authenticate it, the record of earlier policies reads as lost.
    let store = found.store_with("domain_policies").filter(|_| belong);
    let store = store.map(Arc::clone);
    if !belong {
        part.note("the keys do not belong to the database: the folder is checked as that of a new installation");
    } else if store.is_none() {
        part.note(
            "the database has no record of earlier policies, or is to be migrated before this version can read it: the \
             folder is checked as that of a new installation",
        );
    }
    let policies = Policies::new(settings, keys, program, store.clone(), Arc::clone(clock));
    let policies = policies.read_only();
    let started = policies.start(clock.now()).await;
    let Some(started) = part.take(started) else {
        return CheckedPolicies {
            part,
            attributes: None,
        };
    };
    let health = started.health;
    if let Some(refused) = health.refused {
        part = part
            .fact("refused_whole_folder", refused.digest.as_deref())
            .fact("in_force", "the policies accepted last");
        part.note(format!(
            "the policy folder cannot be taken; a start would go on with the policies that were in force \
             before, and say so in /readyz (`policies.start`)\n{}",
            refused.reason
        ));
    }
    for (name, reason) in policies::refused_domains(&policies, clock.now()).await {
        part.note(format!(
            "the folder of the domain `{name}` cannot be taken; a start would go on with what was accepted of it last, \
             if there is such a thing, and say so in /readyz\n{reason}"
        ));
    }
    let notes = [health.failed_checks, health.warnings, health.not_run];
    part.notes.extend(notes.into_iter().flatten());
    if let Some(store) = store {
        let names = policies::warn_of_unknown_names(&store, &started.loaded).await;
        part.notes.extend(names.into_iter().flatten());
    }
    let count = started.loaded.policies().policies().count();
    let part = part
        .fact("digest", started.loaded.digest().to_string())
        .fact(
            "whole_folder",
            health.whole_digest.map(|digest| digest.to_string()),
        )
        .fact("policies", count)
        .fact("invariants", started.loaded.invariants().len());
    CheckedPolicies {
        part,
        attributes: Some(started.loaded.attributes().clone()),
    }
}

fn decision_log(
    settings: &Settings,
    keys: &Keys,
    attributes: Option<&BTreeSet<String>>,
) -> CheckedPart {
    let part = CheckedPart::new("decisions");
    if !settings.decisions.enabled {
        return part.fact("log", "off");
    }
    let key = keys.audit.first().map(|key| key.id().to_owned());
    let mut part = part
        .fact("directory", shown(&settings.decisions.dir))
        .fact("key", key);
    for fault in decisions::check(settings, attributes) {
        part.fault(&fault);
    }
    let dir = &settings.decisions.dir;
    // The log opens its last file without a write.
    if part.ok
        && let Err(error) = private::try_write(dir)
    {
        part.findings.push(format!(
            "`{}` cannot be written: {error}; decisions are not recorded, and requests wait for that or are refused \
             (`decisions.overflow`)",
            dir.display()
        ));
    }
    part.notes.extend(disk::fault(dir));
    part
}

fn mail(settings: &Settings) -> CheckedPart {
    let base_url = users::base_url(settings);
    let mut part = CheckedPart::new("mail").fact("from", settings.mail.from.clone());
    part = match &settings.mail.smtp_url {
        Some(url) => part.fact("server", database::without_password(url)),
        None => part.fact("files", shown(&settings.data_dir.join("mail"))),
    };
    part = part.fact("links", base_url.clone());
    if let Some(base_url) = part.take(users::BaseUrl::parse(&base_url)) {
        if let Some(warning) = base_url.warning() {
            part.note(warning);
        }
        part.take(users::mail(settings, &base_url));
    }
    part
}

fn listeners(settings: &Settings, is_running: bool) -> CheckedPart {
    let server = &settings.server;
    let mut part = CheckedPart::new("listeners")
        .fact("clients", server.listen.to_string())
        .fact("operators", server.ops_listen.to_string());
    if let Some(access) = settings.access.listen {
        part = part.fact("access", access.to_string());
    }
    for fault in Server::check(settings) {
        if let Some(address) = fault.address_in_use().filter(|_| is_running) {
            part.note(format!("`{address}` is in use while the service runs"));
        } else {
            part.fault(&fault);
        }
    }
    let connections = open_files::fit_connections(server.edge.max_connections);
    if connections < server.edge.max_connections {
        part.note(format!(
            "`server.edge.max_connections` would be lowered to {connections}, because of the limit of open files"
        ));
    }
    part
}

fn shown(path: &Path) -> String {
    path.display().to_string()
}
