//! How many invitations an organization sends in a day (contract section 5). The rows are counted
//! under the organization's lock, so that a burst, a restart and several processes change nothing.

use std::time::Duration;

use sea_orm::ActiveValue::Set;
use sea_orm::{ColumnTrait, EntityTrait, QueryFilter, QueryOrder, QuerySelect};

use super::Error;
use super::entity::{sent_invitation, stored_time};
use super::write::Write;
use crate::domain::id::InvitationId;
use crate::domain::organization::Organization;
use crate::domain::timestamp::Timestamp;
use sent_invitation::Column;

const DAY: Duration = Duration::from_hours(24);
/// An organization younger than a day may have been made to send mail.
const WHILE_YOUNG: u64 = 20;
const LATER: u64 = 300;

/// Counts an invitation that is about to be sent; what left the window is forgotten.
///
/// # Errors
///
/// [`Error::TooManyInvitations`], and those of the database.
pub(super) async fn count(
    write: &Write<'_>,
    organization: &Organization,
    invitation: InvitationId,
) -> Result<(), Error> {
    let now = write.at();
    let grown_up = organization.created_at + DAY;
    let limit = if now < grown_up { WHILE_YOUNG } else { LATER };
    let of_organization = Column::OrganizationId.eq(organization.id.uuid());
    sent_invitation::Entity::delete_many()
        .filter(of_organization.clone())
        .filter(Column::SentAt.lte(stored_time(now - DAY)))
        .exec(&write.transaction)
        .await?;
    // The oldest of the last so many: there is room again when it has left the window.
    let oldest: Option<Timestamp> = sent_invitation::Entity::find()
        .select_only()
        .column(Column::SentAt)
        .filter(of_organization)
        .order_by_desc(Column::SentAt)
        .offset(limit - 1)
        .limit(1)
        .into_tuple()
        .one(&write.transaction)
        .await?;
    if let Some(oldest) = oldest {
        let room_at = if now < grown_up {
            grown_up.min(oldest + DAY)
        } else {
            oldest + DAY
        };
        let retry_after = (room_at - now).to_std().unwrap_or_default();
        return Err(Error::TooManyInvitations { limit, retry_after });
    }
    let row = sent_invitation::ActiveModel {
        id: Set(invitation.uuid()),
        organization_id: Set(organization.id.uuid()),
        sent_at: Set(now),
    };
    sent_invitation::Entity::insert(row)
        .exec_without_returning(&write.transaction)
        .await?;
    Ok(())
}
