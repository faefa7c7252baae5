//! How much of a resource one organization may use.

use std::time::Duration;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Share {
    /// `amount` in each `per`, refilled evenly. The whole amount can be used at once.
    PerTime {
        /// In the resource's unit.
        amount: u64,
        /// The time to refill an empty share.
        per: Duration,
    },
    /// At the same time.
    AtOnce(u64),
}

impl Share {
    pub(super) const fn amount(self) -> u64 {
        match self {
            Self::PerTime { amount, .. } | Self::AtOnce(amount) => amount,
        }
    }
}
