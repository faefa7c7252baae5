//! Announces this process to the other replicas, and divides shared limits among them.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use metrics::gauge;
use tokio_util::sync::CancellationToken;

use super::replay;
use crate::settings::Settings;
use crate::settings::keys::Keys;
use charter_authz::folder::{Files, content_digest};
use charter_domain::clock::Clock;
use charter_domain::timestamp::Timestamp;
use charter_http::ops;
use charter_http::state::State;
use charter_store::{Error, Replica, Store};

const HOST_NAME: &str = "/proc/sys/kernel/hostname";
/// Interval of heartbeats.
const INTERVAL: Duration = Duration::from_secs(2);
/// How long a dead process stays listed.
const LISTED: Duration = Duration::from_hours(1);
/// How long replicas may have different policies in force before a warning.
const SETTLING: Duration = Duration::from_mins(2);

/// This process's entry in the list of replicas.
pub(super) struct Presence {
    id: String,
    host: String,
    started_at: Timestamp,
    /// Whether other processes may serve the same database.
    pub(super) is_shared: bool,
    /// Identifies `keys.replay`, if nonces are shared.
    replay_key: Option<String>,
}

impl Presence {
    pub(super) fn new(settings: &Settings, keys: &Keys, id: String, clock: &dyn Clock) -> Self {
        Self {
            id,
            host: format!("{}/{}", host_name(), std::process::id()),
            started_at: clock.now(),
            is_shared: settings.replay.is_shared(),
            replay_key: replay::redis(settings, keys).map(|config| config.key_id()),
        }
    }
}

/// Empty if the machine does not tell; then the process id must suffice.
fn host_name() -> String {
    let name = std::fs::read_to_string(HOST_NAME).unwrap_or_default();
    name.trim().to_owned()
}

/// Whether a replica's host is this machine, and its process is there.
pub(super) fn is_here(host: &str) -> bool {
    let own = host
        .rsplit_once('/')
        .filter(|(name, _)| *name == host_name());
    own.is_some_and(|(_, process)| Path::new("/proc").join(process).exists())
}

/// Sends heartbeats and reads those of others until `stop`, then removes the entry.
pub(super) async fn follow(
    presence: Arc<Presence>,
    state: Arc<State>,
    store: Arc<Store>,
    stop: CancellationToken,
) {
    let rounds = async {
        let mut known = RoundState::default();
        loop {
            if let Err(error) = round(&presence, &state, &store, &mut known).await {
                tracing::warn!(%error, "could not write the heartbeat for the other replicas; retrying");
            }
            tokio::time::sleep(INTERVAL).await;
        }
    };
    stop.run_until_cancelled(rounds).await;
    if let Err(error) = store.forget_replica(&presence.id).await {
        tracing::warn!(%error, "could not remove this process from the list of replicas");
    }
}

/// What is kept from one round to the next.
#[derive(Default)]
struct RoundState {
    /// Since when replicas differ, by the monotonic clock.
    differ_since: Option<Duration>,
    built_in: HashedFolder,
}

/// The built-in folder in force with its digest, which is computed anew when another one is in force.
#[derive(Default)]
struct HashedFolder {
    files: Arc<Files>,
    digest: String,
}

impl HashedFolder {
    fn digest_of(&mut self, files: &Arc<Files>) -> &str {
        if self.digest.is_empty() || !Arc::ptr_eq(&self.files, files) {
            self.digest = content_digest(files);
            self.files = Arc::clone(files);
        }
        &self.digest
    }
}

async fn round(
    presence: &Presence,
    state: &State,
    store: &Store,
    RoundState {
        differ_since,
        built_in,
    }: &mut RoundState,
) -> Result<(), Error> {
    let now = state.clock.now();
    let own = Replica {
        id: presence.id.clone(),
        host: presence.host.clone(),
        version: env!("CARGO_PKG_VERSION").to_owned(),
        started_at: presence.started_at,
        policy_digest: state.engine.snapshot().digest().to_string(),
        domain_digests: Some(domain_digests(state)),
        folder_digest: Some(folder_digest(state, built_in)),
        replay_key: presence.replay_key.clone(),
        readiness: ops::status(state).await.to_owned(),
        seen_at: now,
    };
    store.note_replica(own.clone()).await?;
    store.forget_replicas_before(now - LISTED).await?;
    let mut live = store.list_replicas().await?;
    live.retain(|other| !other.is_lost(now));
    gauge!("charter_replicas").set(f64::from(u32::try_from(live.len()).unwrap_or(u32::MAX)));
    if presence.is_shared {
        state.nonces.share_among(live.len());
        state.rates.share_among(live.len());
    }
    let other = live
        .iter()
        .find_map(|other| difference(&own, other).map(|found| (other, found)));
    *differ_since = other.as_ref().and(Some(
        differ_since.unwrap_or_else(|| state.clock.monotonic()),
    ));
    let lasts =
        differ_since.is_some_and(|since| state.clock.monotonic().saturating_sub(since) >= SETTLING);
    let fault = other.filter(|_| lasts).map(|(other, found)| {
        format!(
            "`{}` has {found} for more than {} s: bring the folders to the same state",
            other.host,
            SETTLING.as_secs()
        )
    });
    state.replicas.report(fault);
    Ok(())
}

