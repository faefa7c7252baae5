//! Why a request was not authenticated.

use std::fmt::Display;
use std::time::Duration;

use charter_budgets as budgets;
use charter_domain::timestamp::Timestamp;

use crate::limits::Exceeded;

/// When to retry after a dependency failed.
const RETRY_AFTER: Duration = Duration::from_secs(1);

impl From<Exceeded> for Rejection {
    fn from(exceeded: Exceeded) -> Self {
        Self::TooManyRequests {
            limit: exceeded.limit,
            retry_after: exceeded.retry_after,
        }
    }
}

/// Why a request was not authenticated (contract section 2).
#[derive(Debug, thiserror::Error)]
pub enum Rejection {
    /// No `authorization` header.
    #[error("no credentials")]
    MissingCredentials,
    #[error("more than one credential")]
    AmbiguousCredentials,
    /// A header is missing, repeated or malformed; the text names it and the fix.
    #[error("malformed credentials: {0}")]
    MalformedAuthorization(String),
    /// The date is too far from the server's clock.
    #[error("the request's date is out of the window")]
    ClockSkew {
        /// The server's time, for the client to compare.
        server_time: Timestamp,
    },
    /// Unknown key, wrong secret or tampered request: not distinguished.
    #[error("the signature does not verify")]
    InvalidSignature {
        /// The expected string to sign, from the request alone, for the client to compare.
        string_to_sign: String,
    },
    /// The bearer token is not valid, or its session has ended.
    #[error("the token is not valid")]
    InvalidToken,
    #[error("the token has expired")]
    TokenExpired,
    #[error("the body is not the one that was signed")]
    BodyHashMismatch,
    #[error("the nonce was used before")]
    ReplayedNonce,
    #[error("the access key is revoked")]
    KeyRevoked,
    #[error("the access key has expired")]
    KeyExpired,
    #[error("the access key may not be used from this address")]
    IpNotAllowed,
    /// The service account or its account is inactive.
    #[error("the service account is disabled")]
    ServiceAccountDisabled,
    /// A rate limit of the key or its organization is reached.
    #[error("too many requests")]
    TooManyRequests {
        /// The share.
        limit: u64,
        /// Time until a retry may succeed.
        retry_after: Duration,
    },
    /// This key has used up its quota of remembered nonces.
    #[error("the access key has used up its quota of remembered nonces")]
    NonceQuota {
        /// The quota, in nonces.
        limit: u64,
        /// Time until some expire.
        retry_after: Duration,
    },
    /// Its organization has used up a budget.
    #[error(transparent)]
    Exhausted(budgets::Exhausted),
    /// A dependency is unavailable or may have lost nonces.
    #[error("authentication is unavailable: {cause}")]
    Unavailable {
        /// For the log.
        cause: String,
        /// Time until a retry may succeed.
        retry_after: Duration,
    },
    /// An internal error, such as a stored secret that cannot be opened.
    #[error("authentication failed inside: {0}")]
    Internal(String),
}

impl Rejection {
    /// A dependency did not respond; a retry may succeed.
    pub(crate) fn unavailable(cause: impl Display) -> Self {
        Self::Unavailable {
            cause: cause.to_string(),
            retry_after: RETRY_AFTER,
        }
    }
}
