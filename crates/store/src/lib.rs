//! Everything that must outlive the process, on SQLite or PostgreSQL, behind one type.
//!
//! The only place that names `sea_orm`. It keeps tenants apart, versions honest and every change
//! in the audit log; who may do what is decided elsewhere, before and inside its transactions.

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use sea_orm::{ConnectionTrait, DbBackend};

use charter_budgets::Budgets;
use charter_domain::caller::Scope;
use charter_domain::clock::Clock;
use charter_domain::entropy::Entropy;

mod access_keys;
mod accounts;
mod audit;
mod audit_heads;
mod audit_list;
pub mod audit_verify;
mod codes;
mod connect;
mod credentials;
mod entity;
mod error;
mod expiry;
mod gates;
mod granted_names;
mod guard_lease;
mod installation_events;
mod invitations;
mod key_checks;
mod last_used;
mod links;
mod listing;
mod liveness;
mod locate;
mod members;
mod migrate;
mod names;
mod open_invitations;
mod organizations;
mod outbox;
mod own_sessions;
mod password;
mod policy_approvals;
mod policy_revisions;
mod registration;
mod resealing;
mod rotation;
mod service_accounts;
mod session_rotation;
mod session_upkeep;
mod sessions;
mod sign_in;
mod users;
mod write;

pub use access_keys::{KeyToMake, NewKey};
pub use accounts::NewAccount;
pub use audit::AuditKey;
pub use audit_list::{AuditEvent, AuditFilter};
pub use credentials::Credential;
pub use error::Error;
use error::is_duplicate;
pub use granted_names::GrantedNames;
pub use guard_lease::GuardLease;
pub use invitations::NewInvitation;
pub use key_checks::KeyCheck;
pub use links::{NewLink, Purpose};
pub use locate::{Location, Thing};
pub use migrate::MigrationStatus;
pub use organizations::NewOrganization;
pub use outbox::{NewMail, PendingMail};
pub use own_sessions::OpenSession;
pub use policy_approvals::{NewPolicyApproval, PolicyApproval};
pub use policy_revisions::{LastRevision, NewPolicyRevision, PolicyFiles, PolicyRevision, TakenAs};
pub use registration::Registration;
pub use service_accounts::{NewServiceAccount, ServiceAccountFilter};
pub use session_rotation::{NewRotation, Rotation};
pub use sessions::{Ending, MOST_AT_ONCE, NewSession, SessionRow};
pub use sign_in::{Login, VerifiedLogin};
pub use users::NewUser;

/// How to reach the database.
pub struct Config {
    /// `sqlite://path` (created if missing) or `postgres://…`.
    pub url: String,
    /// The most connections that only read.
    pub max_readers: u32,
    /// How long to wait for a free connection before the answer is [`Error::Unavailable`].
    pub acquire_timeout: Duration,
    /// How long one statement may take; on PostgreSQL.
    pub statement_timeout: Duration,
    /// How long a connection may have been idle and still be used unasked; on PostgreSQL.
    pub ping_after_idle: Duration,
    /// Whether a server runs on this store: nobody takes its schema back while it is open.
    pub is_server: bool,
    /// Keys of the audit chain: the first writes, all verify.
    pub audit_keys: Vec<AuditKey>,
    /// Where each new head of a chain is written too, one JSON object a line.
    pub audit_heads: Option<PathBuf>,
}

/// The url may hold a password.
impl std::fmt::Debug for Config {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Config")
            .field("max_readers", &self.max_readers)
            .field("acquire_timeout", &self.acquire_timeout)
            .field("statement_timeout", &self.statement_timeout)
            .field("ping_after_idle", &self.ping_after_idle)
            .field("is_server", &self.is_server)
            .field("audit_keys", &self.audit_keys)
            .field("audit_heads", &self.audit_heads)
            .finish_non_exhaustive()
    }
}

/// The database.
pub struct Store {
    reader: connect::Connection,
    writer: connect::Connection,
    audit: audit::Log,
    clock: Arc<dyn Clock>,
    entropy: Arc<dyn Entropy>,
    epoch: AtomicU64,
    find_credential: String,
    find_sessions: Vec<(String, usize)>,
    rotate_sessions: Vec<(String, usize)>,
    patience: Duration,
    gates: gates::Gates,
    budgets: Arc<Budgets>,
    presence: connect::Presence,
}

impl Store {
    /// Connects, and reads back what durability and isolation rest on. Does not migrate.
    ///
    /// # Errors
    ///
    /// [`Error::Setup`] for a setting or a database it cannot work with, [`Error::Unavailable`]
    /// where trying again may help.
    pub async fn open(
        config: Config,
        clock: Arc<dyn Clock>,
        entropy: Arc<dyn Entropy>,
    ) -> Result<Self, Error> {
        let pools = connect::connect(&config).await?;
        Self::over(pools, config, clock, entropy)
    }

