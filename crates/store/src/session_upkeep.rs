//! Bounds the number of open sessions of a user, and deletes obsolete rows in small batches, so that other writes
//! do not wait long.

use sea_orm::prelude::{Expr, Uuid};
use sea_orm::sea_query::ExprTrait as _;
use sea_orm::{ColumnTrait, EntityTrait, QueryFilter, QueryOrder, QuerySelect};

use super::entity::{
    invitation, latest_right_time, one_time_token, session, spent_refresh_token, stored_time,
};
use super::write::Write;
use super::{Error, Store};
use charter_domain::audit::AuditContext;
use charter_domain::id::{SessionId, UserId};
use charter_domain::timestamp::Timestamp;

/// Open sessions of one user, the new one included.
const MOST_OPEN: u64 = 50;
/// Rows that one statement deletes.
const HANDFUL: u64 = 500;

impl Store {
    /// Deletes sessions, links and invitations that ended before `time`.
    pub async fn forget_sessions_before(&self, time: Timestamp) -> Result<u64, Error> {
        let time = stored_time(time);
        let links = one_time_token::Column::ExpiresAt.lt(time);
        // So old a token belongs to a session that goes on. If presented now, it counts as unknown.
        let spent = spent_refresh_token::Column::SpentAt.lt(time);
        let invitations = invitation::Column::ExpiresAt.lt(time);
        // Spent tokens first, so that few rows cascade from a session.
        let mut forgotten = self.forget_spent(spent).await?;
        // One after the other, since each has an index.
        for over in [session::Column::RefreshExpiresAt, session::Column::EndedAt] {
            let sessions = over.lt(time);
            forgotten += self
                .forget::<session::Entity, Uuid>(session::Column::Id, sessions)
                .await?;
        }
        forgotten += self
            .forget::<one_time_token::Entity, Vec<u8>>(one_time_token::Column::Hash, links)
            .await?;
        forgotten += self
            .forget::<invitation::Entity, Uuid>(invitation::Column::Id, invitations)
            .await?;
        Ok(forgotten)
    }

    /// Deletes obsolete rows of a user who is about to be removed, so that few rows cascade. Open sessions stay.
    /// Does nothing if the request's precondition fails.
    pub(super) async fn forget_traces_of(
        &self,
        user: UserId,
        by: &AuditContext,
    ) -> Result<(), Error> {
        if by.precondition_failed {
            return Ok(());
        }
        let of_user = session::Column::UserId.eq(user.uuid());
        let has_ended = session::Column::EndedAt.is_not_null();
        loop {
            let ended = self
                .sessions_where(of_user.clone().and(has_ended.clone()))
                .await?;
            if ended.is_empty() {
                break;
            }
            let spent = spent_refresh_token::Column::SessionId.is_in(ended.clone());
            self.forget_spent(spent).await?;
            session::Entity::delete_many()
                .filter(session::Column::Id.is_in(ended))
                .exec(&self.writer)
                .await?;
        }
        let open = self.sessions_where(of_user).await?;
        self.forget_spent(spent_refresh_token::Column::SessionId.is_in(open))
            .await?;
        let is_void = one_time_token::Column::UsedAt
            .is_not_null()
            .or(one_time_token::Column::ExpiresAt.lte(stored_time(by.at)));
        let links = one_time_token::Column::UserId.eq(user.uuid()).and(is_void);
        self.forget::<one_time_token::Entity, Vec<u8>>(one_time_token::Column::Hash, links)
            .await?;
        Ok(())
    }

    async fn sessions_where(&self, condition: Expr) -> Result<Vec<Uuid>, Error> {
        Ok(session::Entity::find()
            .select_only()
            .column(session::Column::Id)
            .filter(condition)
            .limit(HANDFUL)
            .into_tuple()
            .all(&self.reader)
            .await?)
    }

    async fn forget_spent(&self, which: Expr) -> Result<u64, Error> {
        self.forget::<spent_refresh_token::Entity, Vec<u8>>(
            spent_refresh_token::Column::Hash,
            which,
        )
        .await
    }

    /// Deletes in batches; finished batches stay deleted after an error.
    async fn forget<E: EntityTrait, Key>(&self, key: E::Column, old: Expr) -> Result<u64, Error>
    where
        Key: sea_orm::TryGetable + Into<sea_orm::Value> + Send,
    {
        let mut forgotten = 0;
        loop {
            let keys: Vec<Key> = E::find()
                .select_only()
                .column(key)
                .filter(old.clone())
                .limit(HANDFUL)
                .into_tuple()
                .all(&self.reader)
                .await?;
            if keys.is_empty() {
                return Ok(forgotten);
            }
            let deleted = E::delete_many()
                .filter(key.is_in(keys))
                .exec(&self.writer)
                .await?;
            if deleted.rows_affected == 0 {
                return Ok(forgotten);
            }
            forgotten += deleted.rows_affected;
        }
    }
}

/// Ends the user's oldest open sessions to make room for one more. The caller holds a lock on the user's row. Those
/// that a wrong clock made in the future count as the oldest; else each new sign-in would end the one before it.
pub(super) async fn end_oldest(write: &Write<'_>, user: UserId) -> Result<Vec<SessionId>, Error> {
    let beyond: Vec<Uuid> = session::Entity::find()
        .select_only()
        .column(session::Column::Id)
        .filter(session::Column::UserId.eq(user.uuid()))
        .filter(session::Column::EndedAt.is_null())
        .order_by_asc(session::Column::CreatedAt.gt(latest_right_time(write.at())))
        .order_by_desc(session::Column::CreatedAt)
        .order_by_desc(session::Column::Id)
        .offset(MOST_OPEN - 1)
        // Users from before the limit may have many more: each sign-in ends some of them.
        .limit(MOST_OPEN)
        .into_tuple()
        .all(&write.transaction)
        .await?;
    if beyond.is_empty() {
        return Ok(Vec::new());
    }
    end(write, session::Column::Id.is_in(beyond.iter().copied())).await?;
    Ok(beyond.into_iter().map(SessionId::from_uuid).collect())
}

/// Ends the open ones of these sessions; returns their number.
pub(super) async fn end(write: &Write<'_>, which: Expr) -> Result<u64, Error> {
    let ended = session::Entity::update_many()
        .col_expr(session::Column::EndedAt, Expr::value(write.at()))
        .filter(which)
        .filter(session::Column::EndedAt.is_null())
        .exec(&write.transaction)
        .await?;
    Ok(ended.rows_affected)
}
