//! People of one tenant.

use sea_orm::ActiveValue::Set;
use sea_orm::EntityTrait;
use serde_json::json;

use super::audit::{Action, Changes, Entry};
use super::entity::{stored_time, user};
use super::{Error, Tenant, is_duplicate};
use crate::domain::audit::Provenance;
use crate::domain::id::UserId;
use crate::domain::timestamp::Timestamp;
use crate::domain::user::User;

/// A user to be made.
#[derive(Clone)]
pub struct NewUser {
    /// The address in its stored normal form; unique over the whole installation.
    pub email: String,
    /// An argon2id hash in PHC form.
    pub password_hash: String,
    /// `owner`, `admin` or `member`.
    pub role: String,
    /// When the address was verified.
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

impl Tenant<'_> {
    /// Makes a user.
    ///
    /// # Errors
    ///
    /// [`Error::EmailTaken`], [`Error::OrganizationInactive`], and those of the database.
    pub async fn create_user(&self, new: NewUser, by: &Provenance) -> Result<User, Error> {
        let (mut write, organization) = self.begin(by).await?;
        let at = write.at();
        let id = UserId::generate(at, &*self.store.entropy);
        let user = User {
            id,
            organization_id: organization.id,
            email: new.email,
            role: new.role,
            is_active: true,
            email_verified: new.email_verified_at.is_some(),
            created_at: at,
            last_login_at: None,
        };
        let entry = Entry {
            action: Action::Operator("CreateUser"),
            resource: id.to_string(),
            changes: Changes::created(json!({
                "email": user.email,
                "role": user.role,
                "is_active": user.is_active,
                "email_verified": user.email_verified,
            })),
        };
        let row = user::ActiveModel {
            id: Set(id.uuid()),
            organization_id: Set(organization.id.uuid()),
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
            .await
            .map_err(|error| {
                if is_duplicate(&error, "email") {
                    Error::EmailTaken
                } else {
                    error.into()
                }
            })?;
        write.record(organization.id, entry).await?;
        write.commit().await?;
        Ok(user)
    }
}