    /// Connects in order to look: nothing is made and nothing written, neither in the database nor beside it.
    /// `None` where the database is a file that is not there yet, and could be made.
    ///
    /// # Errors
    ///
    /// As [`Store::open`].
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
        let pools = connect::connect_read_only(&config).await?;
        pools
            .map(|pools| Self::over(pools, config, clock, entropy))
            .transpose()
    }

    fn over(
        pools: connect::Pools,
        config: Config,
        clock: Arc<dyn Clock>,
        entropy: Arc<dyn Entropy>,
    ) -> Result<Self, Error> {
        let backend = pools.reader.get_database_backend();
        let find_credential = credentials::statement(backend);
        let find_sessions = sessions::statements(backend, sessions::statement);
        let rotate_sessions = sessions::statements(backend, session_rotation::statement);
        let audit = audit::Log::open(
            config.audit_keys,
            config.audit_heads.as_deref(),
            Arc::clone(&clock),
        )?;
        let budgets = Arc::new(Budgets::unlimited(Arc::clone(&clock)));
        Ok(Self {
            reader: pools.reader,
            writer: pools.writer,
            audit,
            clock,
            entropy,
            epoch: AtomicU64::new(0),
            find_credential,
            find_sessions,
            rotate_sessions,
            patience: config.acquire_timeout,
            gates: gates::Gates::default(),
            budgets,
            presence: pools.presence,
        })
    }

    /// Bounds what each organization may change and store. Without it nothing is bounded, as for
    /// operators' commands.
    #[must_use]
    pub fn with_budgets(self, budgets: Arc<Budgets>) -> Self {
        Self { budgets, ..self }
    }

    /// Whether the database answers, within the time there is to get a connection.
    ///
    /// # Errors
    ///
    /// [`Error::Unavailable`] if it does not.
    pub async fn ping(&self) -> Result<(), Error> {
        let answer = self.reader.execute_unprepared("SELECT 1");
        match tokio::time::timeout(self.patience, answer).await {
            Ok(answer) => {
                answer?;
                Ok(())
            }
            Err(elapsed) => Err(Error::unavailable(elapsed)),
        }
    }

    /// A number that grows with every write, before the writer hears of it. Rows remembered under
    /// the present epoch are what the database has, as far as this process wrote it.
    ///
    /// Read it *before* loading the row. Writes of `last_used_at` do not count.
    #[must_use]
    pub fn epoch(&self) -> u64 {
        self.epoch.load(Ordering::Acquire)
    }

    /// Writes the heads of the audit chains through to the disk; blocking.
    pub fn sync_audit_heads(&self) {
        self.audit.heads().sync();
    }

    /// What is wrong with the file of audit heads.
    #[must_use]
    pub fn audit_heads_fault(&self) -> Option<String> {
        self.audit.heads().fault()
    }

    /// How long a request may wait for the database.
    #[must_use]
    pub const fn patience(&self) -> Duration {
        self.patience
    }

    /// The part of the store that one tenant may see.
    #[must_use]
    pub fn within(&self, scope: Scope) -> Tenant<'_> {
        Tenant { store: self, scope }
    }

    /// What went wrong between the store and the database, until something has worked since.
    #[must_use]
    pub fn fault(&self) -> Option<String> {
        self.writer.fault().or_else(|| self.reader.fault())
    }

    /// Closes all connections; nothing can be asked of the store any more. On SQLite the write-ahead
    /// log is folded into the file, so that the file alone is the database: as far as that goes without
    /// making another process wait, and whole if none has it open.
    pub async fn close(&self) {
        if self.writer.get_database_backend() == DbBackend::Sqlite {
            let folded = self
                .writer
                .execute_unprepared("PRAGMA wal_checkpoint(PASSIVE)");
            if let Err(error) = folded.await {
                tracing::warn!(%error, "the write-ahead log could not be folded into the database");
            }
        }
        for pool in [&self.reader, &self.writer] {
            // Nothing can be done about a connection that does not close; the process ends.
            if let Err(error) = pool.close().await {
                tracing::warn!(%error, "a database pool did not close cleanly");
            }
        }
    }
}

impl std::fmt::Debug for Store {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Store")
            .field("engine", &self.reader.get_database_backend())
            .field("epoch", &self.epoch())
            .finish_non_exhaustive()
    }
}

/// One tenant's part of the store: every query it runs carries the organization's id.
#[derive(Debug, Clone, Copy)]
pub struct Tenant<'a> {
    store: &'a Store,
    scope: Scope,
}
