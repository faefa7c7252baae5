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

    /// The time until `amount` is refilled, rounded up.
    pub(super) fn time_to_refill(self, amount: u64) -> Duration {
        match self {
            Self::PerTime { amount: all, per } => {
                let nanos = u128::from(amount)
                    .saturating_mul(per.as_nanos())
                    .div_ceil(u128::from(all.max(1)));
                Duration::from_nanos(u64::try_from(nanos).unwrap_or(u64::MAX))
            }
            // It is unknown when a unit is returned.
            Self::AtOnce(_) => Duration::from_secs(1),
        }
    }
}
