//! Refreshing sessions, by one guarded statement (ADR 0010).
//!
//! A session's row holds the hash of its one valid refresh token. Rotating replaces it where it is
//! still the presented one, so of any number of parallel refreshes one succeeds; the spent hash is
//! remembered, so that a later use is told apart from a stranger's guess.

use sea_orm::{
    ColumnTrait, ConnectionTrait, DbBackend, DbErr, EntityTrait, QueryFilter, QueryResult,
    Statement,
};

use super::entity::{session, stored_time};
use super::sessions::{find_spent, statement_for};
use super::{Error, SessionRow, Store};
use charter_budgets::Resource;
use charter_domain::id::{OrganizationId, SessionId, UserId};
use charter_domain::session::TokenHash;
use charter_domain::timestamp::Timestamp;

/// A refresh token that is presented, and what shall take its place.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewRotation {
    /// The hash of what is presented.
    pub presented: TokenHash,
    /// The hash of its successor.
    pub successor: TokenHash,
    /// Which key the successor was derived with.
    pub key_id: String,
    /// Now.
    pub at: Timestamp,
    /// When the successor is void.
    pub expires_at: Timestamp,
}

/// What came of presenting a refresh token.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Rotation {
    /// It was the current one, and its successor is now.
    Rotated(SessionRow),
    /// It was used before.
    Spent {
        /// Whose it was.
        session: SessionRow,
        /// Which key its successor was derived with.
        key_id: String,
        /// When it was used.
        spent_at: Timestamp,
        /// Whether the session can be refreshed at all.
        is_refreshable: bool,
    },
    /// Nobody's, or one of a session that is over.
    Void,
}

/// Refreshes of one session; its person signs in again after that. At one in fifteen minutes it is a
/// year and a half, and nobody can fill the table of spent tokens from one session.
const MOST_GENERATIONS: i64 = 50_000;

/// Bytes that a spent token takes, its entries in the two indexes among them.
const SPENT_TOKEN_BYTES: u64 = 160;

impl Store {
    /// Whether all writes wait for one connection, as on SQLite: then several rotations in one
    /// statement cost hardly more than one.
    #[must_use]
    pub fn has_one_writer(&self) -> bool {
        self.writer.get_database_backend() == DbBackend::Sqlite
    }

    /// Replaces refresh tokens by their successors, each if it is the current one of a session that
    /// can be refreshed; else says what it is. It is one statement, all or nothing: the schema's
    /// trigger remembers the spent tokens within it. No token may be presented twice, and not more
    /// than [`super::MOST_AT_ONCE`].
    ///
    /// # Errors
    ///
    /// Those of the database, and then nothing was rotated; of one, that it could not be looked up.
    pub async fn rotate(
        &self,
        rotations: &[NewRotation],
    ) -> Result<Vec<Result<Rotation, Error>>, Error> {
        let rotated = self.rotate_all(rotations).await?;
        for (_, session) in &rotated {
            let (budgets, organization) = (&self.budgets, session.organization);
            budgets.spend(Resource::Writes, organization, 1);
            budgets.spend(Resource::StoredBytes, organization, SPENT_TOKEN_BYTES);
        }
        let mut outcomes = Vec::with_capacity(rotations.len());
        for rotation in rotations {
            let is_its = |(hash, _): &&(Vec<u8>, _)| **hash == rotation.successor;
            outcomes.push(match rotated.iter().find(is_its) {
                Some((_, session)) => Ok(Rotation::Rotated(*session)),
                None => self.not_rotated(rotation).await,
            });
        }
        Ok(outcomes)
    }

    /// The session whose current refresh token that is.
    ///
    /// # Errors
    ///
    /// Those of the database.
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
        // A list is filled up with what is in it already: a row is changed once.
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

    async fn not_rotated(&self, rotation: &NewRotation) -> Result<Rotation, Error> {
        let spent = find_spent(&self.reader, rotation.presented).await?;
        Ok(
            spent.map_or(Rotation::Void, |(spent, session)| Rotation::Spent {
                session: SessionRow::from(&session),
                key_id: spent.key_id,
                spent_at: spent.spent_at,
                is_refreshable: session.ended_at.is_none()
                    && session.refresh_revoked_at.is_none()
                    && session.refresh_expires_at > stored_time(rotation.at),
            }),
        )
    }
}

/// The new hash, and whose it is.
fn row_of(row: &QueryResult) -> Result<(Vec<u8>, SessionRow), DbErr> {
    let session = SessionRow {
        id: SessionId::from_uuid(row.try_get("", "id")?),
        user: UserId::from_uuid(row.try_get("", "user_id")?),
        organization: OrganizationId::from_uuid(row.try_get("", "organization_id")?),
    };
    Ok((row.try_get("", "refresh_hash")?, session))
}

/// The text of the statement behind [`Store::rotate`].
pub(super) fn statement(backend: DbBackend, length: usize) -> String {
    const ROW: [&str; 5] = ["bytea", "bytea", "varchar", "timestamptz", "timestamptz"];
    let row = |at: usize| {
        let value = |(n, of)| match backend {
            DbBackend::Sqlite => "?".to_owned(),
            // Nothing else tells it the types.
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
