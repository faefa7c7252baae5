//! Maps user-service errors to error responses.

use charter_authn::users::UserError;
use charter_store as store;

use super::retry_after::whole_seconds;
use super::{ApiError, Code, Detail};

/// `retry-after` in seconds when too many password hashes are queued.
const RETRY_AFTER_BUSY: u64 = 2;

impl From<UserError> for ApiError {
    fn from(refusal: UserError) -> Self {
        match refusal {
            UserError::InvalidLogin => Self::unauthorized(
                Code::InvalidLogin,
                "the e-mail address or the password is wrong",
            ),
            UserError::WrongPassword => Self::validation_failed(vec![Detail::new(
                "/currentPassword",
                "is not your password",
            )]),
            UserError::InvalidToken => Self::unauthorized(
                Code::InvalidToken,
                "the refresh token is not valid (any more), sign in again",
            ),
            UserError::InvalidLink => store::Error::InvalidLink.into(),
            UserError::RegistrationClosed => Self::forbidden(
                Code::Forbidden,
                "registration is closed here; ask to be invited, or ask the operator for an organization",
            ),
            UserError::TooMany(exceeded) => Self::rate_limited(
                "too many tries, wait for as long as `retry-after` says",
                exceeded.limit,
                0,
                whole_seconds(exceeded.retry_after),
            ),
            UserError::Exhausted(exhausted) => exhausted.into(),
            UserError::Busy => Self::unavailable(refusal, RETRY_AFTER_BUSY),
            UserError::Store(error) => error.into(),
            UserError::Internal(cause) => Self::internal(cause),
        }
    }
}
