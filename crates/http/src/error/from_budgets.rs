//! Used-up budgets as answers.

use crate::authenticate::whole_seconds;
use crate::searches::NoPermit;
use charter_budgets::Exhausted;

use super::ApiError;

impl From<Exhausted> for ApiError {
    fn from(exhausted: Exhausted) -> Self {
        let seconds = whole_seconds(exhausted.retry_after);
        let message = format!("{exhausted}; try again in {seconds} s");
        Self::rate_limited(message, exhausted.limit, 0, seconds)
    }
}

impl From<NoPermit> for ApiError {
    fn from(refusal: NoPermit) -> Self {
        match refusal {
            NoPermit::Exhausted(exhausted) => exhausted.into(),
            NoPermit::QueueFull => Self::unavailable(refusal, 1),
        }
    }
}
