//! Why Redis cannot be used.

use ::redis::RedisError;

#[derive(Debug, thiserror::Error)]
pub enum RedisFault {
    /// The address is malformed.
    #[error("the address is malformed: {0}")]
    Address(String),
    /// The authorities to trust cannot be read.
    #[error("the certificates to trust cannot be read from `{0}`: {1}")]
    Authorities(String, String),
    /// A sentinel named no usable master.
    #[error("sentinel `{0}`: {1}")]
    Sentinel(String, Box<Self>),
    /// It failed, could not be reached, or did not respond in time.
    #[error("{0}")]
    Away(#[from] RedisError),
    /// It may evict nonces.
    #[error(
        "its `maxmemory-policy` is `{0}`, so it may forget nonces: set `maxmemory-policy` to `noeviction` there"
    )]
    Eviction(String),
    /// It is a replica, as during a failover.
    #[error("its role is `{0}`, not `master`")]
    Role(String),
    /// It is not suitable for nonces.
    #[error("{0}")]
    Unfit(String),
}

impl RedisFault {
    /// Whether a retry may succeed.
    #[must_use]
    pub fn may_pass(&self) -> bool {
        match self {
            Self::Away(error) => error.is_io_error() || error.is_timeout(),
            Self::Sentinel(_, fault) => fault.may_pass(),
            Self::Role(_) => true,
            Self::Address(_) | Self::Authorities(..) | Self::Eviction(_) | Self::Unfit(_) => false,
        }
    }
}