fn domain_digests(state: &State) -> BTreeMap<String, String> {
    let domains = state.domains.all().into_iter();
    let in_force = domains.filter_map(|(name, domain)| {
        let digest = domain.in_force?.snapshot().digest().to_string();
        Some((name, digest))
    });
    in_force.collect()
}

/// What another process has that this one has not, or the other way round.
fn difference(own: &Replica, other: &Replica) -> Option<String> {
    let (ours, theirs) = (&own.policy_digest, &other.policy_digest);
    if ours != theirs {
        return Some(format!(
            "other policies in force ({theirs}) than this process ({ours})"
        ));
    }
    let (ours, theirs) = (own.domain_digests.as_ref()?, other.domain_digests.as_ref()?);
    let mut names = ours.keys().chain(theirs.keys());
    if let Some(name) = names.find(|name| ours.get(*name) != theirs.get(*name)) {
        let digest = |digests: &BTreeMap<String, String>| {
            digests.get(name).map_or("none", String::as_str).to_owned()
        };
        return Some(format!(
            "other policies in force in the domain `{name}` ({}) than this process ({})",
            digest(theirs),
            digest(ours)
        ));
    }
    let (ours, theirs) = (own.folder_digest.as_ref()?, other.folder_digest.as_ref()?);
    (ours != theirs).then(|| {
        format!(
            "the same policies in force and another policy folder ({theirs}) than this process ({ours}), in its \
             invariants, examples, manifest or domains,"
        )
    })
}

/// Of all files that were taken together with the policies in force, and of those of the domains in force.
fn folder_digest(state: &State, built_in: &mut HashedFolder) -> String {
    let mut parts = Files::new();
    let mut add = |name: String, digest: &str| parts.insert(name, digest.into());
    add(
        String::new(),
        built_in.digest_of(&state.engine.health().files),
    );
    for (name, domain) in state.domains.all() {
        if let Some(in_force) = domain.in_force {
            add(name, in_force.content_digest());
        }
    }
    content_digest(&parts)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn domains_are_compared_by_name_with_replicas_that_tell_of_them() {
        let replica = |digest: &str, domains: Option<&[(&str, &str)]>| Replica {
            id: "a".to_owned(),
            host: "one/7".to_owned(),
            version: "0.1.0".to_owned(),
            started_at: charter_domain::timestamp::latest(),
            policy_digest: digest.to_owned(),
            domain_digests: domains.map(|all| {
                let owned = |(name, digest): &(&str, &str)| (name.to_string(), digest.to_string());
                all.iter().map(owned).collect()
            }),
            folder_digest: Some("f".to_owned()),
            replay_key: None,
            readiness: "ok".to_owned(),
            seen_at: charter_domain::timestamp::latest(),
        };
        let own = replica("p", Some(&[("shop", "a"), ("todo", "b")]));
        assert_eq!(difference(&own, &own.clone()), None);
        assert_eq!(difference(&own, &replica("p", None)), None);
        for (other, told) in [
            (
                replica("q", None),
                "other policies in force (q) than this process (p)",
            ),
            (
                replica("p", Some(&[("shop", "a"), ("todo", "c")])),
                "other policies in force in the domain `todo` (c) than this process (b)",
            ),
            (
                replica("p", Some(&[("shop", "a")])),
                "other policies in force in the domain `todo` (none) than this process (b)",
            ),
            (
                replica("p", Some(&[("more", "x"), ("shop", "a"), ("todo", "b")])),
                "other policies in force in the domain `more` (x) than this process (none)",
            ),
        ] {
            assert_eq!(difference(&own, &other).as_deref(), Some(told));
        }
        let other = Replica {
            folder_digest: Some("g".to_owned()),
            ..own.clone()
        };
        let told = difference(&own, &other).expect("another folder");
        assert!(
            told.contains("another policy folder (g) than this process (f)"),
            "{told}"
        );
    }
}
