//! Sessions: read on every request with a bearer token, and ended.
//!
//! Ending a session writes its row, so it happens either before a refresh or after it.

use std::net::IpAddr;

use sea_orm::ActiveValue::Set;
use sea_orm::sea_query::{Alias, Expr, ExprTrait as _, Query};
use sea_orm::{
    ColumnTrait, ConnectionTrait, DbBackend, EntityTrait, FromQueryResult, QueryResult, Statement,
};
use serde_json::{Value, json};

use super::audit::{Action, AuditEntry, Changes};
use super::entity::{organization, session, spent_refresh_token, stored_time, user};
use super::joined::{columns, join, text};
use super::write::Write;
use super::{Error, Store, session_upkeep};
use charter_budgets::Resource;
use charter_domain::audit::AuditContext;
use charter_domain::caller::UserCaller;
use charter_domain::id::{OrganizationId, SessionId, UserId};
use charter_domain::session::TokenHash;
use charter_domain::timestamp::Timestamp;

/// A session to create.
#[derive(Debug, Clone)]
pub struct NewSession {
    pub id: SessionId,
    /// Hash of the first refresh token.
    pub refresh_hash: TokenHash,
    pub refresh_expires_at: Timestamp,
    pub user_agent: Option<String>,
}

/// The ids of a session.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SessionRow {
    pub id: SessionId,
    pub user: UserId,
    pub organization: OrganizationId,
}

/// Why a session ends early.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ending {
    /// The user signed out.
    SignOut,
    /// A spent refresh token was used again, from this address.
    Reuse(IpAddr),
}

impl Ending {
    const fn as_str(self) -> &'static str {
        match self {
            Self::SignOut => "SignOut",
            Self::Reuse(_) => "ReuseRefreshToken",
        }
    }

    fn details(self) -> Value {
        match self {
            Self::SignOut => json!({}),
            Self::Reuse(from) => json!({"source_ip": from}),
        }
    }
}

/// Sessions in one statement.
pub const MOST_AT_ONCE: usize = 64;
const SESSION: &str = "s_id";
const USER: &str = "u_";
const ORGANIZATION: &str = "o_";

impl Store {
    /// The users and organizations of those sessions that have not ended, disabled users included. One statement
    /// for each 64 sessions.
    pub async fn find_sessions(
        &self,
        ids: &[SessionId],
    ) -> Result<Vec<(SessionId, Result<UserCaller, Error>)>, Error> {
        let mut found = Vec::with_capacity(ids.len());
        for ids in ids.chunks(MOST_AT_ONCE) {
            let Some(text) = statement_for(&self.find_sessions, ids.len()) else {
                continue;
            };
            // Repeat values to fill the list.
            let (text, length) = text;
            let values = ids.iter().cycle().take(*length).map(|id| id.uuid().into());
            let backend = self.reader.get_database_backend();
            let statement = Statement::from_sql_and_values(backend, text, values);
            for row in self.reader.query_all_raw(statement).await? {
                let id = SessionId::from_uuid(row.try_get("", SESSION)?);
                found.push((id, caller(id, &row)));
            }
        }
        Ok(found)
    }

    /// The session whose refresh token this is or was, ended or not.
    pub async fn find_session_of_refresh_token(
        &self,
        presented: TokenHash,
    ) -> Result<Option<SessionRow>, Error> {
        if let Some(session) = self.find_session_to_refresh(presented).await? {
            return Ok(Some(session));
        }
        let spent = find_spent(&self.reader, presented).await?;
        Ok(spent.map(|(_, session)| SessionRow::from(&session)))
    }

    /// Ends a session. Does nothing if it has ended.
    pub async fn end_session(
        &self,
        ended: SessionRow,
        why: Ending,
        by: &AuditContext,
    ) -> Result<(), Error> {
        let (mut write, _) = self.begin_within(ended.organization, by).await?;
        if session_upkeep::end(&write, session::Column::Id.eq(ended.id.uuid())).await? == 0 {
            return write.confirm().await;
        }
        let entry = AuditEntry {
            action: Action::User(why.as_str()),
            resource: ended.user.to_string(),
            changes: Changes::between(json!({"session": ended.id.to_string()}), why.details()),
        };
        write.record(ended.organization, entry).await?;
        write.commit().await
    }
}

