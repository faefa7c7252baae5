//! The policy domains' part of readiness.

use std::collections::BTreeMap;

use charter_domain::timestamp;
use serde::Serialize;

use crate::state::{DomainState, Domains as State};

/// Each domain on its own: a broken one does not affect the others.
#[derive(Serialize)]
pub(super) struct Domains(BTreeMap<String, Domain>);

#[derive(Serialize)]
struct Domain {
    status: &'static str,
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
    /// Why the current folder was refused.
    #[serde(skip_serializing_if = "Option::is_none")]
    refused: Option<String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    warnings: Vec<String>,
}

impl Domains {
    pub(super) fn of(state: &State) -> Self {
        let domains = state.all().into_iter();
        Self(
            domains
                .map(|(name, state)| (name, Domain::from(state)))
                .collect(),
        )
    }

    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub(super) fn status(&self) -> &'static str {
        let is_broken = self.0.values().any(|domain| domain.status != "ok");
        if is_broken { "degraded" } else { "ok" }
    }
}

impl From<DomainState> for Domain {
    fn from(DomainState { in_force, health }: DomainState) -> Self {
        let status = if health.is_degraded() {
            "degraded"
        } else {
            "ok"
        };
        Self {
            status,
            digest: in_force.map(|domain| domain.snapshot().digest().to_string()),
            folder_digest: health.whole_digest.as_deref().map(str::to_owned),
            since: health.since.map(timestamp::format),
            failed_checks: health.failed_checks.clone(),
            refused: health.refused.as_ref().map(|it| it.reason.clone()),
            warnings: health.warnings.clone(),
        }
    }
}
