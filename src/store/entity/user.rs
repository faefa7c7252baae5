//! Table `users`.

use sea_orm::entity::prelude::*;

use crate::domain::id::{OrganizationId, UserId};
use crate::domain::user::User;

#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "users")]
pub(in crate::store) struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub(in crate::store) id: Uuid,
    pub(in crate::store) organization_id: Uuid,
    pub(in crate::store) email: String,
    pub(in crate::store) password_hash: String,
    pub(in crate::store) role: String,
    pub(in crate::store) is_active: bool,
    pub(in crate::store) email_verified_at: Option<ChronoDateTimeUtc>,
    pub(in crate::store) last_login_at: Option<ChronoDateTimeUtc>,
    pub(in crate::store) version: i64,
    pub(in crate::store) created_at: ChronoDateTimeUtc,
    pub(in crate::store) updated_at: ChronoDateTimeUtc,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub(in crate::store) enum Relation {}

impl ActiveModelBehavior for ActiveModel {}

impl From<Model> for User {
    fn from(row: Model) -> Self {
        Self {
            id: UserId::from_uuid(row.id),
            organization_id: OrganizationId::from_uuid(row.organization_id),
            email: row.email,
            role: row.role,
            is_active: row.is_active,
            email_verified: row.email_verified_at.is_some(),
            created_at: row.created_at,
            last_login_at: row.last_login_at,
        }
    }
}
