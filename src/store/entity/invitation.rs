//! Table `invitations`.

use sea_orm::entity::prelude::*;

use crate::domain::email::EmailAddress;
use crate::domain::id::{InvitationId, OrganizationId, UserId};
use crate::domain::invitation::Invitation;

#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "invitations")]
pub(in crate::store) struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub(in crate::store) id: Uuid,
    pub(in crate::store) organization_id: Uuid,
    pub(in crate::store) email: String,
    pub(in crate::store) role: String,
    /// `None` for an operator.
    pub(in crate::store) invited_by: Option<Uuid>,
    pub(in crate::store) hash: Vec<u8>,
    pub(in crate::store) expires_at: ChronoDateTimeUtc,
    pub(in crate::store) accepted_at: Option<ChronoDateTimeUtc>,
    pub(in crate::store) revoked_at: Option<ChronoDateTimeUtc>,
    pub(in crate::store) created_at: ChronoDateTimeUtc,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub(in crate::store) enum Relation {}

impl ActiveModelBehavior for ActiveModel {}

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
