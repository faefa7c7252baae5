//! A guard that is locked and waits for the lease, before it is opened.

use std::sync::Arc;
use std::time::Duration;

use super::config::ReplayGuardConfig;
use super::guard::ReplayGuard;
use super::lease::Turn;
use super::open_error::OpenError;
use super::recovery::{self, LockedDirectory};
use charter_domain::clock::Clock;
use charter_store::Store;

/// A guard that no other process can open, and that is not open yet: now the schema may be migrated.
pub struct UnopenedGuard {
    config: ReplayGuardConfig,
    found: LockedDirectory,
    turn: Turn,
    store: Arc<Store>,
    lease_time: Duration,
}

impl UnopenedGuard {
    /// Locks the journal's directory and waits until no other process serves the database, at most `lease_time`.
    ///
    /// # Errors
    ///
    /// As [`ReplayGuard::open`], and [`super::LeaseError`].
    pub async fn wait(
        store: &Arc<Store>,
        config: ReplayGuardConfig,
        lease_time: Duration,
    ) -> Result<Self, OpenError> {
        let (config, found) = blocking(move || {
            let found = recovery::find(&config)?;
            Ok((config, found))
        })
        .await?;
        let turn = Turn::wait(store, found.left.as_ref(), lease_time).await?;
        Ok(Self {
            config,
            found,
            turn,
            store: Arc::clone(store),
            lease_time,
        })
    }

    /// Opens it as the only one of its database, whose schema is current. `run` is unique to each start;
    /// `installation_is_older` is that of [`ReplayGuardConfig`].
    ///
    /// # Errors
    ///
    /// As [`UnopenedGuard::wait`].
    pub async fn open(
        self,
        clock: Arc<dyn Clock>,
        run: String,
        installation_is_older: bool,
    ) -> Result<ReplayGuard, OpenError> {
        let Self {
            mut config,
            found,
            turn,
            store,
            lease_time,
        } = self;
        config.installation_is_older = installation_is_older;
        let directory = config.directory.clone();
        let known = turn.runs(run.clone(), found.left.as_ref());
        let memory = blocking(move || recovery::open(&config, clock, found, Some(known))).await?;
        let lease = turn.take(store, run, lease_time, &directory).await?;
        let guard = ReplayGuard::new(memory, Some(Arc::new(lease)));
        guard.extend_lease().await;
        Ok(guard)
    }
}

async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, OpenError> + Send + 'static,
) -> Result<T, OpenError> {
    tokio::task::spawn_blocking(work)
        .await
        .map_err(|stopped| OpenError::Stopped(stopped.to_string()))?
}
