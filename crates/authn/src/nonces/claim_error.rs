//! Why a nonce was not claimed.

use std::io;
use std::time::Duration;

use charter_budgets::Exhausted;
use charter_domain::timestamp::Timestamp;

use super::half_minute::{GRACE, HalfMinute, until};
use super::half_minutes::HalfMinutes;

/// The shortest time after which a client is told to retry.
pub(super) const MIN_RETRY: Duration = Duration::from_secs(1);

#[derive(Debug, thiserror::Error)]
pub enum ClaimError {
    /// This key has used this nonce before.
    #[error("the nonce has been used before")]
    Replayed,
    /// Nonces of this date were dropped; then the clock was set back.
    #[error("nonces of this date were dropped")]
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

impl ClaimError {
    /// Checks that a date is within the window at `now`; returns its distance.
    pub(super) fn check_window(
        date: Timestamp,
        now: Timestamp,
        window: Duration,
    ) -> Result<Duration, Self> {
        let distance = date.signed_duration_since(now).abs().to_std();
        let distance = distance.unwrap_or(Duration::MAX);
        if distance > window.saturating_add(GRACE) {
            return Err(Self::OutsideWindow);
        }
        Ok(distance)
    }

    /// Refuses a half minute that is closed.
    pub(super) fn check_open(
        closed: &HalfMinutes,
        id: HalfMinute,
        now: Timestamp,
    ) -> Result<(), Self> {
        if !closed.contains(id) {
            return Ok(());
        }
        let open = closed.next_outside(HalfMinute::of(now)).start();
        Err(Self::Closed {
            retry_after: until(open, now).max(MIN_RETRY),
        })
    }
}
