//! Table `invitations`.

use sea_orm::entity::prelude::*;

use charter_domain::email::EmailAddress;
use charter_domain::id::{InvitationId, OrganizationId, UserId};
use charter_domain::invitation::Invitation;

#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "invitations")]
pub(crate) struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub(crate) id: Uuid,
    pub(crate) organization_id: Uuid,
    pub(crate) email: String,
    pub(crate) role: String,
    /// `None` for an operator.
    pub(crate) invited_by: Option<Uuid>,
    pub(crate) hash: Vec<u8>,
    pub(crate) expires_at: ChronoDateTimeUtc,
    pub(crate) accepted_at: Option<ChronoDateTimeUtc>,
    pub(crate) revoked_at: Option<ChronoDateTimeUtc>,
    pub(crate) created_at: ChronoDateTimeUtc,
}

without_relations!();

impl From<Model> for Invitation {
    fn from(row: Model) -> Self {
        Self {
            id: InvitationId::from_uuid(row.id),
            organization_id: OrganizationId::from_uuid(row.organization_id),
            email: EmailAddress::from_stored(row.email),
            role: row.role,
            invited_by: row.invited_by.map(UserId::from_uuid),
            created_at: row.created_at,
            expires_at: row.expires_at,
        }
    }
}
