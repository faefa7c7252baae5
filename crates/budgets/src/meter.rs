//! A token bucket that counts the used amount.
//!
//! governor is not suitable: its cells are `u32`, it cannot be overdrawn, and its state cannot be read without
//! using a cell.

use std::time::Duration;

use super::share::Share;

#[derive(Debug, Clone, Default)]
pub(super) struct Meter {
    used: u64,
    /// When `used` was last updated, on the monotonic clock.
    at: Duration,
}

impl Meter {
    pub(super) fn used(&self, share: Share, now: Duration) -> u64 {
        let mut then = self.clone();
        then.refill(share, now);
        then.used
    }

    /// Uses `amount`, or fails with the time until it may be used.
    pub(super) fn charge(
        &mut self,
        share: Share,
        amount: u64,
        now: Duration,
    ) -> Result<(), Duration> {
        self.refill(share, now);
        // A larger amount than the share would never pass, so it passes if nothing is used.
        let wanted = self.used.saturating_add(amount.min(share.amount()));
        let over = wanted.saturating_sub(share.amount());
        if over > 0 {
            let since = match share {
                Share::PerTime { .. } => now.saturating_sub(self.at),
                Share::AtOnce(_) => Duration::ZERO,
            };
            return Err(share.time_to_refill(over).saturating_sub(since));
        }
        self.used = self.used.saturating_add(amount);
        Ok(())
    }

    /// Uses `amount`, even if it overdraws the share.
    pub(super) fn spend(&mut self, share: Share, amount: u64, now: Duration) {
        self.refill(share, now);
        self.used = self.used.saturating_add(amount);
    }

    pub(super) fn give_back(&mut self, amount: u64) {
        self.used = self.used.saturating_sub(amount);
    }

    /// Subtracts whole refilled units. The remaining time is kept.
    fn refill(&mut self, share: Share, now: Duration) {
        let Share::PerTime { amount, per } = share else {
            return;
        };
        let elapsed = now.saturating_sub(self.at).as_nanos();
        let refilled = elapsed.saturating_mul(amount.into()) / per.as_nanos().max(1);
        let refilled = u64::try_from(refilled).unwrap_or(u64::MAX);
        if refilled >= self.used {
            (self.used, self.at) = (0, now);
        } else {
            self.used = self.used.saturating_sub(refilled);
            // Advance only by the time of these units, so that many small steps lose nothing.
            let nanos =
                u128::from(refilled).saturating_mul(per.as_nanos()) / u128::from(amount.max(1));
            let taken = Duration::from_nanos(u64::try_from(nanos).unwrap_or(u64::MAX));
            self.at = self.at.saturating_add(taken);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn many_small_steps_refill_as_much_as_a_large_one() {
        let share = Share::PerTime {
            amount: 7,
            per: Duration::from_secs(10),
        };
        let mut meter = Meter::default();
        meter.spend(share, 70, Duration::ZERO);
        for step in 1..=1_000 {
            let now = Duration::from_millis(50 * step);
            meter.spend(share, 0, now);
        }
        assert_eq!(meter.used(share, Duration::from_secs(50)), 35);
    }
}
