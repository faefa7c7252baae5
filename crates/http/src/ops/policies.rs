//! The policies' part of readiness.

use serde::Serialize;

use charter_authz::engine::Engine;
use charter_domain::timestamp::{self, Timestamp};

use super::in_force::InForce;

/// The policies in force, failed evaluations, and a newer folder that was refused.
#[derive(Serialize)]
pub(super) struct Policies {
    #[serde(flatten)]
    pub(super) in_force: InForce,
    /// Why the shadow policies cannot be used.
    #[serde(skip_serializing_if = "Option::is_none")]
    shadow: Option<String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    failing: Vec<FailingPolicy>,
    #[serde(skip_serializing_if = "Option::is_none")]
    refused: Option<RefusedFolder>,
    warnings: Vec<String>,
    not_run: Vec<String>,
}

/// A policy that could not be evaluated in the last 15 minutes.
#[derive(Serialize)]
struct FailingPolicy {
    policy: String,
    error: String,
    count: u64,
    last: String,
}

#[derive(Serialize)]
struct RefusedFolder {
    #[serde(skip_serializing_if = "Option::is_none")]
    digest: Option<String>,
    reason: String,
    since: String,
}

impl Policies {
    pub(super) fn of(engine: &Engine, now: Timestamp) -> Self {
        let health = engine.health();
        let snapshot = engine.snapshot();
        let failing = snapshot.failures(now).into_iter();
        let failing: Vec<FailingPolicy> = failing
            .map(|failure| FailingPolicy {
                policy: failure.policy,
                error: failure.message,
                count: failure.count,
                last: timestamp::format(failure.last),
            })
            .collect();
        let mut in_force = InForce::of(Some(&snapshot), &health);
        if !failing.is_empty() {
            in_force.status = "degraded";
        }
        Self {
            in_force,
            shadow: health.shadow.clone(),
            failing,
            refused: health.refused.as_ref().map(|refused| RefusedFolder {
                digest: refused.digest.as_deref().map(str::to_owned),
                reason: refused.reason.clone(),
                since: timestamp::format(refused.since),
            }),
            warnings: health.warnings.clone(),
            not_run: health.not_run.clone(),
        }
    }
}
