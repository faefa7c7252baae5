//! Table `users`.

use sea_orm::entity::prelude::*;
use serde_json::json;

use charter_domain::id::{OrganizationId, UserId};
use charter_domain::user::User;

#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "users")]
pub(crate) struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub(crate) id: Uuid,
    pub(crate) organization_id: Uuid,
    pub(crate) email: String,
    pub(crate) password_hash: String,
    pub(crate) role: String,
    pub(crate) is_active: bool,
    pub(crate) email_verified_at: Option<ChronoDateTimeUtc>,
    pub(crate) last_login_at: Option<ChronoDateTimeUtc>,
    pub(crate) version: i64,
    pub(crate) created_at: ChronoDateTimeUtc,
    pub(crate) updated_at: ChronoDateTimeUtc,
}

without_relations!();

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

audited!(User of organization_id, |user| json!({
    "email": user.email,
    "role": user.role,
    "is_active": user.is_active,
    "email_verified": user.email_verified,
}));
