//! Invitations: one for each address and organization, used once.

use sea_orm::sea_query::{Expr, OnConflict};
use sea_orm::{
    ColumnTrait, Condition, ConnectionTrait, EntityTrait, IntoActiveModel, Iterable,
    PaginatorTrait, QueryFilter,
};
use serde_json::json;

use super::audit::{Action, Changes, Entry};
use super::entity::{invitation, stored_time, user};
use super::jobs::{self, NewJob};
use super::sessions::{self, NewSession};
use super::{Error, NewUser, Store, TenantWriter, expiry, users};
use charter_domain::audit::{Actor, AuditContext};
use charter_domain::email::EmailAddress;
use charter_domain::id::InvitationId;
use charter_domain::invitation::Invitation;
use charter_domain::permission::Permission;
use charter_domain::session::TokenHash;
use charter_domain::timestamp::Timestamp;
use charter_domain::user::User;
use invitation::Column;

/// An invitation to be made, with the mail that carries it.
#[derive(Debug)]
pub struct NewInvitation {
    /// Its id.
    pub id: InvitationId,
    /// Whom it is sent to.
    pub email: EmailAddress,
    /// The role that accepting it gives.
    pub role: String,
    /// Of its token.
    pub hash: TokenHash,
    /// From then on it is void.
    pub expires_at: Timestamp,
    /// The mail.
    pub mail: NewJob,
}

impl TenantWriter<'_> {
    /// Invites an address; an earlier invitation of the same address is void from then on.
    ///
    /// Whether the address belongs to another organization's user is not told, not even to the
    /// caller: accepting fails then.
    ///
    /// # Errors
    ///
    /// [`Error::AlreadyMember`], [`Error::OrganizationInactive`], those about the caller, and those of
    /// the database.
    pub async fn invite(&self, new: NewInvitation) -> Result<Invitation, Error> {
        let (mut write, organization) = self.begin().await?;
        let members = user::Entity::find()
            .filter(user::Column::OrganizationId.eq(organization.id.uuid()))
            .filter(user::Column::Email.eq(new.email.as_str()))
            .count(&write.transaction)
            .await?;
        if members > 0 {
            return Err(Error::AlreadyMember);
        }
        let row = invitation::Model {
            id: new.id.uuid(),
            organization_id: organization.id.uuid(),
            email: new.email.to_string(),
            role: new.role,
            invited_by: match &self.by.actor {
                Actor::Session(inviter) => Some(inviter.user.uuid()),
                _ => None,
            },
            hash: new.hash.to_vec(),
            expires_at: stored_time(new.expires_at),
            accepted_at: None,
            revoked_at: None,
            created_at: write.at(),
        };
        let replace = OnConflict::columns([Column::OrganizationId, Column::Email])
            .update_columns(
                Column::iter()
                    .filter(|column| !matches!(column, Column::OrganizationId | Column::Email)),
            )
            .to_owned();
        invitation::Entity::insert(row.clone().into_active_model())
            .on_conflict(replace)
            .exec_without_returning(&write.transaction)
            .await?;
        jobs::insert(&write, organization.id, new.mail).await?;
        let entry = Entry {
            action: Action::Permission(Permission::InviteMember),
            resource: new.id.to_string(),
            changes: Changes::created(json!({"email": row.email, "role": row.role})),
        };
        write.record(organization.id, entry).await?;
        write.commit().await?;
        Ok(row.into())
    }
}

impl Store {
    /// The invitation with that token, if it could be accepted now.
    ///
    /// # Errors
    ///
    /// Those of the database.
    pub async fn find_invitation(
        &self,
        hash: TokenHash,
        now: Timestamp,
    ) -> Result<Option<Invitation>, Error> {
        let found = invitation::Entity::find()
            .filter(acceptable(hash, now))
            .one(&self.reader)
            .await?;
        Ok(found.map(Invitation::from))
    }

    /// Uses an invitation up: its person becomes a member, and is signed in. A registration of the
    /// same address that nobody verified gives way, if it stands alone in its organization.
    ///
    /// # Errors
    ///
    /// [`Error::InvalidLink`], also if the address has come to belong to somebody or the organization
    /// was deactivated; and those of the database.
    pub async fn accept_invitation(
        &self,
        invitation: &Invitation,
        hash: TokenHash,
        new: NewUser,
        session: NewSession,
        by: &AuditContext,
    ) -> Result<User, Error> {
        let into = invitation.organization_id;
        if let Some(registered) = unverified(&self.reader, &new.email).await? {
            self.forget_traces_of(registered.id, by.at).await?;
        }
        let (mut write, organization) = self.begin_within(into, by).await?;
        if !organization.is_active {
            return Err(Error::InvalidLink);
        }
        let accepted = invitation::Entity::update_many()
            .col_expr(invitation::Column::AcceptedAt, Expr::value(write.at()))
            .filter(acceptable(hash, write.at()))
            .exec(&write.transaction)
            .await?;
        if accepted.rows_affected != 1 {
            return Err(Error::InvalidLink);
        }
        if let Some(registered) = unverified(&write.transaction, &new.email).await? {
            let action = Action::Person("ReplaceRegistration");
            expiry::end_registration(&mut write, &registered, action).await?;
        }
        let action = Action::Person("AcceptInvitation");
        let user = users::insert(&mut write, organization.id, new, action)
            .await
            .map_err(|error| match error {
                Error::EmailTaken => Error::InvalidLink,
                other => other,
            })?;
        // Accepting signs in, too.
        user::Entity::update_many()
            .col_expr(user::Column::LastLoginAt, Expr::value(write.at()))
            .filter(user::Column::Id.eq(user.id.uuid()))
            .exec(&write.transaction)
            .await?;
        sessions::insert(&write, organization.id, user.id, session).await?;
        write.commit().await?;
        Ok(user)
    }
}

/// Who registered with that address and has not verified it.
async fn unverified(
    connection: &impl ConnectionTrait,
    email: &EmailAddress,
) -> Result<Option<User>, Error> {
    let found = user::Entity::find()
        .filter(user::Column::Email.eq(email.as_str()))
        .filter(user::Column::EmailVerifiedAt.is_null())
        .one(connection)
        .await?;
    Ok(found.map(User::from))
}

fn acceptable(hash: TokenHash, now: Timestamp) -> Condition {
    Condition::all()
        .add(invitation::Column::Hash.eq(hash.to_vec()))
        .add(invitation::Column::AcceptedAt.is_null())
        .add(invitation::Column::RevokedAt.is_null())
        .add(invitation::Column::ExpiresAt.gt(stored_time(now)))
}
