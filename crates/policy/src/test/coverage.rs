//! Which policies decided in some example, and which conditions, branches and elements of lists were
//! seen where an answer hangs on them.

use std::collections::BTreeMap;

use cedar_policy::{Effect, Entities, Policy, PolicyId, Request};
use serde::Serialize;

use super::super::conditions::evaluate::{Look, Value};
use super::super::conditions::operands::Operand;
use super::super::conditions::{Conditions, Keyword};
use super::super::verdict::{Ruling, Verdict};
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
    /// What can decide in its scope and clauses, in order.
    pub conditions: Vec<ConditionCoverage>,
}

/// What the examples show of a condition, a branch of an `if`, or an element of a list that something
/// is looked for in. It is seen when Cedar looks at it, which it does not once the policy's scope, or a
/// condition before it, has settled the matter.
#[derive(Debug, Clone, Serialize)]
pub struct ConditionCoverage {
    /// Of which kind its clause is; `None` in the scope.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub keyword: Option<Keyword>,
    /// Its text.
    pub text: String,
    /// The line that it begins on.
    pub line: Option<usize>,
    /// An element of a list, of which only that it is found counts.
    pub is_element: bool,
    /// What is shown of it when it is true.
    #[serde(rename = "true")]
    pub when_true: Shown,
    /// What is shown of it when it is false.
    #[serde(rename = "false")]
    pub when_false: Shown,
}

/// How much an outcome of a condition is shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Shown {
    /// No example has it.
    #[default]
    Never,
    /// Only examples have it whose answer is another policy's matter.
    WithoutEffect,
    /// The answer of some example hangs on the policy.
    Decides,
}

impl ConditionCoverage {
    /// What is asked of it: that it is true, and false.
    pub(super) fn outcomes(&self) -> impl Iterator<Item = (bool, Shown)> {
        let when_false = (!self.is_element).then_some((false, self.when_false));
        std::iter::once((true, self.when_true)).chain(when_false)
    }
}

impl Coverage {
    /// How many policies decided in some example.
    #[must_use]
    pub fn policies_decided(&self) -> usize {
        self.policies.iter().filter(|policy| policy.decided).count()
    }

    /// How many outcomes the conditions have together: two each, and one for an element of a list.
    #[must_use]
    pub fn outcomes(&self) -> usize {
        self.conditions()
            .map(|condition| condition.outcomes().count())
            .sum()
    }

    /// How many of those were seen where they decide.
    #[must_use]
    pub fn outcomes_seen(&self) -> usize {
        let outcomes = self.conditions().flat_map(ConditionCoverage::outcomes);
        outcomes
            .filter(|(_, shown)| *shown == Shown::Decides)
            .count()
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
    effect: Effect,
    conditions: Conditions,
    operands: Vec<Operand>,
    decided: bool,
    /// True, false: for each operand.
    outcomes: Vec<(Shown, Shown)>,
}

impl Tracker {
    pub(super) fn of(policies: Vec<&Policy>) -> Self {
        let seen = policies.into_iter().map(|policy| {
            let conditions = Conditions::of(policy);
            let operands = conditions.operands();
            let seen = Seen {
                effect: policy.effect(),
                decided: false,
                outcomes: vec![(Shown::Never, Shown::Never); operands.len()],
                conditions,
                operands,
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
            if seen.operands.is_empty() {
                continue;
            }
            let evaluation = seen.conditions.evaluate(request, entities, Look::AsCedar);
            let is_determining = verdict
                .determining
                .iter()
                .any(|id| policy.id() == &PolicyId::new(id));
            let shown = if hangs_on(
                seen.effect,
                &evaluation.whole,
                is_determining,
                verdict.ruling,
            ) {
                Shown::Decides
            } else {
                Shown::WithoutEffect
            };
            for (outcome, operand) in seen.outcomes.iter_mut().zip(&seen.operands) {
                match operand.value(&evaluation, request, entities) {
                    Some(true) => outcome.0 = outcome.0.max(shown),
                    Some(false) => outcome.1 = outcome.1.max(shown),
                    None => {}
                }
            }
        }
    }

    pub(super) fn finish(self, snapshot: &Snapshot) -> Coverage {
        let policy = |(id, seen): (PolicyId, Seen)| {
            let place = snapshot.location(id.as_ref());
            let conditions = seen.operands.iter().zip(&seen.outcomes);
            PolicyCoverage {
                file: place.map(|place| place.file.clone()).unwrap_or_default(),
                line: place.map_or(0, |place| place.line),
                decided: seen.decided,
                conditions: conditions
                    .map(|(operand, &(when_true, when_false))| ConditionCoverage {
                        keyword: operand.keyword,
                        text: operand.part.text(),
                        line: operand.part.line(),
                        is_element: operand.is_element,
                        when_true,
                        when_false,
                    })
                    .collect(),
                policy: id.to_string(),
            }
        };
        let mut policies: Vec<PolicyCoverage> = self.seen.into_iter().map(policy).collect();
        policies.sort_by(|a, b| (&a.file, a.line).cmp(&(&b.file, b.line)));
        Coverage { policies }
    }
}

/// Whether an example would notice if the policy came to something else.
fn hangs_on(effect: Effect, whole: &Value, is_determining: bool, ruling: Ruling) -> bool {
    match (whole, effect) {
        (Value::True, _) => is_determining,
        (Value::False, Effect::Permit) => ruling == Ruling::NotPermitted,
        (Value::False, Effect::Forbid) => ruling == Ruling::Allowed,
        // Examples count the policies that cannot be evaluated.
        (Value::Error(_), _) => true,
        (Value::NotReached, _) => false,
    }
}
