//! Refreshes sessions by one guarded statement (ADR 0010).
//!
//! A session's row holds the hash of its only valid refresh token. A rotation replaces the hash if it is the
//! presented one, so one of several parallel refreshes succeeds. Spent hashes are kept, to recognize reuse.

use sea_orm::{
    ColumnTrait, ConnectionTrait, DbBackend, DbErr, EntityTrait, QueryFilter, QueryResult,
    Statement,
};

use super::entity::{session, stored_time};
use super::sessions::{find_spent, statement_for};
use super::{Error, SessionRow, Store};
use charter_domain::id::{OrganizationId, SessionId, UserId};
use charter_domain::session::TokenHash;
use charter_domain::timestamp::Timestamp;

/// A presented refresh token and its successor.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewRotation {
    /// Hash of the presented token.
    pub presented: TokenHash,
    /// Hash of the new token.
    pub successor: TokenHash,
    /// The key that derives the successor.
    pub key_id: String,
    pub at: Timestamp,
    /// When the successor expires.
    pub expires_at: Timestamp,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Rotation {
    /// The token was current and is replaced.
    Rotated(SessionRow),
    /// The token was used before.
    Spent {
        session: SessionRow,
        /// The key that derived its successor.
        key_id: String,
        spent_at: Timestamp,
        /// Whether the session can still be refreshed.
        is_refreshable: bool,
    },
    /// The token is unknown, or its session has ended.
    Void,
}

/// Limit of refreshes of a session, after which its user must sign in again. At one in fifteen minutes it lasts
/// for a year and a half, and it bounds a session's spent tokens.
const MOST_GENERATIONS: i64 = 50_000;

impl Store {
    /// Whether all writes share one connection, as on SQLite. Then it pays to rotate several tokens in one
    /// statement.
    #[must_use]
    pub fn has_one_writer(&self) -> bool {
        self.writer.get_database_backend() == DbBackend::Sqlite
    }

    /// Replaces each refresh token that is current, if its session can be refreshed. All are rotated in one
    /// statement, whose trigger records the spent tokens; then the others are looked up. Tokens must be distinct,
    /// at most [`super::MOST_AT_ONCE`].
    ///
    /// # Errors
    ///
    /// If the statement fails, nothing was rotated. Inner errors are those of looking up one token.
    pub async fn rotate(
        &self,
        rotations: &[NewRotation],
    ) -> Result<Vec<Result<Rotation, Error>>, Error> {
        let rotated = self.rotate_all(rotations).await?;
        let mut outcomes = Vec::with_capacity(rotations.len());
        for rotation in rotations {
            let is_its = |(hash, _): &&(Vec<u8>, _)| **hash == rotation.successor;
            outcomes.push(match rotated.iter().find(is_its) {
                Some((_, session)) => Ok(Rotation::Rotated(*session)),
                None => self.not_rotated(rotation.presented, rotation.at).await,
            });
        }
        Ok(outcomes)
    }

    /// What [`Self::rotate`] would do with a refresh token. Changes nothing.
    pub async fn would_rotate(
        &self,
        presented: TokenHash,
        at: Timestamp,
    ) -> Result<Rotation, Error> {
        let current = session::Entity::find()
            .filter(session::Column::RefreshHash.eq(presented.to_vec()))
            .one(&self.reader)
            .await?;
        match current.filter(|session| is_refreshable(session, at)) {
            Some(session) => Ok(Rotation::Rotated(SessionRow::from(&session))),
            None => self.not_rotated(presented, at).await,
        }
    }

    /// The session whose current refresh token this is.
    pub async fn find_session_to_refresh(
        &self,
        presented: TokenHash,
    ) -> Result<Option<SessionRow>, Error> {
        let found = session::Entity::find()
            .filter(session::Column::RefreshHash.eq(presented.to_vec()))
            .one(&self.reader)
            .await?;
        Ok(found.as_ref().map(SessionRow::from))
    }

    async fn rotate_all(
        &self,
        rotations: &[NewRotation],
    ) -> Result<Vec<(Vec<u8>, SessionRow)>, Error> {
        if rotations.is_empty() {
            return Ok(Vec::new());
        }
        let Some((text, length)) = statement_for(&self.rotate_sessions, rotations.len()) else {
            let too_many = format!("{} tokens are presented at once", rotations.len());
            return Err(Error::Setup(too_many));
        };
        // Repeat values to fill the list; the row changes once.
        let values = rotations.iter().cycle().take(*length).flat_map(|rotation| {
            [
                rotation.presented.to_vec().into(),
                rotation.successor.to_vec().into(),
                rotation.key_id.as_str().into(),
                stored_time(rotation.at).into(),
                stored_time(rotation.expires_at).into(),
            ]
        });
        let backend = self.writer.get_database_backend();
        let statement = Statement::from_sql_and_values(backend, text, values);
        let rows = self.writer.query_all_raw(statement).await?;
        let rows = rows.iter().map(|row| Ok(row_of(row)?));
        rows.collect()
    }

    async fn not_rotated(&self, presented: TokenHash, at: Timestamp) -> Result<Rotation, Error> {
        let spent = find_spent(&self.reader, presented).await?;
        Ok(
            spent.map_or(Rotation::Void, |(spent, session)| Rotation::Spent {
                session: SessionRow::from(&session),
                key_id: spent.key_id,
                spent_at: spent.spent_at,
                is_refreshable: is_refreshable(&session, at),
            }),
        )
    }
}

fn is_refreshable(session: &session::Model, at: Timestamp) -> bool {
    session.ended_at.is_none()
        && session.refresh_revoked_at.is_none()
        && session.refresh_expires_at > stored_time(at)
}

/// The new hash and its session.
fn row_of(row: &QueryResult) -> Result<(Vec<u8>, SessionRow), DbErr> {
    let session = SessionRow {
        id: SessionId::from_uuid(row.try_get("", "id")?),
        user: UserId::from_uuid(row.try_get("", "user_id")?),
        organization: OrganizationId::from_uuid(row.try_get("", "organization_id")?),
    };
    Ok((row.try_get("", "refresh_hash")?, session))
}

/// The statement of [`Store::rotate`].
pub(super) fn statement(backend: DbBackend, length: usize) -> String {
    const ROW: [&str; 5] = ["bytea", "bytea", "varchar", "timestamptz", "timestamptz"];
    let row = |at: usize| {
        let value = |(n, of)| match backend {
            DbBackend::Sqlite => "?".to_owned(),
            // PostgreSQL cannot infer these types.
            _ => format!("${}::{of}", at * ROW.len() + n + 1),
        };
        let values: Vec<_> = ROW.iter().enumerate().map(value).collect();
        format!("({})", values.join(", "))
    };
    let rows: Vec<_> = (0..length).map(row).collect();
    format!(
        "UPDATE sessions SET refresh_hash = column2, rotation_key_id = column3, rotated_at = column4, \
         refresh_expires_at = column5, generation = generation + 1 FROM (VALUES {}) AS presented \
         WHERE refresh_hash = column1 AND generation < {MOST_GENERATIONS} \
         AND refresh_expires_at > column4 AND refresh_revoked_at IS NULL AND ended_at IS NULL \
         RETURNING id, organization_id, user_id, refresh_hash",
        rows.join(", ")
    )
}
