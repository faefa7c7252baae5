//! Maps rejected credentials to error answers.

use charter_authn::rejection::Rejection;
use charter_domain::timestamp;

use super::retry_after::whole_seconds;
use super::{ApiError, Code};

impl From<Rejection> for ApiError {
    #[expect(clippy::too_many_lines, reason = "an arm for each rejection")]
    fn from(rejection: Rejection) -> Self {
        let unauthorized = |code, message: &'static str| Self::unauthorized(code, message);
        match rejection {
            Rejection::MissingCredentials => {
                unauthorized(Code::MissingCredentials, "send an `authorization` header")
            }
            Rejection::AmbiguousCredentials => Self::invalid(
                Code::AmbiguousCredentials,
                "send one `authorization` header with one scheme",
            ),
            Rejection::MalformedAuthorization(why) => {
                Self::unauthorized(Code::MalformedAuthorization, why)
            }
            Rejection::ClockSkew { server_time } => Self::unauthorized(
                Code::ClockSkew,
                format!(
                    "`x-date` is too far from the server's time, {}; set the clock right",
                    timestamp::format(server_time)
                ),
            ),
            Rejection::InvalidSignature { string_to_sign } => unauthorized(
                Code::InvalidSignature,
                "the signature does not fit this request and access key; compare `string_to_sign` \
                 with what was signed",
            )
            .with_string_to_sign(string_to_sign),
            Rejection::InvalidToken => unauthorized(
                Code::InvalidToken,
                "the access token is not valid, sign in again",
            ),
            Rejection::TokenExpired => unauthorized(
                Code::TokenExpired,
                "the access token has expired, refresh it",
            ),
            Rejection::BodyHashMismatch => unauthorized(
                Code::BodyHashMismatch,
                "`x-content-sha256` is not the hash of the body that arrived",
            ),
            Rejection::ReplayedNonce => unauthorized(
                Code::ReplayedNonce,
                "`x-nonce` was used before, sign anew with another",
            ),
            Rejection::KeyRevoked => unauthorized(Code::KeyRevoked, "the access key is revoked"),
            Rejection::KeyExpired => unauthorized(Code::KeyExpired, "the access key has expired"),
            Rejection::IpNotAllowed => unauthorized(
                Code::IpNotAllowed,
                "the access key may not be used from this address",
            ),
            Rejection::ServiceAccountDisabled => unauthorized(
                Code::ServiceAccountDisabled,
                "the service account or its account is inactive",
            ),
            Rejection::TooManyRequests { limit, retry_after } => Self::rate_limited(
                "too many requests with this credential or for this organization, slow down",
                limit,
                0,
                whole_seconds(retry_after),
            ),
            Rejection::NonceQuota { limit, retry_after } => {
                let seconds = whole_seconds(retry_after);
                let message = format!(
                    "the server remembers {limit} nonces of this access key, and all are in use; try again in \
                     {seconds} s, or spread the requests over several keys"
                );
                Self::rate_limited(message, limit, 0, seconds)
            }
            Rejection::Exhausted(exhausted) => exhausted.into(),
            Rejection::Unavailable { cause, retry_after } => {
                Self::unavailable(cause, whole_seconds(retry_after))
            }
            Rejection::Internal(cause) => Self::internal(cause),
        }
    }
}
