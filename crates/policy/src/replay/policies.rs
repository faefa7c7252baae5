//! The policies that recorded decisions are asked of, domain by domain.

use std::collections::BTreeMap;

use charter_authz::snapshot::Snapshot;

/// What is not there is left out of the replay.
#[derive(Debug, Clone, Default)]
pub struct ReplayPolicies<'a> {
    /// Of the built-in domain.
    pub built_in: Option<&'a Snapshot>,
    /// Of domains of one's own, by name.
    pub domains: BTreeMap<&'a str, &'a Snapshot>,
}

impl<'a> ReplayPolicies<'a> {
    /// Only the built-in domain.
    #[must_use]
    pub fn of_built_in(snapshot: &'a Snapshot) -> Self {
        Self {
            built_in: Some(snapshot),
            domains: BTreeMap::new(),
        }
    }

    /// Those of a domain; `None` is the built-in one.
    pub(super) fn of(&self, domain: Option<&str>) -> Option<&'a Snapshot> {
        match domain {
            None => self.built_in,
            Some(name) => self.domains.get(name).copied(),
        }
    }
}
