//! Policies by what they ask of the action, so that a request meets only those it may be about.
//! Most policies name one of a few actions: each thing that is asked of it is evaluated once.

use std::collections::BTreeMap;

use cedar_policy::{ActionConstraint, Entities, Policy, Request};

use super::conditions::evaluate::{Look, Value};
use super::conditions::{Conditions, Variable};

/// A set's policies, grouped.
#[derive(Debug)]
pub(super) struct ByAction<'a> {
    groups: Vec<Vec<&'a Policy>>,
}

impl<'a> ByAction<'a> {
    pub(super) fn of(policies: impl Iterator<Item = &'a Policy>) -> Self {
        let mut groups: BTreeMap<Vec<String>, Vec<&Policy>> = BTreeMap::new();
        for policy in policies {
            // The words keep equality apart from membership.
            let asked = match policy.action_constraint() {
                ActionConstraint::Any => Vec::new(),
                ActionConstraint::Eq(action) => vec!["==".to_owned(), action.to_string()],
                ActionConstraint::In(actions) => actions.iter().map(ToString::to_string).collect(),
            };
            groups.entry(asked).or_default().push(policy);
        }
        Self {
            groups: groups.into_values().collect(),
        }
    }

    /// The policies whose scope takes the request's action.
    pub(super) fn taking(&self, request: &Request, entities: &Entities) -> Vec<&'a Policy> {
        let takes = |policies: &&Vec<&Policy>| {
            policies
                .first()
                .is_some_and(|policy| takes_action(policy, request, entities))
        };
        self.groups
            .iter()
            .filter(takes)
            .flatten()
            .copied()
            .collect()
    }
}

fn takes_action(policy: &Policy, request: &Request, entities: &Entities) -> bool {
    let mut conditions = Conditions::of(policy);
    conditions.clauses.clear();
    conditions
        .scope
        .retain(|asked| asked.variable == Variable::Action);
    conditions.evaluate(request, entities, Look::AsCedar).whole == Value::True
}
