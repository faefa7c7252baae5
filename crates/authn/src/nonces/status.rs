//! The status of a replay guard, for readiness.

use charter_budgets::Near;
use charter_domain::timestamp::Timestamp;

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Status {
    /// Nonces stored now.
    pub remembered: usize,
    /// How many may be.
    pub total: usize,
    /// Bytes of the table.
    pub bytes: usize,
    /// Open buckets.
    pub buckets: usize,
    /// Set while requests dated now are refused because their nonces are or may be lost.
    pub closed_until: Option<Timestamp>,
    /// Whether that is because they were dropped while the clock was ahead.
    pub clock_was_set_back: bool,
    /// The next period whose nonces were dropped while the clock was ahead: from, until.
    pub forgotten_ahead: Option<(Timestamp, Timestamp)>,
    /// Organizations that have used most of their share.
    pub near: Vec<Near>,
    /// Why the database's lease is not held, if it is not.
    pub not_held: Option<String>,
    /// Set if files vanished while the service runs: after a restart, requests dated before this are refused.
    pub lost_until: Option<Timestamp>,
    /// The latest error of the disk, until a write succeeds.
    pub last_error: Option<String>,
}
