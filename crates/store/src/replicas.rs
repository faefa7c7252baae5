//! The processes that serve this database. Each updates its own row every few seconds.

use std::collections::BTreeMap;
use std::time::Duration;

use sea_orm::sea_query::OnConflict;
use sea_orm::{ColumnTrait, EntityTrait, IntoActiveModel, QueryFilter, QueryOrder, QuerySelect};
use serde_json::json;

use super::entity::replica::{Column, Entity, Model};
use super::entity::stored_time;
use super::{Error, Store};
use charter_domain::timestamp::Timestamp;

/// One process that serves the database.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Replica {
    /// Unique for each start of a process.
    pub id: String,
    /// Names the machine and the process for operators.
    pub host: String,
    /// The program's version.
    pub version: String,
    pub started_at: Timestamp,
    /// Digest of the policies in force there.
    pub policy_digest: String,
    /// The same of domains of one's own, by name; `None` of a version that does not tell.
    pub domain_digests: Option<BTreeMap<String, String>>,
    /// Digest of everything that it has taken from its policy folder; `None` of a version that does not tell.
    pub folder_digest: Option<String>,
    /// Identifies its `keys.replay`; `None` of a version that does not tell, or if it shares no nonces.
    pub replay_key: Option<String>,
    /// `ok`, `degraded` or `unavailable`, as its `/readyz` says.
    pub readiness: String,
    /// Its last sign of life, by its own clock. One that was killed keeps its row until it is
    /// [forgotten](Store::forget_replicas_before).
    pub seen_at: Timestamp,
}

/// A process with an older heartbeat counts as lost. Also bounds the difference between machines' clocks.
const ALIVE: Duration = Duration::from_secs(30);

impl Replica {
    /// Whether it has not been heard of for so long that it is counted no more.
    #[must_use]
    pub fn is_lost(&self, now: Timestamp) -> bool {
        is_lost(self.seen_at, now)
    }
}

fn is_lost(seen_at: Timestamp, now: Timestamp) -> bool {
    let age = now.signed_duration_since(seen_at).abs();
    age.to_std().is_ok_and(|age| age >= ALIVE)
}

impl Store {
    /// All of them, the oldest first, also those that are gone without a word.
    pub async fn list_replicas(&self) -> Result<Vec<Replica>, Error> {
        let rows = Entity::find()
            .order_by_asc(Column::StartedAt)
            .order_by_asc(Column::Id)
            .all(&self.reader)
            .await?;
        Ok(rows.into_iter().map(Replica::from).collect())
    }

    /// The hosts of those that are not lost. Also reads the table of earlier versions.
    pub async fn live_hosts(&self, now: Timestamp) -> Result<Vec<String>, Error> {
        let rows: Vec<(String, Timestamp)> = Entity::find()
            .select_only()
            .columns([Column::Host, Column::SeenAt])
            .into_tuple()
            .all(&self.reader)
            .await?;
        let live = rows.into_iter().filter(|(_, seen)| !is_lost(*seen, now));
        Ok(live.map(|(host, _)| host).collect())
    }

    /// Notes a sign of life.
    pub async fn note_replica(&self, replica: Replica) -> Result<(), Error> {
        let domain_digests = replica.domain_digests.map(|digests| json!(digests));
        let row = Model {
            domain_digests: domain_digests.map(|digests| digests.to_string()),
            started_at: stored_time(replica.started_at),
            seen_at: stored_time(replica.seen_at),
            id: replica.id,
            host: replica.host,
            version: replica.version,
            policy_digest: replica.policy_digest,
            folder_digest: replica.folder_digest,
            replay_key: replica.replay_key,
            readiness: replica.readiness,
        };
        let known = OnConflict::column(Column::Id)
            .update_columns([
                Column::PolicyDigest,
                Column::DomainDigests,
                Column::FolderDigest,
                Column::Readiness,
                Column::SeenAt,
            ])
            .to_owned();
        Entity::insert(row.into_active_model())
            .on_conflict(known)
            .exec_without_returning(&self.writer)
            .await?;
        Ok(())
    }

    /// Removes a process that ends.
    pub async fn forget_replica(&self, id: &str) -> Result<(), Error> {
        Entity::delete_by_id(id).exec(&self.writer).await?;
        Ok(())
    }

    /// Removes those without a sign of life since then.
    pub async fn forget_replicas_before(&self, seen_at: Timestamp) -> Result<(), Error> {
        Entity::delete_many()
            .filter(Column::SeenAt.lt(stored_time(seen_at)))
            .exec(&self.writer)
            .await?;
        Ok(())
    }
}

impl From<Model> for Replica {
    fn from(row: Model) -> Self {
        Self {
            id: row.id,
            host: row.host,
            version: row.version,
            started_at: row.started_at,
            policy_digest: row.policy_digest,
            folder_digest: row.folder_digest,
            replay_key: row.replay_key,
            readiness: row.readiness,
            seen_at: row.seen_at,
            domain_digests: row
                .domain_digests
                .and_then(|text| serde_json::from_str(&text).ok()),
        }
    }
}
