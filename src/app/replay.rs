//! Opens the replay guard: its limits, where nonces are stored, and the lease of the database.

use std::sync::Arc;
use std::time::Duration;

use backon::Retryable as _;
use secrecy::SecretBox;
use tokio::time::Instant;

use crate::settings::keys::Keys;
use crate::settings::{ReplayStore, Settings};
use charter_authn::nonces::{
    Disagreement, NonceStore, OpenError, RedisConfig, RedisFault, ReplayGuardConfig,
    SharedCounters, UnopenedGuard, UnopenedRedisGuard,
};
use charter_domain::clock::Clock;
use charter_domain::entropy::Entropy;
use charter_store::Store;

use super::{StartError, database};

/// Allowed difference between this machine's clock and that of Redis. Nonces are kept longer than twice this.
const CLOCK_TOLERANCE: Duration = Duration::from_secs(15);

/// A guard that waits to be opened.
pub(super) enum PendingGuard {
    /// For one process.
    Alone(Box<UnopenedGuard>),
    /// For several replicas.
    Shared(UnopenedRedisGuard, Box<RedisConfig>),
}

/// An open guard, and the counters that replicas share.
pub(super) struct Opened {
    pub(super) guard: Arc<dyn NonceStore>,
    pub(super) counters: Option<SharedCounters>,
}

/// Waits until no process with nonces of its own serves the database. Called before the migration, which must not
/// run beside a service.
pub(super) async fn wait_for_turn(
    settings: &Settings,
    keys: &Keys,
    store: &Arc<Store>,
) -> Result<PendingGuard, StartError> {
    let lease = settings.replay.lease;
    Ok(match redis(settings, keys) {
        None => {
            let pending = UnopenedGuard::wait(store, config(settings, keys), lease).await?;
            PendingGuard::Alone(Box::new(pending))
        }
        Some(config) => PendingGuard::Shared(
            UnopenedRedisGuard::wait(store, lease).await?,
            Box::new(config),
        ),
    })
}

/// The configuration of a guard for one process.
pub(super) fn config(settings: &Settings, keys: &Keys) -> ReplayGuardConfig {
    ReplayGuardConfig {
        window: settings.signing.max_skew,
        bounds: settings.replay.bounds,
        directory: settings.data_dir.join("replay"),
        hash_key: SecretBox::new(Box::new(*keys.replay.expose())),
        installation_is_older: true,
    }
}

/// The configuration of a guard on Redis; `None` if none is set.
pub(super) fn redis(settings: &Settings, keys: &Keys) -> Option<RedisConfig> {
    let ReplayStore::Redis { url, ca_file } = &settings.replay.store else {
        return None;
    };
    Some(RedisConfig {
        url: url.clone(),
        ca_file: ca_file.clone(),
        window: settings.signing.max_skew,
        bounds: settings.replay.bounds,
        hash_key: SecretBox::new(Box::new(*keys.replay.expose())),
        lease: settings.replay.lease,
        clock_tolerance: Some(CLOCK_TOLERANCE),
    })
}

/// Opens the guard after the migration. Waits for Redis until it is up.
pub(super) async fn open(
    turn: PendingGuard,
    (settings, run): (&Settings, &str),
    store: &Arc<Store>,
    clock: &Arc<dyn Clock>,
    entropy: &Arc<dyn Entropy>,
) -> Result<Opened, StartError> {
    match turn {
        PendingGuard::Alone(pending) => {
            // If no key was ever used, no nonce can be missing from the journal.
            let is_older = store.any_key_was_used().await?;
            let guard = pending.open(Arc::clone(clock), run.to_owned(), is_older);
            Ok(Opened {
                guard: Arc::new(guard.await?),
                counters: None,
            })
        }
        PendingGuard::Shared(pending, config) => {
            let limit = settings.database.start_timeout;
            let end = Instant::now() + limit;
            let attempt = || pending.open(&config, store, clock, entropy);
            let guard = attempt
                .retry(database::pauses(limit))
                .when(|error| may_pass(error) && Instant::now() < end)
                .notify(|error, _pause| tracing::warn!(%error, ?limit, "waiting for Redis"))
                .await?;
            Ok(Opened {
                counters: Some(guard.counters()),
                guard: Arc::new(guard),
            })
        }
    }
}

fn may_pass(error: &OpenError) -> bool {
    match error {
        OpenError::Redis(Disagreement::Redis(fault)) => RedisFault::may_pass(fault),
        _ => false,
    }
}
