//! One look at the table `changes`: which rows are new since the look before.
//!
//! Rows are found by position. On SQLite that is the row's number: writers follow one another, so the
//! order of numbers is the order of commits. On PostgreSQL it is not: a transaction that took its
//! number early may commit late. There the position is the id of the row's transaction, and a look
//! begins at the oldest transaction that was still open at the look before (`pg_snapshot_xmin`);
//! what was seen of those that are younger is remembered, so that it is not told twice.

use std::collections::HashSet;

use sea_orm::prelude::Uuid;
use sea_orm::{ConnectionTrait, DbBackend, Statement};

use crate::Error;
use crate::connect::Connection;
use charter_domain::id::OrganizationId;

/// Both texts give a row at least: the next look's position is in it.
const SQLITE: &str = "SELECT coalesce((SELECT seq + 1 FROM sqlite_sequence WHERE name = 'changes'), 1) AS next, \
     id, id AS position, organization_id FROM (SELECT 1) LEFT JOIN changes ON id >= ?";
const POSTGRES: &str = "SELECT pg_snapshot_xmin(pg_current_snapshot())::text::bigint AS next, \
     id, transaction_id AS position, organization_id FROM (SELECT 1) AS one LEFT JOIN changes ON transaction_id >= $1";

/// What came since the look before.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum News {
    /// Of these organizations.
    Organizations(Vec<OrganizationId>),
    /// It may concern everybody, or cannot be known.
    Everybody,
}

/// How far the table has been read.
#[derive(Debug, Default)]
pub(super) struct Cursor {
    /// `None` before the first look.
    next: Option<i64>,
    /// Numbers of the rows from there on that were seen already.
    seen: HashSet<i64>,
}

/// A row of `changes`.
struct Change {
    id: i64,
    position: i64,
    /// `None` for what may concern everybody.
    organization: Option<OrganizationId>,
}

impl Cursor {
    /// Where the next look begins; `None` before the first.
    pub(super) const fn next(&self) -> Option<i64> {
        self.next
    }

    /// Reads the new rows. The first look reads the rows that the second one would find again: however old the oldest
    /// open transaction is, none of them is new then.
    ///
    /// # Errors
    ///
    /// Those of the database; then nothing was read.
    pub(super) async fn look(&mut self, connection: &Connection) -> Result<News, Error> {
        let from = match self.next {
            Some(next) => next,
            None => read(connection, i64::MAX).await?.0,
        };
        let (next, changes) = read(connection, from).await?;
        Ok(self.take(next, &changes))
    }

    fn take(&mut self, next: i64, changes: &[Change]) -> News {
        let before = self.next.replace(next);
        let is_new = |change: &&Change| !self.seen.contains(&change.id);
        let organizations: Option<Vec<_>> = changes
            .iter()
            .filter(is_new)
            .map(|change| change.organization)
            .collect();
        let is_kept = |change: &&Change| change.position >= next;
        self.seen = changes.iter().filter(is_kept).map(|it| it.id).collect();
        match organizations {
            // A database that was put back to an earlier state has lower positions.
            Some(organizations) if before.is_some_and(|before| before <= next) => {
                News::Organizations(organizations)
            }
            _ => News::Everybody,
        }
    }
}

/// Where the next look begins, and the rows from that position on.
async fn read(connection: &Connection, from: i64) -> Result<(i64, Vec<Change>), Error> {
    let backend = connection.get_database_backend();
    let text = match backend {
        DbBackend::Sqlite => SQLITE,
        _ => POSTGRES,
    };
    let statement = Statement::from_sql_and_values(backend, text, [from.into()]);
    let rows = connection.query_all_raw(statement).await?;
    let mut next = None;
    let mut changes = Vec::with_capacity(rows.len());
    for row in &rows {
        next = Some(row.try_get("", "next")?);
        if let Some(id) = row.try_get("", "id")? {
            let organization: Option<Uuid> = row.try_get("", "organization_id")?;
            changes.push(Change {
                id,
                position: row.try_get("", "position")?,
                organization: organization.map(OrganizationId::from_uuid),
            });
        }
    }
    let next = next.ok_or_else(|| Error::Unexpected("no place in `changes`".into()))?;
    Ok((next, changes))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn organization(number: u128) -> OrganizationId {
        OrganizationId::from_uuid(Uuid::from_u128(number))
    }

    fn change(id: i64, position: i64) -> Change {
        let organization = Some(organization(id.unsigned_abs().into()));
        Change {
            id,
            position,
            organization,
        }
    }

    fn told(ids: &[u128]) -> News {
        News::Organizations(ids.iter().map(|id| organization(*id)).collect())
    }

    #[test]
    fn a_row_is_told_once_however_long_an_older_transaction_stays_open() {
        let mut cursor = Cursor::default();
        assert_eq!(cursor.take(100, &[]), News::Everybody, "the first look");
        // Transaction 100 is open; 101 and 102 have committed.
        let done = [change(1, 101), change(2, 102)];
        assert_eq!(cursor.take(100, &done), told(&[1, 2]));
        assert_eq!(cursor.take(100, &done), told(&[]));
        // It commits, with a number from before theirs.
        let [first, second] = done;
        let all = [change(3, 100), first, second];
        assert_eq!(cursor.take(103, &all), told(&[3]));
        assert!(cursor.seen.is_empty());
        assert_eq!(cursor.take(104, &[change(4, 103)]), told(&[4]));
    }

    #[test]
    fn what_concerns_everybody_and_what_cannot_be_known_is_told_to_everybody() {
        let mut cursor = Cursor::default();
        cursor.take(7, &[]);
        let of_all = Change {
            organization: None,
            ..change(1, 7)
        };
        assert_eq!(cursor.take(8, &[of_all]), News::Everybody);
        assert_eq!(cursor.take(5, &[]), News::Everybody, "put back");
        assert_eq!(cursor.take(5, &[]), told(&[]));
    }
}
