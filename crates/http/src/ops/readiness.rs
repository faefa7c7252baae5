//! Readiness of the service, by part.

use std::time::Duration;

use salvo::http::StatusCode;
use serde::Serialize;

use super::domains::Domains;
use super::part::Part;
use super::policies::Policies;
use super::{decision_log, replay_guard};
use crate::state::State;

/// Time limit for the database's answer.
const PING_DEADLINE: Duration = Duration::from_secs(2);

#[derive(Serialize)]
pub(super) struct Readiness {
    pub(super) status: &'static str,
    /// Present only while the service stops.
    #[serde(skip_serializing_if = "Option::is_none")]
    stop: Option<Part>,
    database: Part,
    audit_heads: Part,
    replay_guard: Part,
    decision_log: Part,
    disk: Part,
    policies: Policies,
    #[serde(skip_serializing_if = "Domains::is_empty")]
    domains: Domains,
    replicas: Part,
}

/// `ok`, `degraded` or `unavailable`.
pub async fn status(state: &State) -> &'static str {
    Readiness::of(state).await.status
}

impl Readiness {
    pub(super) async fn of(state: &State) -> Self {
        let ping = tokio::time::timeout(PING_DEADLINE, state.store_health.ping()).await;
        let database = match ping {
            // Reads are served; the next write shows whether the fault is over.
            Ok(Ok(())) => Part::from(state.store_health.fault(), "degraded"),
            Ok(Err(error)) => Part::from(Some(error.to_string()), "unavailable"),
            Err(_elapsed) => {
                let late = format!("no answer within {} s", PING_DEADLINE.as_secs());
                Part::from(Some(late), "unavailable")
            }
        };
        let replay_guard = replay_guard::part(&state.nonces.status());
        let policies = Policies::of(&state.engine, state.clock.now());
        let domains = Domains::of(&state.domains);
        let decision_log = decision_log::part(state.decisions.status());
        let audit_heads = Part::from(state.store_health.audit_heads_fault(), "degraded");
        let disk = Part::from(state.disk.found(), "degraded");
        let replicas = Part::from(state.replicas.found(), "degraded");
        let stop = state.stopping.is_cancelled().then(|| Part {
            status: "unavailable",
            reason: Some("the service is stopping".to_owned()),
        });
        let parts = [
            stop.as_ref().map_or("ok", |stop| stop.status),
            database.status,
            audit_heads.status,
            replay_guard.status,
            decision_log.status,
            disk.status,
            policies.in_force.status,
            domains.status(),
            replicas.status,
        ];
        let status = ["unavailable", "degraded"]
            .into_iter()
            .find(|status| parts.contains(status))
            .unwrap_or("ok");
        Self {
            status,
            stop,
            database,
            audit_heads,
            replay_guard,
            decision_log,
            disk,
            policies,
            domains,
            replicas,
        }
    }

    pub(super) fn status_code(&self) -> StatusCode {
        if self.status == "unavailable" {
            StatusCode::SERVICE_UNAVAILABLE
        } else {
            StatusCode::OK
        }
    }
}
