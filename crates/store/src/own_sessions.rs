//! The open sessions of the calling user: list and end.

use sea_orm::{ColumnTrait, EntityTrait, QueryFilter, QueryOrder};

use super::entity::{session, stored_time};
use super::sessions::{Ending, SessionRow};
use super::{Error, TenantReader, TenantWriter};
use charter_domain::id::{SessionId, UserId};
use charter_domain::timestamp::Timestamp;

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OpenSession {
    pub id: SessionId,
    pub created_at: Timestamp,
    /// When it was last refreshed, so it may be late by an access token's lifetime.
    pub last_used_at: Timestamp,
    /// The `User-Agent` at sign-in.
    pub user_agent: Option<String>,
}

impl TenantReader<'_> {
    /// The user's sessions that can be refreshed, newest first. Their number is bounded, because a sign-in ends
    /// the oldest beyond it.
    pub async fn open_sessions(&self, user: UserId) -> Result<Vec<OpenSession>, Error> {
        let now = self.store.clock.now();
        let rows = session::Entity::find()
            .filter(session::Column::OrganizationId.eq(self.scope.organization_id().uuid()))
            .filter(session::Column::UserId.eq(user.uuid()))
            .filter(session::Column::EndedAt.is_null())
            .filter(session::Column::RefreshExpiresAt.gt(stored_time(now)))
            .order_by_desc(session::Column::CreatedAt)
            .order_by_desc(session::Column::Id)
            .all(&self.store.reader)
            .await?;
        let shown = |row: session::Model| OpenSession {
            id: SessionId::from_uuid(row.id),
            created_at: row.created_at,
            last_used_at: row.rotated_at.unwrap_or(row.created_at),
            user_agent: row.user_agent,
        };
        Ok(rows.into_iter().map(shown).collect())
    }
}

impl TenantWriter<'_> {
    /// Ends a session of the user.
    ///
    /// # Errors
    ///
    /// [`Error::NotFound`], also for other users' and ended sessions.
    pub async fn end_open_session(&self, user: UserId, id: SessionId) -> Result<(), Error> {
        let TenantReader { store, scope } = self.tenant;
        let open = self.tenant.open_sessions(user).await?;
        if !open.iter().any(|session| session.id == id) {
            return Err(Error::NotFound);
        }
        let ended = SessionRow {
            id,
            user,
            organization: scope.organization_id(),
        };
        store.end_session(ended, Ending::SignOut, &self.by).await
    }
}
