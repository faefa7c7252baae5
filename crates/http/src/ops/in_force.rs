//! What readiness says of policies in force, the built-in ones or those of a domain.

use charter_authz::policy_health::PolicyHealth;
use charter_authz::snapshot::Snapshot;
use charter_domain::timestamp;
use serde::Serialize;

#[derive(Serialize)]
pub(super) struct InForce {
    pub(super) status: &'static str,
    /// Of the policies in force.
    #[serde(skip_serializing_if = "Option::is_none")]
    digest: Option<String>,
    /// Of the whole folder in force, including invariants and examples.
    #[serde(skip_serializing_if = "Option::is_none")]
    folder_digest: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    since: Option<String>,
    /// Gates that the policies in force did not pass.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    failed_checks: Vec<String>,
}

impl InForce {
    pub(super) fn of(snapshot: Option<&Snapshot>, health: &PolicyHealth) -> Self {
        Self {
            status: if health.is_degraded() {
                "degraded"
            } else {
                "ok"
            },
            digest: snapshot.map(|snapshot| snapshot.digest().to_string()),
            folder_digest: health.whole_digest.as_deref().map(str::to_owned),
            since: health.since.map(timestamp::format),
            failed_checks: health.failed_checks.clone(),
        }
    }
}
