//! What a sign-in is checked against, and the session that it begins.

use sea_orm::sea_query::Expr;
use sea_orm::{ColumnTrait, EntityTrait, QueryFilter, QuerySelect};
use serde_json::json;

use super::audit::{Action, AuditEntry, Changes};
use super::entity::user;
use super::sessions::{self, NewSession};
use super::{Error, Store};
use charter_domain::audit::AuditContext;
use charter_domain::email::EmailAddress;
use charter_domain::user::User;

/// A user and the hash to check the password against.
pub struct Login {
    /// May be disabled.
    pub user: User,
    /// In PHC form.
    pub password_hash: String,
}

/// A sign-in with the right password.
pub struct VerifiedLogin {
    pub login: Login,
    /// The password's new hash, if the stored one is weaker than current settings.
    pub rehashed: Option<String>,
}

impl Store {
    pub async fn find_login(&self, email: &EmailAddress) -> Result<Option<Login>, Error> {
        let found = user::Entity::find()
            .filter(user::Column::Email.eq(email.as_str()))
            .one(&self.reader)
            .await?;
        Ok(found.map(|row| Login {
            password_hash: row.password_hash.clone(),
            user: row.into(),
        }))
    }

    /// Begins a session, if the user is still active and the checked password still current. Users of a
    /// deactivated organization may sign in.
    ///
    /// # Errors
    ///
    /// [`Error::SignInVoid`].
    pub async fn sign_in(
        &self,
        verified: VerifiedLogin,
        session: NewSession,
        by: &AuditContext,
    ) -> Result<(), Error> {
        let VerifiedLogin { login, rehashed } = verified;
        let user = login.user;
        let (mut write, _) = self.begin_within(user.organization_id, by).await?;
        let now = user::Entity::find_by_id(user.id.uuid())
            .lock_exclusive()
            .one(&write.transaction)
            .await?
            .filter(|row| row.is_active && row.password_hash == login.password_hash);
        if now.is_none() {
            return Err(Error::SignInVoid);
        }
        let mut update = user::Entity::update_many()
            .col_expr(user::Column::LastLoginAt, Expr::value(write.at()))
            .filter(user::Column::Id.eq(user.id.uuid()));
        if let Some(rehashed) = rehashed {
            update = update.col_expr(user::Column::PasswordHash, Expr::value(rehashed));
        }
        update.exec(&write.transaction).await?;
        let id = session.id.to_string();
        let ended = sessions::insert(&write, user.organization_id, user.id, session).await?;
        let ended: Vec<_> = ended.iter().map(ToString::to_string).collect();
        let changes = if ended.is_empty() {
            json!({"session": id})
        } else {
            json!({"session": id, "ended": ended})
        };
        let entry = AuditEntry {
            action: Action::User("SignIn"),
            resource: user.id.to_string(),
            changes: Changes::created(changes),
        };
        write.record(user.organization_id, entry).await?;
        write.commit().await
    }
}
