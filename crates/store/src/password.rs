//! Changes the password of a signed-in user.

use sea_orm::sea_query::{Expr, ExprTrait as _};
use sea_orm::{ColumnTrait, EntityTrait, QuerySelect};
use serde_json::json;

use super::audit::{Action, AuditEntry, Changes};
use super::entity::{session, user};
use super::links::{Purpose, use_up_all};
use super::{Error, Login, Store, session_upkeep, users};
use charter_domain::audit::{Actor, AuditContext};

impl Store {
    /// Sets a new password, if the checked one is still current. Ends all other sessions and voids links that
    /// reset the password.
    ///
    /// # Errors
    ///
    /// [`Error::SignInVoid`], [`Error::OrganizationInactive`], [`Error::SessionEnded`], [`Error::GrantsChanged`].
    pub async fn change_password(
        &self,
        checked: &Login,
        password_hash: String,
        by: &AuditContext,
    ) -> Result<(), Error> {
        let user = &checked.user;
        let Actor::Session(guard) = &by.actor else {
            return Err(Error::SessionEnded);
        };
        let (mut write, organization) = self.begin_within(user.organization_id, by).await?;
        let now = user::Entity::find_by_id(user.id.uuid())
            .lock_exclusive()
            .one(&write.transaction)
            .await?
            .filter(|row| row.is_active && row.password_hash == checked.password_hash);
        if now.is_none() {
            return Err(Error::SignInVoid);
        }
        let password_hash = Expr::value(password_hash);
        let set = user::Entity::update_many().col_expr(user::Column::PasswordHash, password_hash);
        users::update(&write, user.id, set).await?;
        let of_user = session::Column::UserId.eq(user.id.uuid());
        let others = of_user.and(session::Column::Id.ne(guard.session.uuid()));
        session_upkeep::end(&write, others).await?;
        use_up_all(&write, user.id, Purpose::ResetPassword).await?;
        let entry = AuditEntry {
            action: Action::User("ChangePassword"),
            resource: user.id.to_string(),
            changes: Changes::created(json!({"kept_session": guard.session.to_string()})),
        };
        write.record(organization.id, entry).await?;
        write.commit().await
    }
}
