//! The policy domains' part of readiness.

use std::collections::BTreeMap;

use serde::Serialize;

use crate::state::Domains as State;

/// Each domain on its own: a broken one does not affect the others.
#[derive(Serialize)]
pub(super) struct Domains(BTreeMap<String, Domain>);

#[derive(Serialize)]
struct Domain {
    status: &'static str,
    /// Of the policies in force.
    #[serde(skip_serializing_if = "Option::is_none")]
    digest: Option<String>,
    /// Why the current folder was refused.
    #[serde(skip_serializing_if = "Option::is_none")]
    refused: Option<String>,
}

impl Domains {
    pub(super) fn of(state: &State) -> Self {
        let each = state.all().into_iter().map(|(name, domain)| {
            let snapshot = domain.in_force.as_ref().map(|domain| domain.snapshot());
            let shown = Domain {
                status: if domain.refused.is_some() {
                    "degraded"
                } else {
                    "ok"
                },
                digest: snapshot.map(|snapshot| snapshot.digest().to_string()),
                refused: domain.refused,
            };
            (name, shown)
        });
        Self(each.collect())
    }

    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub(super) fn status(&self) -> &'static str {
        let is_broken = self.0.values().any(|domain| domain.status != "ok");
        if is_broken { "degraded" } else { "ok" }
    }
}
