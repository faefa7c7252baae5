//! The store's configuration.

use std::path::PathBuf;
use std::time::Duration;

use secrecy::SecretString;

use super::audit_mac::AuditKey;

#[derive(Debug, Clone)]
pub struct ConnectionConfig {
    /// `sqlite://path` or `postgres://…`; may contain a password.
    pub url: SecretString,
    /// Read-only connections on SQLite, all connections on PostgreSQL.
    pub max_readers: u32,
    /// How long to wait for a connection before [`Error::Unavailable`](super::Error::Unavailable).
    pub acquire_timeout: Duration,
    /// Limit for one statement, on PostgreSQL.
    pub statement_timeout: Duration,
}

#[derive(Debug)]
pub struct Config {
    pub connection: ConnectionConfig,
    /// Connections idle for longer are checked before use, on PostgreSQL.
    pub ping_after_idle: Duration,
    /// Whether a server uses this store. Meanwhile nobody can revert its migrations.
    pub is_server: bool,
    /// Whether to create a missing database file.
    pub may_create: bool,
    /// The first key authenticates new events; all keys verify.
    pub audit_keys: Vec<AuditKey>,
    /// File for new heads, one JSON object a line.
    pub audit_heads: Option<PathBuf>,
}
