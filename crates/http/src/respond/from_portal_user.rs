//! Maps user-service errors to answers.

use charter_authn::users::Refusal;
use charter_store as store;

use super::retry_after::whole_seconds;
use super::{ApiError, Code, Detail};

/// What a client is told to wait when too many passwords are to be hashed, in seconds.
const RETRY_AFTER_BUSY: u64 = 2;

impl From<Refusal> for ApiError {
    fn from(refusal: Refusal) -> Self {
        match refusal {
            Refusal::InvalidLogin => Self::unauthorized(
                Code::InvalidLogin,
                "the e-mail address or the password is wrong",
            ),
            Refusal::WrongPassword => Self::validation_failed(vec![Detail::new(
                "/currentPassword",
                "is not your password",
            )]),
            Refusal::InvalidToken => Self::unauthorized(
                Code::InvalidToken,
                "the refresh token is not valid (any more), sign in again",
            ),
            Refusal::InvalidLink => store::Error::InvalidLink.into(),
            Refusal::RegistrationClosed => Self::forbidden(
                Code::Forbidden,
                "registration is closed here; ask to be invited, or ask the operator for an organization",
            ),
            Refusal::TooMany(exceeded) => Self::rate_limited(
                "too many tries, wait for as long as `retry-after` says",
                exceeded.limit,
                0,
                whole_seconds(exceeded.retry_after),
            ),
            Refusal::Exhausted(exhausted) => exhausted.into(),
            Refusal::Busy => Self::unavailable(refusal, RETRY_AFTER_BUSY),
            Refusal::Store(error) => error.into(),
            Refusal::Internal(cause) => Self::internal(cause),
        }
    }
}
