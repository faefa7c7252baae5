//! One look at the table `changes`: which rows are new since the look before.
//!
//! On SQLite rows are found by number: writers follow one another, so the order of numbers is the order of commits.
//! On PostgreSQL it is not: a transaction that took its number early may commit late. There a row has the id of its
//! transaction, and a look finds the rows of those transactions that were open, or had not begun, at the snapshot of
//! the look before: exactly those that it could not see. However old the oldest open one is, of whichever database of
//! the server, nothing is read twice.
//!
//! A position means nothing beyond its connection. A standby that was promoted, and a server that has crashed, give ids
//! of transactions again that are lost there: a write may have one that the look before took for seen.

use sea_orm::prelude::Uuid;
use sea_orm::{ConnectionTrait, DbBackend, Statement};

use crate::Error;
use crate::connect::Connection;
use charter_domain::id::OrganizationId;

/// Both texts give a row at least: the next look's position is in it.
const SQLITE: &str = "SELECT CAST(coalesce((SELECT seq + 1 FROM sqlite_sequence WHERE name = 'changes'), 1) AS TEXT) \
     AS next, id, organization_id FROM (SELECT 1) LEFT JOIN changes ON id >= CAST(? AS INTEGER)";
/// `$1` is the first transaction that had not begun, `$2` those that were open.
const POSTGRES: &str = "SELECT pg_current_snapshot()::text AS next, id, organization_id FROM (SELECT 1) AS one \
     LEFT JOIN changes ON transaction_id >= $1 OR transaction_id = ANY ($2::text::bigint[])";

/// What came since the look before.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum News {
    /// Of these organizations.
    Organizations(Vec<OrganizationId>),
    /// It may concern everybody, or cannot be known.
    Everybody,
}

/// What a look could see: all rows of other positions.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Position {
    /// The first row, or transaction, that was not there yet.
    pub(super) end: i64,
    /// Transactions before it that were open.
    pub(super) open: Vec<i64>,
}

/// Behind all rows.
static NEWEST: Position = Position {
    end: i64::MAX,
    open: Vec::new(),
};

/// How far the table has been read, and over which connection; `None` before the first look.
#[derive(Debug, Default)]
pub(super) struct Cursor(Option<(u64, Position)>);

impl Cursor {
    /// Reads the new rows. The first look over a connection only finds the position.
    ///
    /// # Errors
    ///
    /// Those of the database; then nothing was read.
    pub(super) async fn look(&mut self, connection: &Connection) -> Result<News, Error> {
        let before = self.0.as_ref().map_or(&NEWEST, |(_, before)| before);
        let (next, changed) = read(connection, before).await?;
        Ok(self.take(connection.number(), next, changed))
    }

    /// What the latest look could see, and over which connection.
    pub(super) const fn latest(&self) -> Option<&(u64, Position)> {
        self.0.as_ref()
    }

    fn take(
        &mut self,
        connection: u64,
        next: Position,
        changed: Vec<Option<OrganizationId>>,
    ) -> News {
        let end = next.end;
        let before = self.0.replace((connection, next));
        let organizations: Option<Vec<_>> = changed.into_iter().collect();
        // A file that was put back to an earlier state has lower positions.
        let follows = before.is_some_and(|(over, before)| over == connection && before.end <= end);
        match organizations {
            Some(organizations) if follows => News::Organizations(organizations),
            _ => News::Everybody,
        }
    }
}

/// Where the next look begins, and whose rows are not before that position; `None` for one that may concern everybody.
async fn read(
    connection: &Connection,
    from: &Position,
) -> Result<(Position, Vec<Option<OrganizationId>>), Error> {
    let backend = connection.get_database_backend();
    let statement = if backend == DbBackend::Sqlite {
        Statement::from_sql_and_values(backend, SQLITE, [from.end.into()])
    } else {
        let values = [from.end.into(), array(&from.open).into()];
        Statement::from_sql_and_values(backend, POSTGRES, values)
    };
    let rows = connection.query_all_raw(statement).await?;
    let mut next = None;
    let mut changed = Vec::with_capacity(rows.len());
    for row in &rows {
        if next.is_none() {
            next = Position::parse(&row.try_get::<String>("", "next")?);
        }
        let id: Option<i64> = row.try_get("", "id")?;
        if id.is_some() {
            let organization: Option<Uuid> = row.try_get("", "organization_id")?;
            changed.push(organization.map(OrganizationId::from_uuid));
        }
    }
    let next = next.ok_or_else(|| Error::Unexpected("no place in `changes`".into()))?;
    Ok((next, changed))
}

/// Written as PostgreSQL reads an array.
pub(super) fn array(ids: &[i64]) -> String {
    let ids: Vec<_> = ids.iter().map(ToString::to_string).collect();
    format!("{{{}}}", ids.join(","))
}

impl Position {
    /// A number, or a `pg_snapshot`: the oldest open transaction, the end, and those that are open.
    fn parse(text: &str) -> Option<Self> {
        let Some((_, rest)) = text.split_once(':') else {
            let end = text.parse().ok()?;
            let open = Vec::new();
            return Some(Self { end, open });
        };
        let (end, open) = rest.split_once(':')?;
        let open = open.split(',').filter(|id| !id.is_empty());
        Some(Self {
            end: end.parse().ok()?,
            open: open.map(|id| id.parse().ok()).collect::<Option<_>>()?,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn organization(number: u128) -> OrganizationId {
        OrganizationId::from_uuid(Uuid::from_u128(number))
    }

    fn at(text: &str) -> Position {
        Position::parse(text).expect("a position")
    }

    #[test]
    fn positions_are_numbers_or_snapshots() {
        let is = |text, end, open: &[i64]| {
            let open = open.to_vec();
            assert_eq!(Position::parse(text), Some(Position { end, open }));
        };
        is("7", 7, &[]);
        is("7:7:", 7, &[]);
        is("5:9:5,7", 9, &[5, 7]);
        for text in ["", "x", "5:9", "5:x:", "5:9:x"] {
            assert_eq!(Position::parse(text), None, "{text}");
        }
        assert_eq!(array(&[]), "{}");
        assert_eq!(array(&[5, 7]), "{5,7}");
    }

    #[test]
    fn changes_of_unknown_extent_are_told_to_everybody() {
        let mut cursor = Cursor::default();
        let mut take = |connection, text, changed| cursor.take(connection, at(text), changed);
        assert_eq!(take(1, "7", vec![]), News::Everybody, "the first");
        let told = take(1, "8", vec![Some(organization(1))]);
        assert_eq!(told, News::Organizations(vec![organization(1)]));
        let of_all = vec![Some(organization(1)), None];
        assert_eq!(take(1, "9", of_all), News::Everybody);
        assert_eq!(take(1, "5", vec![]), News::Everybody, "put back");
        let told = take(1, "5:6:5", vec![]);
        assert_eq!(told, News::Organizations(vec![]));
        let elsewhere = take(2, "9", vec![Some(organization(1))]);
        assert_eq!(elsewhere, News::Everybody, "another connection");
        assert_eq!(take(2, "9", vec![]), News::Organizations(vec![]));
    }
}
