//! Opens the replay guard: its bounds, its journal, and the lease of the database.

use std::sync::Arc;

use secrecy::SecretBox;

use crate::settings::keys::Keys;
use crate::settings::{ReplayStore, Settings};
use charter_authn::nonces::{Config, Pending, ReplayGuard};
use charter_domain::clock::Clock;
use charter_domain::entropy::Entropy;
use charter_store::Store;

use super::StartError;

/// Waits until no other process serves the database. Before it is migrated: not beside a service.
pub(super) async fn wait_for_turn(
    settings: &Settings,
    keys: &Keys,
    store: &Arc<Store>,
) -> Result<Pending, StartError> {
    let config = config(settings, keys)?;
    Ok(Pending::wait(store, config, settings.replay.lease).await?)
}

/// How the guard is kept.
pub(super) fn config(settings: &Settings, keys: &Keys) -> Result<Config, StartError> {
    if !matches!(settings.replay.store, ReplayStore::Memory) {
        return Err(StartError::ReplayStore);
    }
    Ok(Config {
        window: settings.signing.max_skew,
        bounds: settings.replay.bounds,
        directory: settings.data_dir.join("replay"),
        hash_key: SecretBox::new(Box::new(*keys.replay.expose())),
        installation_is_older: true,
    })
}

/// Opens the guard, on a database that is up to date.
pub(super) async fn open(
    pending: Pending,
    store: &Store,
    clock: &Arc<dyn Clock>,
    entropy: &dyn Entropy,
) -> Result<ReplayGuard, StartError> {
    // Where no key was ever used, as when operators made all there is, there is no nonce that a
    // missing journal could have held.
    let is_older = store.any_key_was_used().await?;
    let mut run = [0; 16];
    entropy.fill(&mut run);
    let run = u128::from_le_bytes(run);
    let guard = pending.open(Arc::clone(clock), format!("{run:032x}"), is_older);
    Ok(guard.await?)
}
