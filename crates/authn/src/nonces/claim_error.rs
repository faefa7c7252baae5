//! Why a nonce was not claimed.

use std::io;
use std::time::Duration;

use charter_budgets::Exhausted;

#[derive(Debug, thiserror::Error)]
pub enum ClaimError {
    /// This key has used this nonce before.
    #[error("the nonce has been used before")]
    Replayed,
    /// Nonces of this date were dropped when the clock called it over; then it was set back.
    #[error("nonces of this date are forgotten")]
    Forgotten,
    /// The date is not, or no longer, within the window of the server's clock.
    #[error("the date lies outside the window")]
    OutsideWindow,
    /// This key's own quota is used up.
    #[error("the access key has used up its quota of remembered nonces")]
    KeyQuota {
        /// The quota, in nonces.
        limit: u64,
        /// When some of it is forgotten.
        retry_after: Duration,
    },
    /// The organization's share is used up.
    #[error(transparent)]
    Budget(Exhausted),
    /// The total is used up.
    #[error("the replay guard is full")]
    Full {
        /// When some of it is forgotten.
        retry_after: Duration,
    },
    /// Nonces of this date may have been lost with the machine.
    #[error("nonces of this date may have been forgotten")]
    Closed {
        /// When a request signed anew is accepted.
        retry_after: Duration,
    },
    /// This process does not hold the database's lease; another one may accept the same nonce.
    #[error("this process does not hold the lease of the database: {0}")]
    NotHeld(String),
    /// The half minute may not be opened before the lease is extended.
    #[error("the lease of the database does not reach that far")]
    NotGranted,
    /// The journal cannot be written, or Redis be relied on, so the nonce could be forgotten.
    #[error("the nonce cannot be remembered: {0}")]
    Unavailable(#[source] io::Error),
}
