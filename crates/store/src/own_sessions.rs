//! A person's own open sessions: listed, and ended one by one.

use sea_orm::{ColumnTrait, EntityTrait, QueryFilter, QueryOrder};

use super::entity::{session, stored_time};
use super::sessions::{Ending, SessionRow};
use super::{Error, TenantReader, TenantWriter};
use charter_domain::id::{SessionId, UserId};
use charter_domain::timestamp::Timestamp;

/// A session that goes on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OpenSession {
    /// Its id.
    pub id: SessionId,
    /// When its person signed in.
    pub created_at: Timestamp,
    /// When it was last refreshed; exact to an access token's life.
    pub last_used_at: Timestamp,
    /// What the browser called itself when it began.
    pub user_agent: Option<String>,
}

impl TenantReader<'_> {
    /// The sessions of a person that can still be refreshed, the newest first. They are bounded: a
    /// sign-in beyond that ends the oldest.
    ///
    /// # Errors
    ///
    /// Those of the database.
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
    /// Ends a person's session.
    ///
    /// # Errors
    ///
    /// [`Error::NotFound`], also for somebody else's and for one that has ended; and those of the
    /// database.
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
