//! What a signed-in person does about itself: no permission is asked for, since nobody else is
//! concerned (contract section 5).

use crate::domain::caller::UserCaller;
use crate::http::error::ApiError;

/// Refuses what changes something while the person's organization is deactivated.
pub(super) fn require_active(person: &UserCaller) -> Result<(), ApiError> {
    if person.organization.is_active {
        Ok(())
    } else {
        Err(ApiError::organization_deactivated())
    }
}
