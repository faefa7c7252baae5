//! How much of a resource one organization may use.

use std::time::Duration;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Share {
    /// `amount` in each `per`: all of it at once after a pause, and evenly refilled.
    PerTime {
        /// In the resource's unit.
        amount: u64,
        /// The time in which an empty share is full again.
        per: Duration,
    },
    /// That many at the same time.
    AtOnce(u64),
}

impl Share {
    pub(super) const fn amount(self) -> u64 {
        match self {
            Self::PerTime { amount, .. } | Self::AtOnce(amount) => amount,
        }
    }
}
