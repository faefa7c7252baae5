//! Links in emails. A token is used once, in time and for its purpose. Unknown, used and expired tokens get the
//! same answer.

use std::net::IpAddr;

use sea_orm::ActiveValue::Set;
use sea_orm::sea_query::Expr;
use sea_orm::{ColumnTrait, Condition, EntityTrait, PaginatorTrait, QueryFilter, QuerySelect};
use serde_json::json;

use super::audit::{Action, AuditEntry, Changes};
use super::entity::{one_time_token, stored_time, user};
use super::jobs::{self, NewJob};
use super::sessions::end_all;
use super::write::Write;
use super::{Error, Store, users};
use charter_domain::audit::AuditContext;
use charter_domain::id::{OrganizationId, UserId};
use charter_domain::session::TokenHash;
use charter_domain::timestamp::Timestamp;
use charter_domain::user::User;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Purpose {
    /// Verifies the address.
    VerifyEmail,
    /// Sets a new password.
    ResetPassword,
}

impl Purpose {
    const fn as_str(self) -> &'static str {
        match self {
            Self::VerifyEmail => "verify-email",
            Self::ResetPassword => "reset-password",
        }
    }
}

/// A link to create, with its email.
#[derive(Debug)]
pub struct NewLink {
    pub purpose: Purpose,
    /// Hash of its token.
    pub hash: TokenHash,
    pub expires_at: Timestamp,
    pub mail: NewJob,
}

impl Store {
    /// Creates a link for an active user. The request is unauthenticated.
    ///
    /// # Errors
    ///
    /// [`Error::NotFound`] if the user does not exist or is disabled.
    pub async fn create_link(
        &self,
        user: &User,
        link: NewLink,
        from: IpAddr,
        by: &AuditContext,
    ) -> Result<(), Error> {
        let (mut write, _) = self.begin_within(user.organization_id, by).await?;
        let active = user::Entity::find_by_id(user.id.uuid())
            .filter(user::Column::IsActive.eq(true))
            .count(&write.transaction)
            .await?;
        if active == 0 {
            return Err(Error::NotFound);
        }
        let entry = AuditEntry {
            action: Action::User("RequestLink"),
            resource: user.id.to_string(),
            changes: Changes::created(json!({"purpose": link.purpose.as_str(), "source_ip": from})),
        };
        insert(&write, user.organization_id, user.id, link).await?;
        write.record(user.organization_id, entry).await?;
        write.commit().await
    }

    /// The user of a link, if it can be used now.
    pub async fn find_link(
        &self,
        hash: TokenHash,
        purpose: Purpose,
        now: Timestamp,
    ) -> Result<Option<User>, Error> {
        let link = one_time_token::Entity::find().filter(usable(hash, purpose, now));
        let Some(link) = link.one(&self.reader).await? else {
            return Ok(None);
        };
        let row = user::Entity::find_by_id(link.user_id)
            .filter(user::Column::IsActive.eq(true))
            .one(&self.reader)
            .await?;
        Ok(row.map(User::from))
    }

    /// Uses a link to verify the user's address, and ends earlier sessions. `proved` is the hash that the password
    /// was checked against.
    ///
    /// # Errors
    ///
    /// [`Error::InvalidLink`], also if the password has changed.
    pub async fn verify_email(
        &self,
        user: &User,
        hash: TokenHash,
        proved: Option<String>,
        by: &AuditContext,
    ) -> Result<(), Error> {
        let (mut write, _) = self.begin_within(user.organization_id, by).await?;
        let row = follow(&write, user, hash, Purpose::VerifyEmail).await?;
        if proved.is_some_and(|proved| proved != row.password_hash) {
            return Err(Error::InvalidLink);
        }
        let verified_at = row.email_verified_at.unwrap_or_else(|| write.at());
        let update = user::Entity::update_many()
            .col_expr(user::Column::EmailVerifiedAt, Expr::value(verified_at));
        users::update(&write, user.id, update).await?;
        end_all(&write, user.id).await?;
        use_up_all(&write, user.id, Purpose::VerifyEmail).await?;
        record(&mut write, "VerifyEmail", &row).await?;
        write.commit().await
    }

