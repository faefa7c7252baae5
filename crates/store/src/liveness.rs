//! Checks within a write's transaction that the caller is still as it was when policy decided.
//!
//! Revoking a key or ending a session locks the organization, as every write does. So it happens either before
//! this write, which then fails, or after it.

use sea_orm::sea_query::{Expr, ExprTrait as _, Query, SelectStatement};
use sea_orm::{
    ColumnTrait, ConnectionTrait as _, DbBackend, FromQueryResult, Iterable as _, QueryResult,
};

use super::audit_mac::Link;
use super::chain_end;
use super::entity::{Texts, access_key, account, organization, service_account, session, user};
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
    /// Locks the organization. Fails if the caller could no longer make the request; other actors have no credential
    /// that could end. For a caller it reads the end of the organization's audit chain on the way.
    ///
    /// # Errors
    ///
    /// [`Error::OrganizationInactive`]; for a key [`Error::CallerRevoked`], [`Error::CallerExpired`],
    /// [`Error::CallerDisabled`] and [`Error::NonceSpent`]; for a user [`Error::SessionEnded`]; for both
    /// [`Error::GrantsChanged`].
    pub(super) async fn lock_for_actor(
        &self,
        id: OrganizationId,
    ) -> Result<(Organization, Option<Link>), Error> {
        let mut query = Query::select();
        query
            .from(organization::Entity)
            .and_where(organization::Column::Id.eq(id.uuid()));
        match &self.by.actor {
            Actor::Key(guard) => add_key(&mut query, guard),
            Actor::Session(guard) => add_session(&mut query, guard),
            Actor::User(_)
            | Actor::Anonymous
            | Actor::LeakReport
            | Actor::Operator(_)
            | Actor::System => return Ok((self.lock_organization(id).await?, None)),
        }
        let backend = self.transaction.get_database_backend();
        chain_end::join(&mut query, id, backend);
        let (organization, row) = self.lock_beside(id, query).await?;
        if !organization.is_active {
            return Err(Error::OrganizationInactive);
        }
        match &self.by.actor {
            Actor::Key(guard) => self.require_live_key(guard, &row).await?,
            Actor::Session(guard) => require_session(guard, &row)?,
            _ => {}
        }
        Ok((organization, Some(chain_end::read(&row)?)))
    }

    /// Locks the organization and runs this query about it, in one trip where the transaction has the only lock.
    /// Elsewhere a query that waits for a lock sees the other tables as they were before.
    async fn lock_beside(
        &self,
        id: OrganizationId,
        mut query: SelectStatement,
    ) -> Result<(Organization, QueryResult), Error> {
        let locked = if self.transaction.get_database_backend() == DbBackend::Sqlite {
            self.locks(id);
            query.columns(organization::Column::iter().map(|it| it.as_column_ref()));
            None
        } else {
            Some(self.lock_organization(id).await?)
        };
        let row = self.transaction.query_first(&query).await?;
        let row = row.ok_or(Error::NotFound)?;
        let organization = match locked {
            Some(organization) => organization,
            None => organization::Model::from_query_result(&row, "")?.try_into()?,
        };
        Ok((organization, row))
    }

    async fn require_live_key(&self, guard: &KeyGuard, row: &QueryResult) -> Result<(), Error> {
        // Of a key that is not there all is null.
        let account: Option<bool> = row.try_get("", "account_is_active")?;
        account.ok_or(Error::CallerRevoked)?;
        let behind = Behind::from_query_result(row, "")?;
        let now = self.store.clock.now();
        if behind.revoked_at.is_some() || behind.deleted_at.is_some() {
            Err(Error::CallerRevoked)
        } else if !behind.service_account_is_active || !behind.account_is_active {
            Err(Error::CallerDisabled)
        } else if behind.expires_at.is_some_and(|end| end <= now) {
            Err(Error::CallerExpired)
        } else if *behind.roles.0 != *guard.roles || *behind.permissions.0 != *guard.permissions {
            Err(Error::GrantsChanged)
        } else if let Some(nonce) = guard.nonce {
            self.spend(nonce).await
        } else {
            Ok(())
        }
    }
}

fn require_session(guard: &SessionGuard, row: &QueryResult) -> Result<(), Error> {
    let role: Option<String> = row.try_get("", "role")?;
    if role.ok_or(Error::SessionEnded)? == guard.role {
        Ok(())
    } else {
        Err(Error::GrantsChanged)
    }
}

/// The key, its service account and its account.
fn add_key(query: &mut SelectStatement, guard: &KeyGuard) {
    let is_key = access_key::Column::Id.eq(guard.key.uuid()).and(equal(
        access_key::Column::OrganizationId,
        organization::Column::Id,
    ));
    let is_service_account = equal(
        service_account::Column::Id,
        access_key::Column::ServiceAccountId,
    );
    let is_account = equal(account::Column::Id, service_account::Column::AccountId);
    query
        .columns([
            access_key::Column::RevokedAt.as_column_ref(),
            access_key::Column::ExpiresAt.as_column_ref(),
            service_account::Column::DeletedAt.as_column_ref(),
            service_account::Column::Roles.as_column_ref(),
            service_account::Column::Permissions.as_column_ref(),
        ])
        .expr_as(
            Expr::col(service_account::Column::IsActive.as_column_ref()),
            "service_account_is_active",
        )
        .expr_as(
            Expr::col(account::Column::IsActive.as_column_ref()),
            "account_is_active",
        )
        .left_join(access_key::Entity, is_key)
        .left_join(service_account::Entity, is_service_account)
        .left_join(account::Entity, is_account);
}

/// The role of the session's user, null unless both are active.
fn add_session(query: &mut SelectStatement, guard: &SessionGuard) {
    let is_session = session::Column::Id
        .eq(guard.session.uuid())
        .and(equal(
            session::Column::OrganizationId,
            organization::Column::Id,
        ))
        .and(session::Column::EndedAt.is_null());
    let is_user = user::Column::Id
        .eq(guard.user.uuid())
        .and(equal(user::Column::Id, session::Column::UserId))
        .and(equal(
            user::Column::OrganizationId,
            organization::Column::Id,
        ))
        .and(user::Column::IsActive.eq(true));
    query
        .column(user::Column::Role.as_column_ref())
        .left_join(session::Entity, is_session)
        .left_join(user::Entity, is_user);
}

fn equal(column: impl ColumnTrait, other: impl ColumnTrait) -> Expr {
    Expr::col(column.as_column_ref()).equals(other.as_column_ref())
}
