//! Announces this process to the other replicas, and divides shared limits among them.

use std::sync::Arc;
use std::time::Duration;

use metrics::gauge;
use tokio_util::sync::CancellationToken;

use crate::settings::Settings;
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
}

impl Presence {
    pub(super) fn new(settings: &Settings, id: String, clock: &dyn Clock) -> Self {
        // Without it, the process id must suffice.
        let host = std::fs::read_to_string(HOST_NAME).unwrap_or_default();
        Self {
            id,
            host: format!("{}/{}", host.trim(), std::process::id()),
            started_at: clock.now(),
            is_shared: settings.replay.is_shared(),
        }
    }
}

/// Sends heartbeats and reads those of others until `stop`, then removes the entry.
pub(super) async fn follow(
    presence: Arc<Presence>,
    state: Arc<State>,
    store: Arc<Store>,
    stop: CancellationToken,
) {
    let rounds = async {
        let mut differ_since = None;
        loop {
            if let Err(error) = round(&presence, &state, &store, &mut differ_since).await {
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

async fn round(
    presence: &Presence,
    state: &State,
    store: &Store,
    differ_since: &mut Option<Duration>,
) -> Result<(), Error> {
    let now = state.clock.now();
    let (digest, folder) = (
        state.engine.snapshot().digest().to_string(),
        folder_digest(state),
    );
    let own = Replica {
        id: presence.id.clone(),
        host: presence.host.clone(),
        version: env!("CARGO_PKG_VERSION").to_owned(),
        started_at: presence.started_at,
        policy_digest: digest.clone(),
        folder_digest: Some(folder.clone()),
        readiness: ops::status(state).await.to_owned(),
        seen_at: now,
    };
    store.note_replica(own).await?;
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
        .find_map(|other| Some((other, difference(other, &digest, &folder)?)));
    *differ_since = other.as_ref().and(Some(
        differ_since.unwrap_or_else(|| state.clock.monotonic()),
    ));
    let lasts =
        differ_since.is_some_and(|since| state.clock.monotonic().saturating_sub(since) >= SETTLING);
    let told = other.filter(|_| lasts).map(|(other, found)| {
        format!(
            "`{}` has {found} for more than {} s: bring the folders to the same state",
            other.host,
            SETTLING.as_secs()
        )
    });
    state.replicas.report(told);
    Ok(())
}

/// What another replica has that this one has not, with this one's digests.
fn difference(other: &Replica, policies: &str, folder: &str) -> Option<String> {
    let theirs = &other.policy_digest;
    if theirs != policies {
        return Some(format!(
            "other policies in force ({theirs}) than this process ({policies})"
        ));
    }
    let theirs = other.folder_digest.as_deref()?;
    (theirs != folder).then(|| {
        format!(
            "the same policies in force and another policy folder ({theirs}) than this process ({folder}), in its \
             invariants, examples, manifest or domains,"
        )
    })
}

/// Of all files that were taken together with the policies in force, and of those of the domains in force.
fn folder_digest(state: &State) -> String {
    let mut parts = Files::new();
    let mut add = |name: String, digest: &str| parts.insert(name, digest.into());
    add(String::new(), &content_digest(&state.engine.health().files));
    for (name, domain) in state.domains.all() {
        if let Some(in_force) = domain.in_force {
            add(name, in_force.content_digest());
        }
    }
    content_digest(&parts)
}
