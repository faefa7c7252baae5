//! The values of single parts of a policy, with the values that they read.

use cedar_policy::{Entities, Request};
use serde::Serialize;

use super::super::conditions::evaluate::{Evaluation, Value};
use super::super::conditions::inspection::InspectedValue;
use super::super::conditions::{ConditionPart, Conditions, Keyword, Variable};

/// Findings per policy.
const MOST: usize = 12;

/// A part of a policy with its value.
#[derive(Debug, Clone, Serialize)]
pub struct ConditionFinding {
    /// Where the part is: in the scope, or in a clause.
    pub of: ConditionOrigin,
    /// The text of the part.
    pub text: String,
    /// The line on which it begins.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub line: Option<usize>,
    /// `true`, `false` or `error`.
    pub value: &'static str,
    /// Why it failed to evaluate.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
    /// The values that it read.
    pub looked_at: Vec<InspectedValue>,
}

/// Where a part is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(untagged)]
pub enum ConditionOrigin {
    /// In the scope, as a constraint on this variable.
    Scope(Variable),
    /// In a clause.
    Clause(Keyword),
}

impl ConditionFinding {
    /// `None` for a part that was not reached.
    pub(super) fn new(
        of: ConditionOrigin,
        part: &ConditionPart,
        value: &Value,
        request: &Request,
        entities: &Entities,
    ) -> Option<Self> {
        let (word, error) = match value {
            Value::True => ("true", None),
            Value::False => ("false", None),
            Value::Error(error) => ("error", Some(error.clone())),
            Value::NotReached => return None,
        };
        let text = part.text();
        let mut looked_at = part.inspect(request, entities);
        // An attribute that is the whole condition needs no second line.
        looked_at.retain(|looked| looked.expression != text);
        Some(Self {
            of,
            line: part.line(),
            text,
            value: word,
            error,
            looked_at,
        })
    }
}

/// The single conditions of a policy that Cedar reached.
pub(super) fn of_clauses(
    conditions: &Conditions,
    evaluation: &Evaluation,
    request: &Request,
    entities: &Entities,
) -> Vec<ConditionFinding> {
    conditions
        .parts()
        .into_iter()
        .zip(&evaluation.singles)
        .filter_map(|((keyword, part), value)| {
            ConditionFinding::new(
                ConditionOrigin::Clause(keyword),
                part,
                value,
                request,
                entities,
            )
        })
        .take(MOST)
        .collect()
}

/// The failed scope constraints and the single conditions at the given indices.
pub(super) fn of_parts(
    conditions: &Conditions,
    evaluation: &Evaluation,
    blamed: &[usize],
    request: &Request,
    entities: &Entities,
) -> Vec<ConditionFinding> {
    let in_scope = conditions
        .scope
        .iter()
        .zip(&evaluation.scope)
        .filter(|(_, value)| **value != Value::True)
        .map(|(asked, value)| (ConditionOrigin::Scope(asked.variable), &asked.part, value));
    let in_clauses = conditions
        .parts()
        .into_iter()
        .zip(&evaluation.singles)
        .enumerate()
        .filter(|(position, _)| blamed.contains(position))
        .map(|(_, ((keyword, part), value))| (ConditionOrigin::Clause(keyword), part, value));
    in_scope
        .chain(in_clauses)
        .filter_map(|(of, part, value)| ConditionFinding::new(of, part, value, request, entities))
        .take(MOST)
        .collect()
}
