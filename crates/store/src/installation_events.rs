//! The audit log of the installation, for changes that belong to no organization. Its chain has the same form as
//! an organization's and is verified with them.

use sea_orm::prelude::{Expr, Uuid};
use sea_orm::{
    ColumnTrait, ConnectionTrait, DbBackend, EntityTrait, IntoActiveModel, QueryFilter, QueryOrder,
    QuerySelect,
};

use super::audit::{AuditEntry, Log};
use super::audit_heads::Head;
use super::audit_mac::{Link, Mac, ORIGIN, to_mac};
use super::connect::Transaction;
use super::entity::{audit_event, installation_event, stored_time};
use super::write::Write;
use super::{Error, Store};
use charter_domain::audit::AuditContext;

/// An arbitrary number that nothing else locks: `installn` in ASCII.
const LOCK: &str = "SELECT pg_advisory_xact_lock(7596291131003694190)";

/// Numbers and MACs of events, ascending.
type Links = Vec<(i64, Vec<u8>)>;

impl Log {
    /// Writes the next event of the installation. The caller holds its lock.
    pub(super) async fn append_for_installation(
        &self,
        transaction: &Transaction,
        by: &AuditContext,
        entry: AuditEntry,
    ) -> Result<(i64, Head), Error> {
        use installation_event::Column;
        let last: Option<(i64, Vec<u8>)> = installation_event::Entity::find()
            .select_only()
            .columns([Column::Sequence, Column::Mac])
            .order_by_desc(Column::Sequence)
            .into_tuple()
            .one(transaction)
            .await?;
        let last = match last {
            Some((sequence, mac)) => Link::new(sequence, &mac)?,
            None => Link::ORIGIN,
        };
        let event = self.event(Uuid::nil(), &last, by, stored_time(by.at), entry)?;
        let (sequence, head) = (event.sequence, Head::of(&event));
        let row = installation_event::Model::from(event).into_active_model();
        installation_event::Entity::insert(row)
            .exec_without_returning(transaction)
            .await?;
        Ok((sequence, head))
    }
}

impl Write<'_> {
    /// Serializes changes of the installation. On SQLite the transaction itself is the lock.
    pub(super) async fn lock_installation(&self) -> Result<(), Error> {
        if self.transaction.get_database_backend() == DbBackend::Postgres {
            self.transaction.execute_unprepared(LOCK).await?;
        }
        Ok(())
    }
}

impl Store {
    /// The event with that number, if its MAC is right for it and the previous event.
    pub(super) async fn authentic_event(
        &self,
        connection: &impl ConnectionTrait,
        sequence: i64,
    ) -> Result<Option<audit_event::Model>, Error> {
        let Some(event) = installation_event::Entity::find_by_id(sequence)
            .one(connection)
            .await?
        else {
            return Ok(None);
        };
        let previous = self.mac_before(connection, sequence).await?;
        let event = audit_event::Model::from(event);
        let expected = match previous {
            Some(previous) => self.audit.recompute(&previous, &event)?,
            None => None,
        };
        Ok(expected
            .is_some_and(|expected| expected.as_slice() == event.mac)
            .then_some(event))
    }

    /// `None` if that event is missing.
    async fn mac_before(
        &self,
        connection: &impl ConnectionTrait,
        sequence: i64,
    ) -> Result<Option<Mac>, Error> {
        use installation_event::Column;
        if sequence == 1 {
            return Ok(Some(ORIGIN));
        }
        let before: Links = installation_event::Entity::find_by_id(sequence.saturating_sub(1))
            .select_only()
            .columns([Column::Sequence, Column::Mac])
            .into_tuple()
            .all(connection)
            .await?;
        before.first().map(|(_, mac)| to_mac(mac)).transpose()
    }

    /// The number of the last event with that action about such a resource.
    pub(super) async fn last_installation_event(
        &self,
        connection: &impl ConnectionTrait,
        action: &str,
        resource: Expr,
    ) -> Result<Option<i64>, Error> {
        use installation_event::Column;
        let last: Option<Option<i64>> = installation_event::Entity::find()
            .select_only()
            .column_as(Column::Sequence.max(), "last")
            .filter(Column::Action.eq(action))
            .filter(resource)
            .into_tuple()
            .one(connection)
            .await?;
        Ok(last.flatten())
    }
}
