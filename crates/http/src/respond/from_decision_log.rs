//! Maps a full decision log to an error response.

use charter_decision_log::NotRecorded;

use super::ApiError;

impl From<NotRecorded> for ApiError {
    fn from(error: NotRecorded) -> Self {
        Self::unavailable(error, 1)
    }
}