impl From<&session::Model> for SessionRow {
    fn from(row: &session::Model) -> Self {
        Self {
            id: SessionId::from_uuid(row.id),
            user: UserId::from_uuid(row.user_id),
            organization: OrganizationId::from_uuid(row.organization_id),
        }
    }
}

#[expect(clippy::disallowed_methods, reason = "the store makes callers")]
fn caller(id: SessionId, row: &QueryResult) -> Result<UserCaller, Error> {
    Ok(UserCaller::new(
        Some(id),
        user::Model::from_query_result(row, USER)?.into(),
        organization::Model::from_query_result(row, ORGANIZATION)?.try_into()?,
    ))
}

/// A spent token and its session.
pub(super) async fn find_spent(
    connection: &impl ConnectionTrait,
    hash: TokenHash,
) -> Result<Option<(spent_refresh_token::Model, session::Model)>, Error> {
    let spent = spent_refresh_token::Entity::find_by_id(hash.to_vec());
    let Some(spent) = spent.one(connection).await? else {
        return Ok(None);
    };
    let session = session::Entity::find_by_id(spent.session_id)
        .one(connection)
        .await?;
    Ok(session.map(|session| (spent, session)))
}

/// Inserts a session. Ends and returns the oldest open ones beyond the limit. The caller holds a lock on the
/// user's row.
pub(super) async fn insert(
    write: &Write<'_>,
    organization: OrganizationId,
    user: UserId,
    new: NewSession,
) -> Result<Vec<SessionId>, Error> {
    let ended = session_upkeep::end_oldest(write, user).await?;
    let row = session::ActiveModel {
        id: Set(new.id.uuid()),
        organization_id: Set(organization.uuid()),
        user_id: Set(user.uuid()),
        refresh_hash: Set(new.refresh_hash.to_vec()),
        generation: Set(1),
        refresh_expires_at: Set(stored_time(new.refresh_expires_at)),
        refresh_revoked_at: Set(None),
        rotated_at: Set(None),
        rotation_key_id: Set(None),
        ended_at: Set(None),
        user_agent: Set(new.user_agent),
        created_at: Set(write.at()),
    };
    session::Entity::insert(row)
        .exec_without_returning(&write.transaction)
        .await?;
    // Not refused if the budget is used up, so that an organization's other changes never block its sign-ins.
    let budgets = &write.store.budgets;
    budgets.spend(Resource::Writes, organization, 1);
    Ok(ended)
}

/// Ends all sessions of a user.
pub(super) async fn end_all(write: &Write<'_>, user: UserId) -> Result<(), Error> {
    session_upkeep::end(write, session::Column::UserId.eq(user.uuid())).await?;
    Ok(())
}

/// The statements for 1, 2, 4 … 64 sessions, so that the database prepares few of them; built once.
pub(super) fn statements(
    backend: DbBackend,
    of_length: impl Fn(DbBackend, usize) -> String,
) -> Vec<(String, usize)> {
    let lengths = std::iter::successors(Some(1), |length| Some(length * 2));
    lengths
        .take_while(|length| *length <= MOST_AT_ONCE)
        .map(|length| (of_length(backend, length), length))
        .collect()
}

/// The shortest statement for that many.
pub(super) fn statement_for(
    statements: &[(String, usize)],
    count: usize,
) -> Option<&(String, usize)> {
    statements
        .iter()
        .find(|(_, length)| count > 0 && *length >= count)
}

/// The query of [`Store::find_sessions`].
pub(super) fn statement(backend: DbBackend, length: usize) -> String {
    let mut query = Query::select();
    let id = Expr::col((session::Entity, session::Column::Id));
    query.expr_as(id, Alias::new(SESSION));
    columns::<user::Entity>(&mut query, USER);
    columns::<organization::Entity>(&mut query, ORGANIZATION);
    query.from(session::Entity);
    join(&mut query, user::Column::Id, session::Column::UserId);
    join(
        &mut query,
        organization::Column::Id,
        session::Column::OrganizationId,
    );
    query
        .and_where(Expr::col((session::Entity, session::Column::EndedAt)).is_null())
        .and_where(session::Column::Id.is_in(vec![sea_orm::prelude::Uuid::nil(); length]));
    text(&query, backend)
}
