//! Creates users and updates their rows.

use sea_orm::ActiveValue::Set;
use sea_orm::sea_query::{Expr, ExprTrait as _};
use sea_orm::{ColumnTrait, EntityTrait, QueryFilter, UpdateMany};

use super::audit::Action;
use super::entity::{stored_time, user};
use super::write::{Write, one_row};
use super::{Error, TenantWriter};
use charter_domain::email::EmailAddress;
use charter_domain::id::{OrganizationId, UserId};
use charter_domain::timestamp::Timestamp;
use charter_domain::user::User;

/// A user to create.
#[derive(Clone)]
pub struct NewUser {
    /// Chosen by the caller, because a registration names it as the actor.
    pub id: UserId,
    /// Unique over the installation.
    pub email: EmailAddress,
    /// An argon2id hash in PHC form.
    pub password_hash: String,
    pub role: String,
    pub email_verified_at: Option<Timestamp>,
}

impl std::fmt::Debug for NewUser {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("NewUser")
            .field("email", &self.email)
            .field("role", &self.role)
            .finish_non_exhaustive()
    }
}

impl TenantWriter<'_> {
    /// Creates a user, as an operator.
    ///
    /// # Errors
    ///
    /// [`Error::EmailTaken`], [`Error::OrganizationInactive`].
    pub async fn create_user(&self, new: NewUser) -> Result<User, Error> {
        let (mut write, organization) = self.begin().await?;
        let action = Action::Operator("CreateUser");
        let user = insert(&mut write, organization.id, new, action).await?;
        write.commit().await?;
        Ok(user)
    }
}

/// Inserts a user and its audit event.
pub(super) async fn insert(
    write: &mut Write<'_>,
    organization_id: OrganizationId,
    new: NewUser,
    action: Action,
) -> Result<User, Error> {
    let at = write.at();
    let user = User {
        id: new.id,
        organization_id,
        email: new.email.to_string(),
        role: new.role,
        is_active: true,
        email_verified: new.email_verified_at.is_some(),
        created_at: at,
        last_login_at: None,
    };
    let row = user::ActiveModel {
        id: Set(user.id.uuid()),
        organization_id: Set(organization_id.uuid()),
        email: Set(user.email.clone()),
        password_hash: Set(new.password_hash),
        role: Set(user.role.clone()),
        is_active: Set(true),
        email_verified_at: Set(new.email_verified_at.map(stored_time)),
        last_login_at: Set(None),
        version: Set(1),
        created_at: Set(at),
        updated_at: Set(at),
    };
    user::Entity::insert(row)
        .exec_without_returning(&write.transaction)
        .await?;
    write.record_creation(action, &user).await?;
    Ok(user)
}

/// Updates a locked user's row under its next version.
pub(super) async fn update(
    write: &Write<'_>,
    user: UserId,
    change: UpdateMany<user::Entity>,
) -> Result<(), Error> {
    let version = Expr::col(user::Column::Version).add(1);
    let updated = change
        .col_expr(user::Column::UpdatedAt, Expr::value(write.at()))
        .col_expr(user::Column::Version, version)
        .filter(user::Column::Id.eq(user.uuid()))
        .exec(&write.transaction)
        .await?;
    one_row(updated.rows_affected)
}
