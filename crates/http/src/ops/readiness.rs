//! Readiness of the service, by part.

use std::time::Duration;

use metrics::gauge;
use salvo::http::StatusCode;
use serde::Serialize;

use super::domains::Domains;
use super::part::ReadinessPart;
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
    stop: Option<ReadinessPart>,
    database: ReadinessPart,
    audit_heads: ReadinessPart,
    keys: ReadinessPart,
    replay_guard: ReadinessPart,
    decision_log: ReadinessPart,
    disk: ReadinessPart,
    policies: Policies,
    #[serde(skip_serializing_if = "Domains::is_empty")]
    domains: Domains,
    replicas: ReadinessPart,
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
            Ok(Ok(())) => ReadinessPart::from(state.store_health.fault(), "degraded"),
            Ok(Err(error)) => ReadinessPart::from(Some(error.to_string()), "unavailable"),
            Err(_elapsed) => {
                let late = format!("no answer within {} s", PING_DEADLINE.as_secs());
                ReadinessPart::from(Some(late), "unavailable")
            }
        };
        let replay_guard = replay_guard::part(&state.nonces.status());
        let policies = Policies::of(&state.engine, state.clock.now());
        let domains = Domains::of(&state.domains);
        let decision_log = decision_log::part(state.decisions.status());
        let audit_heads = ReadinessPart::from(state.store_health.audit_heads_fault(), "degraded");
        let keys = ReadinessPart::from(state.keys.found(), "degraded");
        let disk = ReadinessPart::from(state.disk.found(), "degraded");
        let replicas = ReadinessPart::from(state.replicas.found(), "degraded");
        let stop = state.stopping.is_cancelled().then(|| ReadinessPart {
            status: "unavailable",
            reason: Some("the service is stopping".to_owned()),
        });
        let parts = [
            ("stop", stop.as_ref().map_or("ok", |stop| stop.status)),
            ("database", database.status),
            ("audit_heads", audit_heads.status),
            ("keys", keys.status),
            ("replay_guard", replay_guard.status),
            ("decision_log", decision_log.status),
            ("disk", disk.status),
            ("policies", policies.in_force.status),
            ("domains", domains.status()),
            ("replicas", replicas.status),
        ];
        for (part, status) in parts {
            let is_well = !matches!(status, "unavailable" | "degraded");
            gauge!("charter_ready", "part" => part).set(if is_well { 1.0 } else { 0.0 });
        }
        let status = ["unavailable", "degraded"]
            .into_iter()
            .find(|status| parts.iter().any(|(_, of_part)| of_part == status))
            .unwrap_or("ok");
        Self {
            status,
            stop,
            database,
            audit_heads,
            keys,
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
