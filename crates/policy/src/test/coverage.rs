//! Coverage: which policies decided some example, and which conditions, branches and list elements
//! decided an answer.

use std::collections::BTreeMap;

use cedar_policy::{Effect, Entities, Policy, PolicyId, Request};
use serde::Serialize;

use super::super::conditions::evaluate::{EvaluationMode, Value};
use super::super::conditions::operands::Operand;
use super::super::conditions::{Conditions, Keyword};
use super::super::snapshot_decision::{Ruling, SnapshotDecision};
use charter_authz::snapshot::Snapshot;

/// Coverage of a folder's examples.
#[derive(Debug, Clone, Serialize)]
pub struct Coverage {
    /// Every policy, sorted by file and line.
    pub policies: Vec<PolicyCoverage>,
}

/// Coverage of a policy.
#[derive(Debug, Clone, Serialize)]
pub struct PolicyCoverage {
    /// Its `@id`.
    pub policy: String,
    /// Its file.
    pub file: String,
    /// The line on which it begins.
    pub line: usize,
    /// Whether it determined the answer of some example.
    pub decided: bool,
    /// Its operands in scope and clauses, in order.
    pub conditions: Vec<ConditionCoverage>,
}

/// Coverage of a condition, a branch of an `if`, or an element of a searched list. It counts as
/// seen when Cedar evaluates it, which requires that scope and earlier conditions left the decision
/// open.
#[derive(Debug, Clone, Serialize)]
pub struct ConditionCoverage {
    /// Its clause's keyword; `None` in the scope.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub keyword: Option<Keyword>,
    /// The text.
    pub text: String,
    /// The line on which it begins.
    pub line: Option<usize>,
    /// Whether it is an element of a list, for which only a match counts.
    pub is_element: bool,
    /// Coverage of the outcome true.
    #[serde(rename = "true")]
    pub when_true: OutcomeCoverage,
    /// Coverage of the outcome false.
    #[serde(rename = "false")]
    pub when_false: OutcomeCoverage,
}

/// Coverage of one outcome of a condition.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum OutcomeCoverage {
    /// No example has the outcome.
    #[default]
    Never,
    /// Only in examples whose answer other policies determine.
    WithoutEffect,
    /// The outcome determined the answer of some example.
    Decides,
}

impl ConditionCoverage {
    /// The outcomes that must be covered.
    pub(super) fn outcomes(&self) -> impl Iterator<Item = (bool, OutcomeCoverage)> {
        let when_false = (!self.is_element).then_some((false, self.when_false));
        std::iter::once((true, self.when_true)).chain(when_false)
    }
}

impl Coverage {
    /// Number of policies that decided some example.
    #[must_use]
    pub fn policies_decided(&self) -> usize {
        self.policies.iter().filter(|policy| policy.decided).count()
    }

    /// Number of outcomes of all conditions: two each, and one for a list element.
    #[must_use]
    pub fn outcomes(&self) -> usize {
        self.conditions()
            .map(|condition| condition.outcomes().count())
            .sum()
    }

    /// Number of outcomes that decided some example.
    #[must_use]
    pub fn outcomes_seen(&self) -> usize {
        let outcomes = self.conditions().flat_map(ConditionCoverage::outcomes);
        outcomes
            .filter(|(_, shown)| *shown == OutcomeCoverage::Decides)
            .count()
    }

    /// Covered policies and outcomes in percent, rounded down.
    #[must_use]
    pub fn percent(&self) -> usize {
        (100 * self.seen()).checked_div(self.all()).unwrap_or(100)
    }

    /// Whether the coverage is at least `percent`.
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

/// Collects coverage while examples run.
pub(super) struct CoverageTracker {
    seen: BTreeMap<PolicyId, PolicyTracker>,
}

struct PolicyTracker {
    effect: Effect,
    conditions: Conditions,
    operands: Vec<Operand>,
    decided: bool,
    /// True and false, for each operand.
    outcomes: Vec<(OutcomeCoverage, OutcomeCoverage)>,
}

impl CoverageTracker {
    pub(super) fn of(policies: Vec<&Policy>) -> Self {
        let seen = policies.into_iter().map(|policy| {
            let conditions = Conditions::of(policy);
            let operands = conditions.operands();
            let seen = PolicyTracker {
                effect: policy.effect(),
                decided: false,
                outcomes: vec![(OutcomeCoverage::Never, OutcomeCoverage::Never); operands.len()],
                conditions,
                operands,
            };
            (policy.id().clone(), seen)
        });
        Self {
            seen: seen.collect(),
        }
    }

    /// Records an example. Policies that are not candidates have another action.
    pub(super) fn record(
        &mut self,
        candidates: &[&Policy],
        request: &Request,
        entities: &Entities,
        decision: &SnapshotDecision,
    ) {
        for id in &decision.determining {
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
            let evaluation =
                seen.conditions
                    .evaluate(request, entities, EvaluationMode::ShortCircuit);
            let is_determining = decision
                .determining
                .iter()
                .any(|id| policy.id() == &PolicyId::new(id));
            let shown = if is_decisive(
                seen.effect,
                &evaluation.whole,
                is_determining,
                decision.ruling,
            ) {
                OutcomeCoverage::Decides
            } else {
                OutcomeCoverage::WithoutEffect
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
        let policy = |(id, seen): (PolicyId, PolicyTracker)| {
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

/// Whether the example would fail if the policy had another value.
fn is_decisive(effect: Effect, whole: &Value, is_determining: bool, ruling: Ruling) -> bool {
    match (whole, effect) {
        (Value::True, _) => is_determining,
        (Value::False, Effect::Permit) => ruling == Ruling::NotPermitted,
        (Value::False, Effect::Forbid) => ruling == Ruling::Allowed,
        // Examples count the policies that fail to evaluate.
        (Value::Error(_), _) => true,
        (Value::NotReached, _) => false,
    }
}
