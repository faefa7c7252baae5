//! Invitations: at most one for each address and organization, used once.

use sea_orm::sea_query::{Expr, OnConflict};
use sea_orm::{
    ColumnTrait, Condition, ConnectionTrait, EntityTrait, IntoActiveModel, Iterable,
    PaginatorTrait, QueryFilter,
};
use serde_json::json;

use super::audit::{Action, AuditEntry, Changes};
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

/// An invitation to create, with its email.
#[derive(Debug)]
pub struct NewInvitation {
    pub id: InvitationId,
    pub email: EmailAddress,
    pub role: String,
    /// Hash of its token.
    pub hash: TokenHash,
    pub expires_at: Timestamp,
    pub mail: NewJob,
}

impl TenantWriter<'_> {
    /// Invites an address, and voids an earlier invitation of it.
    ///
    /// Does not reveal whether the address belongs to a user of another organization; accepting then fails.
    ///
    /// # Errors
    ///
    /// [`Error::AlreadyMember`], [`Error::OrganizationInactive`], and errors about the caller.
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
        let entry = AuditEntry {
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
    /// The invitation with that token, if it can be accepted now.
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

    /// Accepts an invitation: creates the user and a session. An unverified registration of the same address
    /// expires, if nobody else uses its organization.
    ///
    /// # Errors
    ///
    /// [`Error::InvalidLink`], also if the address belongs to a user by now or the organization was deactivated.
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
            self.forget_traces_of(registered.id, by).await?;
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
            let action = Action::User("ReplaceRegistration");
            expiry::end_registration(&mut write, &registered, action).await?;
        }
        let action = Action::User("AcceptInvitation");
        let user = users::insert(&mut write, organization.id, new, action)
            .await
            .map_err(|error| match error {
                Error::EmailTaken => Error::InvalidLink,
                other => other,
            })?;
        // Accepting is a sign-in, too.
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

/// The user who registered with that address and has not verified it.
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
