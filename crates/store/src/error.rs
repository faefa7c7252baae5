//! The store's errors.
//!
//! Knows the drivers' error codes and nothing of HTTP.

use sea_orm::sqlx;
use sea_orm::{DbErr, RuntimeErr, SqlErr};

use charter_budgets::Exhausted;

type Source = Box<dyn std::error::Error + Send + Sync>;

/// A failed operation has changed nothing, unless the answer to a commit was lost ([`Error::Unavailable`]).
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// Does not exist, or belongs to another tenant.
    #[error("not found")]
    NotFound,
    /// The expected version is not the current one.
    #[error("changed since it was read")]
    Stale,
    #[error("the organization is deactivated")]
    OrganizationInactive,
    /// The key that signed the request was revoked meanwhile, or its service account deleted.
    #[error("the caller's access key is revoked")]
    CallerRevoked,
    /// The nonce of the request has made a write before.
    #[error("the nonce has made a write before")]
    NonceSpent,
    /// The key that signed the request expired meanwhile.
    #[error("the caller's access key has expired")]
    CallerExpired,
    /// The caller's service account, or its account, was deactivated meanwhile.
    #[error("the caller's service account or its account is inactive")]
    CallerDisabled,
    /// Another organization has the slug.
    #[error("the slug is taken")]
    SlugTaken,
    /// A user of any organization has the address.
    #[error("the e-mail address is taken")]
    EmailTaken,
    /// The budget for changes or stored bytes is used up.
    #[error(transparent)]
    Exhausted(#[from] Exhausted),
    /// A user of this organization has the address.
    #[error("the address is a member's already")]
    AlreadyMember,
    /// The organization would have no owner.
    #[error("the organization would have no owner")]
    LastOwner,
    /// An owner needs another role before it can be removed.
    #[error("an owner cannot be removed")]
    OwnerNotRemovable,
    /// The token is unknown, used, expired or withdrawn; the answer is the same.
    #[error("the link is not valid")]
    InvalidLink,
    /// The user was disabled, or has another password than the one checked.
    #[error("the sign-in does not hold any more")]
    SignInVoid,
    /// The session of the request ended meanwhile.
    #[error("the caller's session has ended")]
    SessionEnded,
    /// The caller's roles or permissions have changed since policy was asked.
    #[error("the caller's roles or permissions have changed")]
    GrantsChanged,
    /// The service account has the maximal number of active keys.
    #[error("the service account has too many active keys")]
    TooManyKeys,
    #[error("the key is not active")]
    KeyNotActive,
    /// The default account cannot be deactivated.
    #[error("the default account cannot be deactivated")]
    DefaultAccount,
    /// The text is the code of one organization and the slug of another.
    #[error("`{0}` is the code of one organization and the slug of another, use the id")]
    Ambiguous(String),
    /// A setting that the store cannot work with, or a database that is not set up as required.
    #[error("{0}")]
    Setup(String),
    /// The files, the directory or the disk of the database: why, and what to do.
    #[error("{0}")]
    Unusable(String),
    /// A newer version of this program has migrated the database.
    #[error(
        "the database's schema is newer than this program: it has `{0}`, run the version that made it"
    )]
    SchemaTooNew(String),
    /// A server uses the database, so its migrations cannot be reverted.
    #[error("a server is running on this database, stop it first")]
    InUse,
    /// The database is down, busy, full or too slow. The same request may succeed later.
    #[error("the database is unavailable")]
    Unavailable(#[source] Source),
    /// A stored value is not one that this program writes.
    #[error("corrupt data: {0}")]
    Corrupt(String),
    #[error("the database refused a statement")]
    Unexpected(#[source] Source),
}

impl Error {
    /// All such failures pass here, so they are counted here.
    pub(super) fn unavailable(source: impl Into<Source>) -> Self {
        metrics::counter!("charter_store_unavailable_total").increment(1);
        Self::Unavailable(source.into())
    }

    /// Whether a rule refused the operation, as opposed to a failure.
    #[must_use]
    pub const fn is_refusal(&self) -> bool {
        !matches!(
            self,
            Self::Setup(_)
                | Self::Unusable(_)
                | Self::SchemaTooNew(_)
                | Self::Unavailable(_)
                | Self::Corrupt(_)
                | Self::Unexpected(_)
        )
    }

    /// Whether PostgreSQL gave up a wait for a lock (55P03) or ended a deadlock (40P01).
    pub(super) fn is_lock_conflict(&self) -> bool {
        let Self::Unavailable(cause) = self else {
            return false;
        };
        let Some(
            DbErr::Exec(RuntimeErr::SqlxError(error)) | DbErr::Query(RuntimeErr::SqlxError(error)),
        ) = cause.downcast_ref()
        else {
            return false;
        };
        let code = error
            .as_database_error()
            .and_then(sqlx::error::DatabaseError::code);
        code.is_some_and(|code| matches!(&*code, "55P03" | "40P01"))
    }

    /// Includes the cause. For the log and operators.
    #[must_use]
    pub fn with_cause(&self) -> String {
        self.cause()
            .map_or_else(|| self.to_string(), |cause| format!("{self}: {cause}"))
    }

    fn cause(&self) -> Option<String> {
        let (Self::Unavailable(cause) | Self::Unexpected(cause)) = self else {
            return None;
        };
        // The driver's own words have a line of the server's sources.
        let told = self.driver_error().and_then(sqlx::Error::as_database_error);
        Some(told.map_or_else(|| cause.to_string(), |error| error.message().to_owned()))
    }

    /// For a connection that could not be made.
    pub(super) fn of_connecting(error: sqlx::Error) -> Self {
        let error = Self::from(error);
        match (&error, error.cause(), error.advice()) {
            (Self::Unexpected(_), Some(cause), Some(advice)) => Self::Unusable(format!(
                "its server refuses the connection: {cause}; {advice}"
            )),
            _ => error,
        }
    }

    /// What an operator can do about a database that cannot be used, unless the message says it.
    #[must_use]
    pub fn advice(&self) -> Option<&'static str> {
        match self {
            Self::Setup(_) | Self::Unavailable(_) | Self::Unexpected(_) => {
                let known = self.driver_error().and_then(advice_on);
                Some(known.unwrap_or("check `database.url` and that it is reachable"))
            }
            _ => None,
        }
    }

    fn driver_error(&self) -> Option<&sqlx::Error> {
        let (Self::Unavailable(cause) | Self::Unexpected(cause)) = self else {
            return None;
        };
        match cause.downcast_ref() {
            Some(
                DbErr::Exec(RuntimeErr::SqlxError(error))
                | DbErr::Query(RuntimeErr::SqlxError(error))
                | DbErr::Conn(RuntimeErr::SqlxError(error)),
            ) => Some(error),
            _ => cause.downcast_ref(),
        }
    }

    /// A stored value that cannot be parsed.
    pub(super) fn corrupt(what: &str, detail: impl std::fmt::Display) -> Self {
        Self::Corrupt(format!("{what}: {detail}"))
    }
}

