//! How to reach the database.

use std::path::PathBuf;
use std::time::Duration;

use secrecy::SecretString;

use super::audit_mac::AuditKey;

/// The database and its connections.
#[derive(Debug, Clone)]
pub struct ConnectionConfig {
    /// `sqlite://path` or `postgres://…`; may hold a password.
    pub url: SecretString,
    /// Connections that only read (SQLite), or the size of the pool (PostgreSQL).
    pub max_readers: u32,
    /// How long to wait for a free connection before the answer is [`Error::Unavailable`](super::Error::Unavailable).
    pub acquire_timeout: Duration,
    /// How long one statement may take; on PostgreSQL.
    pub statement_timeout: Duration,
}

/// What a store is opened with.
#[derive(Debug)]
pub struct Config {
    pub connection: ConnectionConfig,
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
