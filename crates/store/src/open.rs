//! Opens the store and builds its statements.

use std::num::NonZeroUsize;
use std::sync::Arc;

use sea_orm::{ConnectionTrait as _, DbBackend};

use super::audit::Log;
use super::changes::Versions;
use super::config::Config;
use super::connect::{Pools, check_url, connect, connect_read_only};
use super::contention::OrganizationQueue;
use super::error::Error;
use super::store::Store;
use super::write_metrics::WriteMetrics;
use super::{credentials, session_rotation, sessions};
use charter_budgets::Budgets;
use charter_domain::clock::Clock;
use charter_domain::entropy::Entropy;

impl Store {
    /// Connects, and verifies the settings that durability and isolation depend on. Does not migrate.
    ///
    /// # Errors
    ///
    /// [`Error::Setup`] for unusable settings or databases; [`Error::Unavailable`] if a retry may help.
    pub async fn open(
        config: Config,
        clock: Arc<dyn Clock>,
        entropy: Arc<dyn Entropy>,
    ) -> Result<Self, Error> {
        let pools = connect(&config).await?;
        Self::over(pools, config, clock, entropy)
    }

    /// Connects read-only: nothing is created or written, in the database or next to it. `None` if the database is
    /// a file that does not exist but could be created.
    pub async fn open_read_only(
        config: Config,
        clock: Arc<dyn Clock>,
        entropy: Arc<dyn Entropy>,
    ) -> Result<Option<Self>, Error> {
        let config = Config {
            is_server: false,
            audit_heads: None,
            ..config
        };
        let pools = connect_read_only(&config).await?;
        pools
            .map(|pools| Self::over(pools, config, clock, entropy))
            .transpose()
    }

    /// Whether a start would take the settings' URL of a file that is not there yet.
    ///
    /// # Errors
    ///
    /// [`Error::Setup`].
    pub fn check_url(config: &Config) -> Result<(), Error> {
        check_url(config)
    }

    fn over(
        pools: Pools,
        config: Config,
        clock: Arc<dyn Clock>,
        entropy: Arc<dyn Entropy>,
    ) -> Result<Self, Error> {
        let backend = pools.reader.get_database_backend();
        let find_credential = credentials::statement(backend);
        let find_sessions = sessions::statements(backend, sessions::statement);
        let rotate_sessions = sessions::statements(backend, session_rotation::statement);
        let audit = Log::open(
            config.audit_keys,
            config.audit_heads.as_deref(),
            Arc::clone(&clock),
        )?;
        let budgets = Arc::new(Budgets::unlimited(Arc::clone(&clock)));
        Ok(Self {
            reader: pools.reader,
            writer: pools.writer,
            feed: pools.feed,
            audit,
            changes: Versions::new(Arc::clone(&clock)),
            clock,
            entropy,
            find_credential,
            find_sessions,
            rotate_sessions,
            wait_timeout: config.connection.acquire_timeout,
            writes: OrganizationQueue::new("writes", usize::MAX),
            lists: OrganizationQueue::new("lists", lists_at_once(backend)),
            budgets,
            presence: pools.presence,
            write_metrics: WriteMetrics::new(),
        })
    }
}

/// SQLite reads on threads of this process: a list of large rows keeps one busy for milliseconds, and half of the
/// processors stay free for others.
fn lists_at_once(backend: DbBackend) -> usize {
    let processors = std::thread::available_parallelism().map_or(1, NonZeroUsize::get);
    match backend {
        DbBackend::Sqlite => (processors / 2).max(1),
        _ => usize::MAX,
    }
}
