//! Why a request was not authenticated.

use std::fmt::Display;
use std::time::Duration;

use charter_budgets as budgets;
use charter_domain::timestamp::Timestamp;

use crate::limits::rate_limit::Exceeded;

/// When it is worth asking again what did not answer.
const RETRY_AFTER: Duration = Duration::from_secs(1);

impl From<Exceeded> for Rejection {
    fn from(exceeded: Exceeded) -> Self {
        Self::TooManyRequests {
            limit: exceeded.limit.into(),
            retry_after: exceeded.retry_after,
        }
    }
}

/// Why a request was not authenticated (contract section 2, UNAUTHORIZED and its neighbours).
#[derive(Debug, thiserror::Error)]
pub enum Rejection {
    /// No `authorization` header.
    #[error("no credentials")]
    MissingCredentials,
    /// Two credentials, so that it is not clear who asks.
    #[error("more than one credential")]
    AmbiguousCredentials,
    /// A header is missing, doubled or malformed; the text says which and how to mend it.
    #[error("malformed credentials: {0}")]
    MalformedAuthorization(String),
    /// The date is too far from the server's clock.
    #[error("the request's date is out of the window")]
    ClockSkew {
        /// The server's time, for the client to compare.
        server_time: Timestamp,
    },
    /// Unknown key, wrong secret or tampered request: not told apart.
    #[error("the signature does not verify")]
    InvalidSignature {
        /// What the signature must cover, from the request alone, for the client to compare.
        string_to_sign: String,
    },
    /// The bearer token is not one of ours, or what it points to is gone.
    #[error("the token is not valid")]
    InvalidToken,
    /// The bearer token was valid until a moment ago.
    #[error("the token has expired")]
    TokenExpired,
    /// The body is not the one that was signed.
    #[error("the body is not the one that was signed")]
    BodyHashMismatch,
    /// The nonce was used before.
    #[error("the nonce was used before")]
    ReplayedNonce,
    /// The key was revoked.
    #[error("the access key is revoked")]
    KeyRevoked,
    /// The key's time is over.
    #[error("the access key has expired")]
    KeyExpired,
    /// The key may not be used from this address.
    #[error("the access key may not be used from this address")]
    IpNotAllowed,
    /// The service account or its account is inactive.
    #[error("the service account is disabled")]
    ServiceAccountDisabled,
    /// This key or its organization has used up its share of requests.
    #[error("too many requests")]
    TooManyRequests {
        /// The share.
        limit: u64,
        /// When it is worth asking again.
        retry_after: Duration,
    },
    /// This key has used up its quota of remembered nonces.
    #[error("the access key has used up its quota of remembered nonces")]
    NonceQuota {
        /// The quota, in nonces.
        limit: u64,
        /// When some of it is forgotten.
        retry_after: Duration,
    },
    /// Its organization has used up a budget.
    #[error(transparent)]
    Exhausted(budgets::Exhausted),
    /// Something that is needed to decide is down or may have forgotten.
    #[error("authentication is unavailable: {cause}")]
    Unavailable {
        /// For the log.
        cause: String,
        /// When it is worth asking again.
        retry_after: Duration,
    },
    /// The inside is broken: a stored secret that does not open.
    #[error("authentication failed inside: {0}")]
    Internal(String),
}

impl Rejection {
    /// Something that is needed to decide did not answer; it may the next time.
    pub(crate) fn unavailable(cause: impl Display) -> Self {
        Self::Unavailable {
            cause: cause.to_string(),
            retry_after: RETRY_AFTER,
        }
    }
}
