//! How the log is kept.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use super::chain::LogKey;
use super::mask::Mask;
use charter_budgets::Budgets;
use charter_domain::clock::Clock;
use charter_domain::confirmed_clock::ConfirmedClock;

#[derive(Debug)]
pub struct Config {
    /// Where its files are.
    pub dir: PathBuf,
    /// Where its head is kept, outside of `dir`.
    pub head: PathBuf,
    /// The audit keys: the first authenticates new lines, all authenticate old ones.
    pub keys: Vec<LogKey>,
    /// What happens when the queue is full.
    pub overflow: Overflow,
    /// Decisions that wait to be written, at most.
    pub queue: usize,
    pub mask: Mask,
    pub limits: Limits,
    /// How many allowed decisions of one kind are written in a second; 0 for all.
    pub allowed_per_second: u64,
    /// How soon what is written is on the disk.
    pub sync_within: Duration,
    /// What each organization may write.
    pub budgets: Arc<Budgets>,
}

/// By which clocks the log is written, and old files go.
#[derive(Clone)]
pub struct Clocks {
    /// What lines say.
    pub now: Arc<dyn Clock>,
    /// What files are deleted by.
    pub confirmed: Arc<ConfirmedClock>,
}

/// When another file is begun, and how long files are kept.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    /// Bytes in a file, beyond which another is begun.
    pub rotate_bytes: u64,
    /// Age of a file at which another is begun.
    pub rotate_after: Duration,
    /// Files that are kept, the newest among them.
    pub keep_files: u64,
    /// How long what a file holds is kept.
    pub keep_for: Duration,
}

/// What happens when decisions come faster than they can be written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Overflow {
    /// Requests wait a moment and then fail: nothing is done that is not logged.
    Wait,
    /// Decisions are dropped and counted, in a metric and in the log.
    Count,
}
