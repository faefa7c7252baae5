//! What has changed since a row was read, for those who remember rows.

use std::sync::atomic::{AtomicU64, Ordering};

/// Tells whether anything may have changed.
pub trait ChangeFeed: Send + Sync {
    /// A number that grows with every write, before the writer hears of it. Rows remembered under the present epoch
    /// are what the database has, as far as the feed knows. Read it *before* loading the row.
    fn epoch(&self) -> u64;

    /// To be called after a write has, or may have, reached the database.
    fn advance(&self);
}

/// Writes of this process alone; other processes' are noticed when what was remembered has aged out.
#[derive(Debug, Default)]
pub(crate) struct ProcessChanges(AtomicU64);

impl ChangeFeed for ProcessChanges {
    fn epoch(&self) -> u64 {
        self.0.load(Ordering::Acquire)
    }

    fn advance(&self) {
        self.0.fetch_add(1, Ordering::AcqRel);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn every_write_makes_another_epoch(feed: &dyn ChangeFeed) {
        let before = feed.epoch();
        assert_eq!(feed.epoch(), before, "reading changes nothing");
        std::thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(|| (0..1_000).for_each(|_| feed.advance()));
            }
        });
        assert!(feed.epoch() > before);
        let between = feed.epoch();
        feed.advance();
        assert!(feed.epoch() > between);
    }

    #[test]
    fn changes_of_this_process_are_told() {
        every_write_makes_another_epoch(&ProcessChanges::default());
    }
}
