//! How to reach the database.

use std::path::PathBuf;
use std::time::Duration;

use super::audit_mac::AuditKey;

pub struct Config {
    /// `sqlite://path` or `postgres://…`.
    pub url: String,
    /// The most connections that only read.
    pub max_readers: u32,
    /// How long to wait for a free connection before the answer is [`Error::Unavailable`](super::Error::Unavailable).
    pub acquire_timeout: Duration,
    /// How long one statement may take; on PostgreSQL.
    pub statement_timeout: Duration,
    /// How long a connection may have been idle and still be used unasked; on PostgreSQL.
    pub ping_after_idle: Duration,
    /// Whether a server runs on this store: nobody takes its schema back while it is open.
    pub is_server: bool,
    /// Whether a database that is a file is made where it is missing.
    pub may_create: bool,
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
            .field("may_create", &self.may_create)
            .field("audit_keys", &self.audit_keys)
            .field("audit_heads", &self.audit_heads)
            .finish_non_exhaustive()
    }
}
