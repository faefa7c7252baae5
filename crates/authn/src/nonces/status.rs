//! How the replay guard is doing.

use charter_budgets::Near;
use charter_domain::timestamp::Timestamp;

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Status {
    /// Nonces remembered now.
    pub remembered: usize,
    /// The most that may be.
    pub total: usize,
    /// Bytes that their sets take.
    pub bytes: usize,
    /// Buckets held.
    pub buckets: usize,
    /// Set while requests dated now are refused because their nonces are or may be forgotten.
    pub closed_until: Option<Timestamp>,
    /// Whether that is because they were forgotten while the clock was ahead.
    pub clock_was_set_back: bool,
    /// What was forgotten while the clock was ahead of now, the next of it: from, until.
    pub forgotten_ahead: Option<(Timestamp, Timestamp)>,
    /// Organizations that have used most of their share.
    pub near: Vec<Near>,
    /// Why the database's lease is not held, if it is not.
    pub not_held: Option<String>,
    /// Set while files are missing that vanished while the service runs: until when requests are
    /// dated that are refused should it start again.
    pub lost_until: Option<Timestamp>,
    /// The last error of the disk, until something is written again.
    pub last_error: Option<String>,
}
