//! A guard on its way: locked, waiting for its turn, not open yet.

use std::sync::Arc;
use std::time::Duration;

use super::config::Config;
use super::guard::ReplayGuard;
use super::lease::Turn;
use super::open_error::OpenError;
use super::recovery::{self, Found};
use charter_domain::clock::Clock;
use charter_store::Store;

/// A guard that nobody else can open, and that is not open yet: the schema may be brought up.
pub struct Pending {
    config: Config,
    found: Found,
    turn: Turn,
    store: Arc<Store>,
    lease_time: Duration,
}

impl Pending {
    /// Takes the journal's lock, and waits until no other process serves the database, for
    /// `lease_time` at most: so long another process waits for a sign of this one, too.
    ///
    /// # Errors
    ///
    /// As [`ReplayGuard::open`], and [`super::LeaseError`].
    pub async fn wait(
        store: &Arc<Store>,
        config: Config,
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

    /// Opens it as the only one of its database, whose schema is up to date. `run` is another text
    /// at each start; `installation_is_older` is as in [`Config`].
    ///
    /// # Errors
    ///
    /// As [`Pending::wait`].
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
        let known = turn.known(run.clone(), found.left.as_ref());
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
