//! Maps exhausted budgets to error responses.

use charter_budgets::Exhausted;

use super::ApiError;
use super::retry_after::whole_seconds;

impl From<Exhausted> for ApiError {
    fn from(exhausted: Exhausted) -> Self {
        let seconds = whole_seconds(exhausted.retry_after);
        let message = format!("{exhausted}; try again in {seconds} s");
        Self::rate_limited(message, exhausted.limit, 0, seconds)
    }
}
