//! Which policies decided in some example, and which single conditions were seen true and false.

use std::collections::BTreeMap;

use cedar_policy::{Entities, Policy, PolicyId, Request};
use serde::Serialize;

use super::super::conditions::evaluate::{Look, Value};
use super::super::conditions::{Conditions, Keyword};
use super::super::verdict::Verdict;
use charter_authz::snapshot::Snapshot;

/// What the examples show at work.
#[derive(Debug, Clone, Serialize)]
pub struct Coverage {
    /// Every policy, in the order of files and lines.
    pub policies: Vec<PolicyCoverage>,
}

/// What the examples show of a policy.
#[derive(Debug, Clone, Serialize)]
pub struct PolicyCoverage {
    /// Its `@id`.
    pub policy: String,
    /// The file that it is in.
    pub file: String,
    /// The line that it begins on.
    pub line: usize,
    /// It was among the policies that decided in some example.
    pub decided: bool,
    /// The single conditions of its clauses, in order.
    pub conditions: Vec<ConditionCoverage>,
}

/// What the examples show of a condition. It is seen when Cedar looks at it, which it does not once
/// the policy's scope, or a condition before it, has settled the matter.
#[derive(Debug, Clone, Serialize)]
pub struct ConditionCoverage {
    /// Of which kind its clause is.
    pub keyword: Keyword,
    /// Its text.
    pub text: String,
    /// The line that it begins on.
    pub line: Option<usize>,
    /// It was true in some example.
    pub seen_true: bool,
    /// It was false in some example.
    pub seen_false: bool,
}

impl Coverage {
    /// How many policies decided in some example.
    #[must_use]
    pub fn policies_decided(&self) -> usize {
        self.policies.iter().filter(|policy| policy.decided).count()
    }

    /// How many outcomes the conditions have together: two each.
    #[must_use]
    pub fn outcomes(&self) -> usize {
        2 * self.conditions().count()
    }

    /// How many of those were seen.
    #[must_use]
    pub fn outcomes_seen(&self) -> usize {
        self.conditions()
            .map(|condition| usize::from(condition.seen_true) + usize::from(condition.seen_false))
            .sum()
    }

    /// Policies that decided and outcomes that were seen, of all there are, rounded down.
    #[must_use]
    pub fn percent(&self) -> usize {
        (100 * self.seen()).checked_div(self.all()).unwrap_or(100)
    }

    /// Whether it is as much as is asked for.
    #[must_use]
    pub fn reaches(&self, percent: u8) -> bool {
        100 * self.seen() >= usize::from(percent) * self.all()
    }

    fn seen(&self) -> usize {
        self.policies_decided() + self.outcomes_seen()
    }

    fn all(&self) -> usize {
        self.policies.len() + self.outcomes()
    }

    fn conditions(&self) -> impl Iterator<Item = &ConditionCoverage> {
        self.policies.iter().flat_map(|policy| &policy.conditions)
    }
}

/// Collects what is seen while examples run.
pub(super) struct Tracker {
    seen: BTreeMap<PolicyId, Seen>,
}

struct Seen {
    conditions: Conditions,
    decided: bool,
    /// True, false: for each single condition.
    outcomes: Vec<(bool, bool)>,
}

impl Tracker {
    pub(super) fn of(policies: Vec<&Policy>) -> Self {
        let seen = policies.into_iter().map(|policy| {
            let conditions = Conditions::of(policy);
            let outcomes = vec![(false, false); conditions.singles().len()];
            let seen = Seen {
                conditions,
                decided: false,
                outcomes,
            };
            (policy.id().clone(), seen)
        });
        Self {
            seen: seen.collect(),
        }
    }

    /// Takes note of an example. Policies that are not among the candidates have another action.
    pub(super) fn see(
        &mut self,
        candidates: &[&Policy],
        request: &Request,
        entities: &Entities,
        verdict: &Verdict,
    ) {
        for id in &verdict.determining {
            if let Some(seen) = self.seen.get_mut(&PolicyId::new(id)) {
                seen.decided = true;
            }
        }
        for policy in candidates {
            let Some(seen) = self.seen.get_mut(policy.id()) else {
                continue;
            };
            if seen.outcomes.is_empty() {
                continue;
            }
            let evaluation = seen.conditions.evaluate(request, entities, Look::AsCedar);
            for (outcome, value) in seen.outcomes.iter_mut().zip(&evaluation.singles) {
                match value {
                    Value::True => outcome.0 = true,
                    Value::False => outcome.1 = true,
                    Value::Error(_) | Value::NotReached => {}
                }
            }
        }
    }

    pub(super) fn finish(self, snapshot: &Snapshot) -> Coverage {
        let policy = |(id, seen): (PolicyId, Seen)| {
            let place = snapshot.location(id.as_ref());
            let conditions = seen.conditions.singles().into_iter().zip(&seen.outcomes);
            PolicyCoverage {
                file: place.map(|place| place.file.clone()).unwrap_or_default(),
                line: place.map_or(0, |place| place.line),
                decided: seen.decided,
                conditions: conditions
                    .map(
                        |((keyword, part), &(seen_true, seen_false))| ConditionCoverage {
                            keyword,
                            text: part.text(),
                            line: part.line(),
                            seen_true,
                            seen_false,
                        },
                    )
                    .collect(),
                policy: id.to_string(),
            }
        };
        let mut policies: Vec<PolicyCoverage> = self.seen.into_iter().map(policy).collect();
        policies.sort_by(|a, b| (&a.file, a.line).cmp(&(&b.file, b.line)));
        Coverage { policies }
    }
}
