//! Maps store errors to error responses.

use charter_authn::rejection::Rejection;
use charter_domain::causes::with_causes;
use charter_store as store;

use super::{ApiError, Code, Detail};

/// `retry-after` in seconds when the database does not answer.
const RETRY_AFTER_SECONDS: u64 = 1;

impl From<store::Error> for ApiError {
    #[expect(clippy::too_many_lines, reason = "an arm for each error")]
    fn from(error: store::Error) -> Self {
        use store::Error;
        match error {
            Error::NotFound => Self::not_found(),
            Error::Stale => Self::precondition_failed(),
            Error::OrganizationInactive => Self::organization_deactivated(),
            // The same error as authentication will give to the next request.
            Error::CallerRevoked => Rejection::KeyRevoked.into(),
            Error::NonceSpent => Rejection::ReplayedNonce.into(),
            Error::CallerExpired => Rejection::KeyExpired.into(),
            Error::CallerDisabled => Rejection::ServiceAccountDisabled.into(),
            Error::SessionEnded => {
                Self::unauthorized(Code::InvalidToken, "the session has ended, sign in again")
            }
            Error::GrantsChanged => Self::forbidden(
                Code::NotPermitted,
                "your roles or permissions changed while this request was under way, send it again",
            ),
            Error::AlreadyMember => {
                Self::conflict(Code::AlreadyMember, "the address is a member's already")
            }
            Error::LastOwner => Self::invalid(
                Code::LastOwner,
                "the organization needs an owner, make somebody else one first",
            ),
            Error::OwnerNotRemovable => Self::invalid(
                Code::TargetIsOwner,
                "an owner cannot be removed, give them another role first",
            ),
            Error::InvalidLink => Self::invalid(
                Code::InvalidLink,
                "the link is not valid (any more), ask for a new one",
            ),
            Error::SlugTaken => Self::conflict(
                Code::SlugTaken,
                "the slug is taken, or reserved for 30 days since another organization gave it up",
            ),
            Error::KeyNotActive => Self::conflict(
                Code::KeyNotActive,
                "the key is revoked or expired, create a new one instead",
            ),
            Error::TooManyKeys => Self::validation_failed(vec![Detail::new(
                "",
                format!(
                    "a service account may have {} active keys, revoke or rotate one",
                    charter_domain::access_key::MAX_ACTIVE_KEYS
                ),
            )]),
            Error::DefaultAccount => Self::validation_failed(vec![Detail::new(
                "/is_active",
                "the default account cannot go inactive",
            )]),
            Error::Exhausted(exhausted) => exhausted.into(),
            Error::Unavailable(_) => Self::unavailable(with_causes(&error), RETRY_AFTER_SECONDS),
            Error::EmailTaken => Self::invalid(
                Code::EmailTaken,
                "the e-mail address is taken; sign in, or reset the password",
            ),
            Error::SignInVoid
            | Error::Ambiguous(_)
            | Error::Setup(_)
            | Error::Unusable(_)
            | Error::SchemaTooNew(_)
            | Error::InUse
            | Error::Corrupt(_)
            | Error::Unexpected(_) => Self::internal(with_causes(&error)),
        }
    }
}