    /// Uses a link to set a new password and verify the address. Ends all sessions and voids other links of this
    /// purpose, and those that verify the address.
    ///
    /// # Errors
    ///
    /// [`Error::InvalidLink`].
    pub async fn reset_password(
        &self,
        user: &User,
        hash: TokenHash,
        password_hash: String,
        by: &AuditContext,
    ) -> Result<(), Error> {
        let (mut write, _) = self.begin_within(user.organization_id, by).await?;
        let row = follow(&write, user, hash, Purpose::ResetPassword).await?;
        let verified_at = row.email_verified_at.unwrap_or_else(|| write.at());
        let update = user::Entity::update_many()
            .col_expr(user::Column::PasswordHash, Expr::value(password_hash))
            .col_expr(user::Column::EmailVerifiedAt, Expr::value(verified_at));
        users::update(&write, user.id, update).await?;
        end_all(&write, user.id).await?;
        use_up_all(&write, user.id, Purpose::ResetPassword).await?;
        // What such a link would prove is proved.
        use_up_all(&write, user.id, Purpose::VerifyEmail).await?;
        record(&mut write, "ResetPassword", &row).await?;
        write.commit().await
    }
}

fn usable(hash: TokenHash, purpose: Purpose, now: Timestamp) -> Condition {
    Condition::all()
        .add(one_time_token::Column::Hash.eq(hash.to_vec()))
        .add(one_time_token::Column::Purpose.eq(purpose.as_str()))
        .add(one_time_token::Column::UsedAt.is_null())
        .add(one_time_token::Column::ExpiresAt.gt(stored_time(now)))
}

/// Locks the user, within the locked organization, and uses the link by one guarded statement.
async fn follow(
    write: &Write<'_>,
    user: &User,
    hash: TokenHash,
    purpose: Purpose,
) -> Result<user::Model, Error> {
    let row = user::Entity::find_by_id(user.id.uuid())
        .filter(user::Column::IsActive.eq(true))
        .lock_exclusive()
        .one(&write.transaction)
        .await?
        .ok_or(Error::InvalidLink)?;
    let followed = one_time_token::Entity::update_many()
        .col_expr(one_time_token::Column::UsedAt, Expr::value(write.at()))
        .filter(usable(hash, purpose, write.at()))
        .filter(one_time_token::Column::UserId.eq(user.id.uuid()))
        .exec(&write.transaction)
        .await?;
    if followed.rows_affected == 1 {
        Ok(row)
    } else {
        Err(Error::InvalidLink)
    }
}

/// Voids all links of that kind.
pub(super) async fn use_up_all(
    write: &Write<'_>,
    user: UserId,
    purpose: Purpose,
) -> Result<(), Error> {
    one_time_token::Entity::update_many()
        .col_expr(one_time_token::Column::UsedAt, Expr::value(write.at()))
        .filter(one_time_token::Column::UserId.eq(user.uuid()))
        .filter(one_time_token::Column::Purpose.eq(purpose.as_str()))
        .filter(one_time_token::Column::UsedAt.is_null())
        .exec(&write.transaction)
        .await?;
    Ok(())
}

async fn record(
    write: &mut Write<'_>,
    act: &'static str,
    before: &user::Model,
) -> Result<(), Error> {
    let entry = AuditEntry {
        action: Action::User(act),
        resource: UserId::from_uuid(before.id).to_string(),
        changes: Changes::between(
            json!({"email_verified": before.email_verified_at.is_some()}),
            json!({"email_verified": true}),
        ),
    };
    let organization = OrganizationId::from_uuid(before.organization_id);
    write.record(organization, entry).await
}

/// Inserts a link and the job for its email.
pub(super) async fn insert(
    write: &Write<'_>,
    organization: OrganizationId,
    user: UserId,
    link: NewLink,
) -> Result<(), Error> {
    let row = one_time_token::ActiveModel {
        hash: Set(link.hash.to_vec()),
        organization_id: Set(organization.uuid()),
        user_id: Set(user.uuid()),
        purpose: Set(link.purpose.as_str().to_owned()),
        expires_at: Set(stored_time(link.expires_at)),
        used_at: Set(None),
        created_at: Set(write.at()),
    };
    one_time_token::Entity::insert(row)
        .exec_without_returning(&write.transaction)
        .await?;
    jobs::insert(write, organization, link.mail).await
}