impl From<DbErr> for Error {
    fn from(error: DbErr) -> Self {
        if let Some(SqlErr::UniqueConstraintViolation(index)) = error.sql_err() {
            // Other unique values are drawn at random, or inserted only without a conflict.
            return match index {
                index if index.contains("slug") => Self::SlugTaken,
                index if index.contains("email") => Self::EmailTaken,
                _ => Self::Unexpected(error.into()),
            };
        }
        match &error {
            DbErr::ConnectionAcquire(_) | DbErr::Conn(_) => Self::unavailable(error),
            DbErr::Exec(RuntimeErr::SqlxError(source))
            | DbErr::Query(RuntimeErr::SqlxError(source)) => match classify(source) {
                Class::Unavailable => Self::unavailable(error),
                Class::Corrupt => Self::Corrupt(error.to_string()),
                Class::Unexpected => Self::Unexpected(error.into()),
            },
            DbErr::Type(_) | DbErr::Json(_) | DbErr::TryIntoErr { .. } => {
                Self::Corrupt(error.to_string())
            }
            _ => Self::Unexpected(error.into()),
        }
    }
}

/// For rows whose conversion cannot fail.
impl From<std::convert::Infallible> for Error {
    fn from(never: std::convert::Infallible) -> Self {
        match never {}
    }
}

impl From<sqlx::Error> for Error {
    fn from(error: sqlx::Error) -> Self {
        match classify(&error) {
            Class::Unavailable => Self::unavailable(error),
            Class::Corrupt => Self::Corrupt(error.to_string()),
            Class::Unexpected => Self::Unexpected(error.into()),
        }
    }
}

enum Class {
    Unavailable,
    Corrupt,
    Unexpected,
}

