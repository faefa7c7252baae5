//! The log's state, for operators.

use std::time::Duration;

#[derive(Debug, Clone, Default)]
pub struct WriterStatus {
    /// Why nothing can be written.
    pub last_error: Option<String>,
    /// Why written lines are not synced.
    pub sync_error: Option<String>,
    /// When a file was found missing, by the monotonic clock.
    pub missed: Option<Duration>,
    /// Number of decisions lost since the start.
    pub lost: u64,
}

#[derive(Debug, Clone)]
pub struct Status {
    pub writer: WriterStatus,
    /// Whether requests fail because of it.
    pub refuses: bool,
    /// Whether a file was moved, removed or cut recently.
    pub missed: bool,
}
