//! Policies by what they ask of the action, so that a request meets only those it may be about.
//! Most policies name one of a few actions: each thing that is asked of it is evaluated once.

use std::collections::BTreeMap;

use cedar_policy::{Entities, Policy, Request};

use super::conditions::{Conditions, ScopePart};

/// A set's policies, grouped.
#[derive(Debug)]
pub(super) struct ByAction<'a> {
    groups: Vec<(Option<ScopePart>, Vec<&'a Policy>)>,
}

impl<'a> ByAction<'a> {
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
            (first.and_then(Conditions::asked_of_action), policies)
        };
        Self {
            groups: groups.into_values().map(asked).collect(),
        }
    }

    /// The policies whose scope takes the request's action.
    pub(super) fn taking(&self, request: &Request, entities: &Entities) -> Vec<&'a Policy> {
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
