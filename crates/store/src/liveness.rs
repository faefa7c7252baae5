//! Checks within a write's transaction that the caller is still as it was when policy decided.
//!
//! Revoking a key or ending a session locks the organization, as every write does. So it happens either before
//! this write, which then fails, or after it.

use sea_orm::sea_query::{Expr, Query};
use sea_orm::{ColumnTrait, ConnectionTrait as _, FromQueryResult};

use super::audit_mac::Link;
use super::chain_end;
use super::entity::{Texts, access_key, account, service_account, session, user};
use super::joined::join;
use super::{Error, write::Write};
use charter_domain::access_key::KeyGuard;
use charter_domain::audit::Actor;
use charter_domain::id::OrganizationId;
use charter_domain::organization::Organization;
use charter_domain::session::SessionGuard;
use charter_domain::timestamp::Timestamp;

#[derive(FromQueryResult)]
struct Behind {
    revoked_at: Option<Timestamp>,
    expires_at: Option<Timestamp>,
    deleted_at: Option<Timestamp>,
    roles: Texts,
    permissions: Texts,
    service_account_is_active: bool,
    account_is_active: bool,
}

impl Write<'_> {
    /// Fails if the caller could no longer make the request; returns the end of the organization's audit chain, which is
    /// read on the way. Other actors have no credential that could end.
    ///
    /// # Errors
    ///
    /// [`Error::OrganizationInactive`]; for a key [`Error::CallerRevoked`], [`Error::CallerExpired`],
    /// [`Error::CallerDisabled`] and [`Error::NonceSpent`]; for a user [`Error::SessionEnded`]; for both [`Error::GrantsChanged`].
    pub(super) async fn require_live_actor(
        &self,
        within: &Organization,
    ) -> Result<Option<Link>, Error> {
        if self.by.actor.is_caller() && !within.is_active {
            return Err(Error::OrganizationInactive);
        }
        match &self.by.actor {
            Actor::Key(guard) => self.require_live_key(within.id, guard).await.map(Some),
            Actor::Session(guard) => self.require_session(within.id, guard).await.map(Some),
            Actor::Person(_)
            | Actor::Anonymous
            | Actor::LeakReport
            | Actor::Operator(_)
            | Actor::System => Ok(None),
        }
    }

    async fn require_live_key(
        &self,
        organization: OrganizationId,
        guard: &KeyGuard,
    ) -> Result<Link, Error> {
        let now = self.store.clock.now();
        let mut query = Query::select();
        query
            .column(access_key::Column::RevokedAt.as_column_ref())
            .column(access_key::Column::ExpiresAt.as_column_ref())
            .column(service_account::Column::DeletedAt.as_column_ref())
            .column(service_account::Column::Roles.as_column_ref())
            .column(service_account::Column::Permissions.as_column_ref())
            .expr_as(
                Expr::col(service_account::Column::IsActive.as_column_ref()),
                "service_account_is_active",
            )
            .expr_as(
                Expr::col(account::Column::IsActive.as_column_ref()),
                "account_is_active",
            )
            .from(access_key::Entity)
            .and_where(access_key::Column::Id.eq(guard.key.uuid()))
            .and_where(access_key::Column::OrganizationId.eq(organization.uuid()));
        join(
            &mut query,
            service_account::Column::Id,
            access_key::Column::ServiceAccountId,
        );
        join(
            &mut query,
            account::Column::Id,
            service_account::Column::AccountId,
        );
        chain_end::join(&mut query, organization);
        let row = self.transaction.query_one(&query).await?;
        let row = row.ok_or(Error::CallerRevoked)?;
        let behind = Behind::from_query_result(&row, "")?;
        if behind.revoked_at.is_some() || behind.deleted_at.is_some() {
            Err(Error::CallerRevoked)
        } else if !behind.service_account_is_active || !behind.account_is_active {
            Err(Error::CallerDisabled)
        } else if behind.expires_at.is_some_and(|end| end <= now) {
            Err(Error::CallerExpired)
        } else if *behind.roles.0 != *guard.roles || *behind.permissions.0 != *guard.permissions {
            Err(Error::GrantsChanged)
        } else {
            if let Some(nonce) = guard.nonce {
                self.spend(nonce).await?;
            }
            chain_end::read(&row)
        }
    }

    async fn require_session(
        &self,
        organization: OrganizationId,
        session_guard: &SessionGuard,
    ) -> Result<Link, Error> {
        let mut query = Query::select();
        query
            .column(user::Column::Role.as_column_ref())
            .from(session::Entity)
            .and_where(session::Column::Id.eq(session_guard.session.uuid()))
            .and_where(session::Column::OrganizationId.eq(organization.uuid()))
            .and_where(session::Column::EndedAt.is_null())
            .and_where(user::Column::Id.eq(session_guard.user.uuid()))
            .and_where(user::Column::OrganizationId.eq(organization.uuid()))
            .and_where(user::Column::IsActive.eq(true));
        join(&mut query, user::Column::Id, session::Column::UserId);
        chain_end::join(&mut query, organization);
        let row = self.transaction.query_one(&query).await?;
        let row = row.ok_or(Error::SessionEnded)?;
        if row.try_get::<String>("", "role")? == session_guard.role {
            chain_end::read(&row)
        } else {
            Err(Error::GrantsChanged)
        }
    }
}
