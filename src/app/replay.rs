//! Opens the replay guard: its bounds, where nonces are remembered, and the lease of the database.

use std::sync::Arc;
use std::time::Duration;

use backon::Retryable as _;
use secrecy::SecretBox;

use crate::settings::keys::Keys;
use crate::settings::{ReplayStore, Settings};
use charter_authn::nonces::{
    Config, Disagreement, Fault, NonceStore, OpenError, Pending, RedisConfig, SharedCounters,
    SharedPending,
};
use charter_domain::clock::Clock;
use charter_domain::entropy::Entropy;
use charter_store::Store;

use super::{StartError, database};

/// How far this machine's clock may lie from that of Redis. Nonces are kept for longer than two of them are apart.
const CLOCK_TOLERANCE: Duration = Duration::from_secs(15);

/// A guard on its way.
pub(super) enum Turn {
    /// Of this process alone.
    Alone(Box<Pending>),
    /// Shared by replicas.
    Shared(SharedPending, Box<RedisConfig>),
}

/// An open guard, and the counters that replicas share.
pub(super) struct Opened {
    pub(super) guard: Arc<dyn NonceStore>,
    pub(super) counters: Option<SharedCounters>,
}

/// Waits until no process that remembers nonces by itself serves the database. Before it is migrated: not beside a
/// service.
pub(super) async fn wait_for_turn(
    settings: &Settings,
    keys: &Keys,
    store: &Arc<Store>,
) -> Result<Turn, StartError> {
    let lease = settings.replay.lease;
    Ok(match redis(settings, keys) {
        None => {
            let pending = Pending::wait(store, config(settings, keys), lease).await?;
            Turn::Alone(Box::new(pending))
        }
        Some(config) => Turn::Shared(SharedPending::wait(store, lease).await?, Box::new(config)),
    })
}

/// How the guard of one process is kept.
pub(super) fn config(settings: &Settings, keys: &Keys) -> Config {
    Config {
        window: settings.signing.max_skew,
        bounds: settings.replay.bounds,
        directory: settings.data_dir.join("replay"),
        hash_key: SecretBox::new(Box::new(*keys.replay.expose())),
        installation_is_older: true,
    }
}

/// How a guard on Redis is kept; `None` where there is none.
pub(super) fn redis(settings: &Settings, keys: &Keys) -> Option<RedisConfig> {
    let ReplayStore::Redis { url } = &settings.replay.store else {
        return None;
    };
    Some(RedisConfig {
        url: url.clone(),
        window: settings.signing.max_skew,
        bounds: settings.replay.bounds,
        hash_key: SecretBox::new(Box::new(*keys.replay.expose())),
        lease: settings.replay.lease,
        clock_tolerance: Some(CLOCK_TOLERANCE),
    })
}

/// Opens the guard, on a database that is up to date. Waits for Redis as a start waits for the database.
pub(super) async fn open(
    turn: Turn,
    (settings, run): (&Settings, &str),
    store: &Arc<Store>,
    clock: &Arc<dyn Clock>,
    entropy: &Arc<dyn Entropy>,
) -> Result<Opened, StartError> {
    match turn {
        Turn::Alone(pending) => {
            // Where no key was ever used, as when operators made all there is, there is no nonce that a
            // missing journal could have held.
            let is_older = store.any_key_was_used().await?;
            let guard = pending.open(Arc::clone(clock), run.to_owned(), is_older);
            Ok(Opened {
                guard: Arc::new(guard.await?),
                counters: None,
            })
        }
        Turn::Shared(pending, config) => {
            let limit = settings.database.start_timeout;
            let attempt = || pending.open(&config, store, clock, entropy);
            let guard = attempt
                .retry(database::pauses(limit))
                .when(may_pass)
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
        OpenError::Redis(Disagreement::Redis(fault)) => Fault::may_pass(fault),
        _ => false,
    }
}
