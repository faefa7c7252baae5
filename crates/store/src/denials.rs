//! Denied decisions of all replicas, as the decision log's records.

use std::time::Duration;

use sea_orm::prelude::Uuid;
use sea_orm::sea_query::OnConflict;
use sea_orm::{
    ColumnTrait, EntityTrait, IntoActiveModel, QueryFilter, QueryOrder, QuerySelect,
    TryInsertResult,
};

use super::entity::denial::{Column, Entity, Model};
use super::entity::stored_time;
use super::{Error, Store};
use charter_domain::entropy::Entropy;
use charter_domain::id::{DecisionId, OrganizationId};
use charter_domain::timestamp::Timestamp;

/// A denied decision.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Denial {
    pub id: DecisionId,
    /// `None` for a domain of one's own, whose decisions belong to none.
    pub organization: Option<OrganizationId>,
    pub at: Timestamp,
    /// The record as JSON.
    pub record: String,
}

/// Which denials are listed.
#[derive(Debug, Clone, Copy)]
pub struct DenialQuery {
    /// `None` for those of all organizations and domains.
    pub organization: Option<OrganizationId>,
    /// Exclusive.
    pub before: Option<DecisionId>,
    /// Inclusive.
    pub since: Option<Timestamp>,
    /// Exclusive.
    pub until: Option<Timestamp>,
    pub limit: usize,
}

impl Store {
    /// Adds them; those that are there already stay as they are.
    pub async fn add_denials(&self, denials: Vec<Denial>) -> Result<(), Error> {
        let rows = denials.into_iter().map(|denial| {
            let row = Model {
                id: denial.id.uuid(),
                organization_id: denial
                    .organization
                    .map_or(Uuid::nil(), OrganizationId::uuid),
                decided_at: stored_time(denial.at),
                record: denial.record,
            };
            row.into_active_model()
        });
        let known = OnConflict::column(Column::Id).do_nothing().to_owned();
        let added = Entity::insert_many(rows)
            .on_conflict(known)
            .try_insert()
            .exec_without_returning(&self.writer)
            .await?;
        match added {
            TryInsertResult::Empty | TryInsertResult::Conflicted | TryInsertResult::Inserted(_) => {
                Ok(())
            }
        }
    }

    /// One denial, of whichever organization: its record says of which.
    pub async fn find_denial(&self, id: DecisionId) -> Result<Option<Denial>, Error> {
        let row = Entity::find_by_id(id.uuid()).one(&self.reader).await?;
        Ok(row.map(Denial::from))
    }

    /// Denials of all replicas, the newest first.
    pub async fn list_denials(&self, query: &DenialQuery) -> Result<Vec<Denial>, Error> {
        let mut rows = Entity::find()
            .order_by_desc(Column::Id)
            .limit(query.limit as u64);
        if let Some(organization) = query.organization {
            rows = rows.filter(Column::OrganizationId.eq(organization.uuid()));
        }
        if let Some(before) = query.before {
            rows = rows.filter(Column::Id.lt(before.uuid()));
        }
        // An id begins with its time, so that what is newer is not looked through. A record's time may have whole
        // seconds only.
        if let Some(since) = query.since {
            rows = rows
                .filter(Column::DecidedAt.gte(stored_time(since)))
                .filter(Column::Id.gte(first_id(since)));
        }
        if let Some(until) = query.until {
            rows = rows
                .filter(Column::DecidedAt.lt(stored_time(until)))
                .filter(Column::Id.lt(first_id(until + Duration::from_secs(1))));
        }
        let rows = rows.all(&self.reader).await?;
        Ok(rows.into_iter().map(Denial::from).collect())
    }

    /// Drops those that are older; how many there were.
    pub async fn forget_denials_before(&self, at: Timestamp) -> Result<u64, Error> {
        let gone = Entity::delete_many()
            .filter(Column::DecidedAt.lt(stored_time(at)))
            .exec(&self.writer)
            .await?;
        Ok(gone.rows_affected)
    }
}

/// The least id of that time.
fn first_id(at: Timestamp) -> Uuid {
    DecisionId::generate(at, &Zeros).uuid()
}

struct Zeros;

impl Entropy for Zeros {
    fn fill(&self, buffer: &mut [u8]) {
        buffer.fill(0);
    }
}

impl From<Model> for Denial {
    fn from(row: Model) -> Self {
        Self {
            id: DecisionId::from_uuid(row.id),
            organization: (!row.organization_id.is_nil())
                .then(|| OrganizationId::from_uuid(row.organization_id)),
            at: row.decided_at,
            record: row.record,
        }
    }
}