fn classify(error: &sqlx::Error) -> Class {
    match error {
        sqlx::Error::Io(_)
        | sqlx::Error::Tls(_)
        | sqlx::Error::Protocol(_)
        | sqlx::Error::PoolTimedOut
        | sqlx::Error::PoolClosed
        | sqlx::Error::WorkerCrashed
        | sqlx::Error::BeginFailed => Class::Unavailable,
        sqlx::Error::ColumnDecode { .. } | sqlx::Error::Decode(_) => Class::Corrupt,
        sqlx::Error::Database(database) => {
            let code = database.code().unwrap_or_default();
            if database
                .try_downcast_ref::<sqlx::sqlite::SqliteError>()
                .is_some()
            {
                classify_sqlite(&code)
            } else {
                classify_postgres(&code)
            }
        }
        _ => Class::Unexpected,
    }
}

fn advice_on(error: &sqlx::Error) -> Option<&'static str> {
    let error = error.as_database_error()?;
    let code = error.code().unwrap_or_default();
    if error
        .try_downcast_ref::<sqlx::sqlite::SqliteError>()
        .is_some()
    {
        return match code.parse::<u32>().ok()? & 0xff {
            5 | 6 => Some("another process holds its lock: try again, or end that process"),
            10 => Some("see that its disk is well and has room"),
            13 => Some("free space on its disk"),
            8 | 14 => Some("see that this user may read and write its files and their directory"),
            11 | 26 => Some("restore a backup"),
            _ => None,
        };
    }
    match code.get(..2)? {
        "28" => Some("correct user and password in `database.url`"),
        "3D" => Some("create the database, or correct `database.url`"),
        "42" => Some("give the user of `database.url` the rights to its tables"),
        "53" => Some("see the server's disk, memory and connections"),
        _ => None,
    }
}

/// By primary result code (sqlite.org/rescode.html); the driver reports the extended one.
fn classify_sqlite(code: &str) -> Class {
    match code.parse::<u32>().map(|extended| extended & 0xff) {
        // BUSY, LOCKED, NOMEM, READONLY, INTERRUPT, IOERR, FULL, CANTOPEN, PROTOCOL
        Ok(5..=10 | 13..=15) => Class::Unavailable,
        // CORRUPT, NOTADB
        Ok(11 | 26) => Class::Corrupt,
        _ => Class::Unexpected,
    }
}

/// Whether SQLite could not read or write its files, or found them damaged: READONLY, IOERR, CORRUPT, FULL, NOTADB. It
/// may have rolled back the transaction. A file that it could not open for writing it opens for reading alone, and the
/// connection stays so.
pub(super) fn is_disk_failure(error: &DbErr) -> bool {
    let (DbErr::Exec(RuntimeErr::SqlxError(source)) | DbErr::Query(RuntimeErr::SqlxError(source))) =
        error
    else {
        return false;
    };
    let sqlite = source
        .as_database_error()
        .and_then(|error| error.try_downcast_ref::<sqlx::sqlite::SqliteError>());
    let code = sqlite.and_then(sqlx::error::DatabaseError::code);
    code.and_then(|code| code.parse::<u32>().ok())
        .is_some_and(|extended| matches!(extended & 0xff, 8 | 10 | 11 | 13 | 26))
}

/// Whether PostgreSQL, or the network, has ended the connection of a statement.
pub(super) fn is_connection_lost(error: &DbErr) -> bool {
    let (DbErr::Exec(RuntimeErr::SqlxError(source)) | DbErr::Query(RuntimeErr::SqlxError(source))) =
        error
    else {
        return false;
    };
    match &**source {
        sqlx::Error::Io(error) => error.kind() != std::io::ErrorKind::TimedOut,
        sqlx::Error::Database(error) => {
            let code = error.code().unwrap_or_default();
            // Admin shutdown, crash shutdown, cannot connect now.
            matches!(&*code, "57P01" | "57P02" | "57P03")
        }
        _ => false,
    }
}

/// By SQLSTATE (PostgreSQL manual, appendix A).
fn classify_postgres(code: &str) -> Class {
    match code {
        // Deadlock, serialization failure, lock timeout, idle-in-transaction timeout, and a server that has become
        // a read-only standby.
        "40P01" | "40001" | "55P03" | "25P03" | "25006" => Class::Unavailable,
        "XX001" | "XX002" => Class::Corrupt,
        _ => match code.get(..2) {
            // Connection, resources (disk full, too many connections), operator (statement
            // timeout, shutdown), system (I/O).
            Some("08" | "53" | "57" | "58") => Class::Unavailable,
            _ => Class::Unexpected,
        },
    }
}
