//! The policy domains' part of readiness.

use std::collections::BTreeMap;

use serde::Serialize;

use super::in_force::InForce;
use crate::state::{DomainState, Domains as State};

/// Each domain on its own: a broken one does not affect the others.
#[derive(Serialize)]
pub(super) struct Domains(BTreeMap<String, Domain>);

#[derive(Serialize)]
struct Domain {
    #[serde(flatten)]
    in_force: InForce,
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
        let is_broken = self.0.values().any(|domain| domain.in_force.status != "ok");
        if is_broken { "degraded" } else { "ok" }
    }
}

impl From<DomainState> for Domain {
    fn from(DomainState { in_force, health }: DomainState) -> Self {
        let snapshot = in_force.as_ref().map(|domain| &**domain.snapshot());
        Self {
            in_force: InForce::of(snapshot, &health),
            refused: health.refused.as_ref().map(|it| it.reason.clone()),
            warnings: health.warnings.clone(),
        }
    }
}
