//! Why Redis cannot be relied on.

use ::redis::RedisError;

/// Why Redis cannot be relied on now.
#[derive(Debug, thiserror::Error)]
pub enum Fault {
    /// The address is malformed.
    #[error("the address is malformed: {0}")]
    Address(String),
    /// It refuses, is away, or did not answer in time.
    #[error("{0}")]
    Away(#[from] RedisError),
    /// It may forget nonces for lack of room.
    #[error(
        "its `maxmemory-policy` is `{0}`, so it may forget nonces: set `maxmemory-policy` to `noeviction` there"
    )]
    Eviction(String),
    /// It is none to remember nonces.
    #[error("{0}")]
    Unfit(String),
}

impl Fault {
    /// Whether it may answer later, as while it starts.
    #[must_use]
    pub fn may_pass(&self) -> bool {
        match self {
            Self::Away(error) => error.is_io_error() || error.is_timeout(),
            Self::Address(_) | Self::Eviction(_) | Self::Unfit(_) => false,
        }
    }
}
