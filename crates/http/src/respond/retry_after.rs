//! The header `retry-after`.

use std::time::Duration;

use salvo::http::header::{HeaderValue, RETRY_AFTER};

use super::error::ApiError;

impl ApiError {
    /// Tells the client after how many seconds to retry.
    pub(super) fn with_retry_after(self, seconds: u64) -> Self {
        self.with_header(RETRY_AFTER, HeaderValue::from(seconds.max(1)))
    }
}

/// At least one second, so that clients do not retry at once.
pub(super) fn whole_seconds(duration: Duration) -> u64 {
    let rounded_up = duration.as_secs() + u64::from(duration.subsec_nanos() > 0);
    rounded_up.max(1)
}
