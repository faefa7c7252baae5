//! Policies grouped by their action constraint, so that each constraint is evaluated once per
//! request.

use std::collections::BTreeMap;

use cedar_policy::{Entities, Policy, Request};

use super::conditions::{Conditions, ScopeConstraint};

#[derive(Debug)]
pub(super) struct PoliciesByAction<'a> {
    groups: Vec<(Option<ScopeConstraint>, Vec<&'a Policy>)>,
}

impl<'a> PoliciesByAction<'a> {
    pub(super) fn of(policies: impl Iterator<Item = &'a Policy>) -> Self {
        let mut groups = BTreeMap::new();
        for policy in policies {
            let group: &mut Vec<&Policy> = groups
                .entry(policy.as_ref().action_constraint())
                .or_default();
            group.push(policy);
        }
        let asked = |policies: Vec<&'a Policy>| {
            let first = policies.first().copied();
            (first.and_then(Conditions::action_constraint_of), policies)
        };
        Self {
            groups: groups.into_values().map(asked).collect(),
        }
    }

    /// The policies whose action constraint accepts the request.
    pub(super) fn matching(&self, request: &Request, entities: &Entities) -> Vec<&'a Policy> {
        self.groups
            .iter()
            .filter(|(asked, _)| {
                asked
                    .as_ref()
                    .is_none_or(|asked| asked.part.is_true(request, entities))
            })
            .flat_map(|(_, policies)| policies.iter().copied())
            .collect()
    }
}
