//! Configuration of the log.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use super::chain::LogKey;
use super::mask::Mask;
use charter_budgets::Budgets;
use charter_domain::clock::Clock;
use charter_domain::confirmed_clock::ConfirmedClock;

#[derive(Debug)]
pub struct DecisionLogConfig {
    pub dir: PathBuf,
    /// File of the head, outside of `dir`.
    pub head: PathBuf,
    /// The audit keys: the first authenticates new lines, all authenticate old ones.
    pub keys: Vec<LogKey>,
    /// What happens when the queue is full.
    pub overflow: Overflow,
    /// Capacity of the queue.
    pub queue: usize,
    pub mask: Mask,
    pub limits: RotationLimits,
    /// Allowed decisions of one kind that are written per second; 0 writes all.
    pub allowed_per_second: u64,
    /// Latest time at which written lines are synced.
    pub sync_within: Duration,
    /// The organizations' budgets.
    pub budgets: Arc<Budgets>,
}

#[derive(Clone)]
pub struct Clocks {
    /// For timestamps.
    pub now: Arc<dyn Clock>,
    /// For deleting files.
    pub confirmed: Arc<ConfirmedClock>,
}

/// When files are rotated, and how long they are kept.
#[derive(Debug, Clone, Copy)]
pub struct RotationLimits {
    /// Size at which a file is rotated.
    pub rotate_bytes: u64,
    /// Age at which a file is rotated.
    pub rotate_after: Duration,
    /// Includes the newest file.
    pub keep_files: u64,
    /// How long lines are kept.
    pub keep_for: Duration,
}

/// What happens when decisions come faster than they can be written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Overflow {
    /// Requests wait briefly and then fail, so nothing is done without a record.
    Wait,
    /// Decisions are dropped and counted, in a metric and in the log.
    Count,
}
