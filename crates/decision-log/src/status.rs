//! What operators see of the log.

use std::time::Duration;

#[derive(Debug, Clone, Default)]
pub struct WriterStatus {
    /// Why nothing is written now.
    pub last_error: Option<String>,
    /// Why what is written is not on the disk.
    pub sync_error: Option<String>,
    /// When a file was found to be gone, by the monotonic clock.
    pub missed: Option<Duration>,
    /// Decisions that were lost since the start.
    pub lost: u64,
}

#[derive(Debug, Clone)]
pub struct Status {
    /// Whether it is written.
    pub writer: WriterStatus,
    /// Whether requests fail because of it.
    pub refuses: bool,
    /// Whether a file of it was moved or removed under the running service lately.
    pub missed: bool,
}
