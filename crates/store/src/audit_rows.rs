//! Reads the events of the audit log row by row: one that cannot be read is told, and the others are read.

use sea_orm::sea_query::{Expr, ExprTrait as _, Query};
use sea_orm::{
    ColumnTrait, Condition, ConnectionTrait, DbBackend, DbErr, EntityTrait, FromQueryResult,
    IdenStatic as _, Iterable as _, QueryFilter, QueryOrder, QueryResult, QuerySelect, Select,
    prelude::Uuid,
};

use super::audit_mac::{Mac, to_mac};
use super::entity::{audit_event, installation_event};
use super::{Error, Store};

const BATCH: u64 = 1_000;

/// PostgreSQL's times go beyond those that the driver can represent; it would panic.
const REPRESENTABLE: &str = "CASE WHEN occurred_at < '10000-01-01T00:00:00Z' AND \
     occurred_at > '0001-01-01T00:00:00Z' THEN occurred_at END";
/// SQLite stores any blob as an id; and any type in any column, if someone has made the table anew.
const IS_ID: &str = "typeof(organization_id) = 'blob' AND length(organization_id) = 16";
const IS_NUMBER: &str = "typeof(sequence) = 'integer'";

/// An event whose place in a chain is known.
pub(super) struct EventRow<M> {
    pub(super) sequence: i64,
    pub(super) mac: Option<Mac>,
    pub(super) event: Result<M, Error>,
}

impl<M: FromQueryResult> FromQueryResult for EventRow<M> {
    fn from_query_result(row: &QueryResult, prefix: &str) -> Result<Self, DbErr> {
        let mac = row.try_get(prefix, "mac").map_err(Error::from);
        let mac = mac.and_then(|mac: Vec<u8>| to_mac(&mac));
        Ok(Self {
            sequence: row.try_get(prefix, "sequence")?,
            mac: mac.as_ref().ok().copied(),
            event: M::from_query_result(row, prefix)
                .map_err(Error::from)
                .and_then(|event| mac.map(|_| event)),
        })
    }
}

/// An event of an organization.
pub(super) struct OrganizationRow {
    pub(super) organization: Uuid,
    pub(super) row: EventRow<audit_event::Model>,
}

impl FromQueryResult for OrganizationRow {
    fn from_query_result(row: &QueryResult, prefix: &str) -> Result<Self, DbErr> {
        Ok(Self {
            organization: row.try_get(prefix, "organization_id")?,
            row: EventRow::from_query_result(row, prefix)?,
        })
    }
}

/// An event that is of no chain, because its organization or its number is none. In hexadecimal.
#[derive(FromQueryResult)]
pub(super) struct StrayRow {
    pub(super) organization: String,
    pub(super) sequence: String,
}

/// All events, with times that the driver can represent: others are null, which is no time.
pub(super) fn representable<E: EntityTrait>(events: Select<E>, backend: DbBackend) -> Select<E> {
    if backend != DbBackend::Postgres {
        return events;
    }
    let others = E::Column::iter().filter(|column| column.as_str() != "occurred_at");
    events
        .select_only()
        .columns(others)
        .column_as(Expr::cust(REPRESENTABLE), "occurred_at")
}

impl Store {
    /// The next events of all organizations by organization and number, after that one.
    pub(super) async fn events_after(
        &self,
        last: Option<(Uuid, i64)>,
    ) -> Result<Vec<OrganizationRow>, Error> {
        use audit_event::Column;
        // One comparison of both, which the primary key answers: of two with `OR` it is read from its beginning.
        let key = [Column::OrganizationId, Column::Sequence].map(Expr::col);
        let later = |(organization, sequence): (Uuid, i64)| {
            Expr::tuple(key).gt(Expr::tuple([organization.into(), sequence.into()]))
        };
        Ok(self
            .readable(audit_event::Entity::find(), &[IS_ID, IS_NUMBER])
            .filter(Condition::all().add_option(last.map(later)))
            .order_by_asc(Column::OrganizationId)
            .order_by_asc(Column::Sequence)
            .limit(BATCH)
            .into_model()
            .all(&self.reader)
            .await?)
    }

    /// The next events of the installation, after that number.
    pub(super) async fn installation_rows_after(
        &self,
        last: Option<i64>,
    ) -> Result<Vec<EventRow<installation_event::Model>>, Error> {
        use installation_event::Column;
        let later = last.map(|last| Column::Sequence.gt(last));
        Ok(self
            .readable(installation_event::Entity::find(), &[IS_NUMBER])
            .filter(Condition::all().add_option(later))
            .order_by_asc(Column::Sequence)
            .limit(BATCH)
            .into_model()
            .all(&self.reader)
            .await?)
    }

    fn readable<E: EntityTrait>(&self, events: Select<E>, keys: &[&'static str]) -> Select<E> {
        let backend = self.reader.get_database_backend();
        let events = representable(events, backend);
        keys.iter()
            .filter(|_| backend == DbBackend::Sqlite)
            .fold(events, |events, key| events.filter(Expr::cust(*key)))
    }

    /// The events of organizations that [`Self::events_after`] leaves out. PostgreSQL has none.
    pub(super) async fn stray_events(&self) -> Result<Vec<StrayRow>, Error> {
        if self.reader.get_database_backend() != DbBackend::Sqlite {
            return Ok(Vec::new());
        }
        let stray = Expr::cust(format!("({IS_ID} AND {IS_NUMBER})")).not();
        Ok(audit_event::Entity::find()
            .select_only()
            .column_as(
                Expr::cust("hex(substr(organization_id, 1, 32))"),
                "organization",
            )
            .column_as(Expr::cust("printf('%d', sequence)"), "sequence")
            .filter(stray)
            .order_by_asc(audit_event::Column::OrganizationId)
            .order_by_asc(audit_event::Column::Sequence)
            .into_model()
            .all(&self.reader)
            .await?)
    }

    /// Organizations without an event. What is no organization's id is left out.
    pub(super) async fn organizations_without_events(&self) -> Result<Vec<Uuid>, Error> {
        use super::entity::organization::{Column, Entity};
        let event = audit_event::Column::OrganizationId.as_column_ref();
        let events = Query::select()
            .expr(Expr::value(1))
            .from(audit_event::Entity)
            .and_where(Expr::col(event).equals(Column::Id.as_column_ref()))
            .take();
        let backend = self.reader.get_database_backend();
        let is_id = (backend == DbBackend::Sqlite).then(|| Expr::cust("length(id) = 16"));
        Ok(Entity::find()
            .select_only()
            .column(Column::Id)
            // PostgreSQL asks `NOT IN` all events for every organization.
            .filter(Expr::exists(events).not())
            .filter(Condition::all().add_option(is_id))
            .order_by_asc(Column::Id)
            .into_tuple()
            .all(&self.reader)
            .await?)
    }
}
