//! The domains of one's own, as `GET /policies` lists them.

use serde::Serialize;

use charter_domain::timestamp;

use crate::state::{DomainState, State};

#[derive(Serialize)]
pub(super) struct DomainBody {
    name: String,
    /// Of the policies in force; null if the domain has none.
    digest: Option<String>,
    /// Since when a newer folder is refused; null if none is.
    refused_since: Option<String>,
}

impl DomainBody {
    /// By name.
    pub(super) fn all(state: &State) -> Vec<Self> {
        let domains = state.domains.all().into_iter();
        domains.map(|(name, found)| Self::of(name, found)).collect()
    }

    fn of(name: String, DomainState { in_force, health }: DomainState) -> Self {
        Self {
            name,
            digest: in_force.map(|domain| domain.snapshot().digest().to_string()),
            refused_since: health
                .refused
                .as_ref()
                .map(|refused| timestamp::format(refused.since)),
        }
    }
}
