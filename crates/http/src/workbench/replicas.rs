//! `GET /replicas`: the processes that serve the database.

use std::collections::BTreeMap;

use charter_macros::boxed;
use salvo::prelude::Json;
use salvo::{Depot, Request, handler};
use serde::Serialize;

use charter_domain::timestamp::{self, Timestamp};
use charter_store::Replica;

use super::admission::OperatorRequest;
use crate::extract::query::NoParameters;
use crate::respond::ApiError;

/// Lists them, oldest first.
#[handler]
#[boxed]
pub(super) async fn list(
    request: &mut Request,
    depot: &mut Depot,
) -> Result<Json<ReplicasBody>, ApiError> {
    let asked = OperatorRequest::of(request, depot)?;
    NoParameters::check(request)?;
    let replicas = asked.operator().replicas().await?;
    let now = asked.state.clock.now();
    let body = |replica| ReplicaBody::of(replica, now);
    Ok(Json(ReplicasBody {
        results: replicas.into_iter().map(body).collect(),
    }))
}

#[derive(Serialize)]
pub(super) struct ReplicasBody {
    results: Vec<ReplicaBody>,
}

#[derive(Serialize)]
pub(super) struct ReplicaBody {
    /// A new one at each start.
    id: String,
    /// The machine's name and the process id.
    host: String,
    version: String,
    started_at: String,
    /// Of the policies in force there.
    policy_digest: String,
    /// The same of domains of one's own, by name; null for an older version.
    domain_digests: Option<BTreeMap<String, String>>,
    /// `ok`, `degraded` or `unavailable`, as in its `/readyz`; `lost` without a recent heartbeat.
    readiness: String,
    /// Time of its last heartbeat: one each two seconds. Lost ones are listed for an hour.
    seen_at: String,
}

impl ReplicaBody {
    pub(super) fn of(replica: Replica, now: Timestamp) -> Self {
        let is_lost = replica.is_lost(now);
        Self {
            id: replica.id,
            host: replica.host,
            version: replica.version,
            started_at: timestamp::format(replica.started_at),
            policy_digest: replica.policy_digest,
            domain_digests: replica.domain_digests,
            readiness: if is_lost {
                "lost".to_owned()
            } else {
                replica.readiness
            },
            seen_at: timestamp::format(replica.seen_at),
        }
    }
}
