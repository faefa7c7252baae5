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
    /// Only those of one domain; `None` is the built-in one.
    #[must_use]
    pub fn only(domain: Option<&'a str>, snapshot: &'a Snapshot) -> Self {
        Self {
            built_in: domain.is_none().then_some(snapshot),
            domains: domain.map(|name| (name, snapshot)).into_iter().collect(),
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
