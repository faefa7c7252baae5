//! What single parts of a policy came to, with the values that they looked at.

use cedar_policy::{Entities, Request};
use serde::Serialize;

use super::super::conditions::evaluate::{Evaluation, Value};
use super::super::conditions::looked_at::LookedAt;
use super::super::conditions::{Conditions, Keyword, Part, Variable};

/// So many are told of a policy.
const MOST: usize = 12;

/// A part of a policy, and what it came to.
#[derive(Debug, Clone, Serialize)]
pub struct Finding {
    /// Where it stands in the policy: in the scope, or in a clause of which kind.
    pub of: Of,
    /// Its text.
    pub text: String,
    /// The line that it begins on.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub line: Option<usize>,
    /// `true`, `false` or `error`.
    pub value: &'static str,
    /// Why it could not be evaluated.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
    /// What it looked at.
    pub looked_at: Vec<LookedAt>,
}

/// Where a part stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(untagged)]
pub enum Of {
    /// In the scope: what is asked of a variable.
    Scope(Variable),
    /// In a clause.
    Clause(Keyword),
}

impl Finding {
    /// `None` for what was not reached.
    pub(super) fn new(
        of: Of,
        part: &Part,
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
        let mut looked_at = part.looked_at(request, entities);
        // An attribute that is the condition itself has just been told.
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

/// All single conditions of a policy that Cedar looked at.
pub(super) fn of_clauses(
    conditions: &Conditions,
    evaluation: &Evaluation,
    request: &Request,
    entities: &Entities,
) -> Vec<Finding> {
    conditions
        .singles()
        .into_iter()
        .zip(&evaluation.singles)
        .filter_map(|((keyword, part), value)| {
            Finding::new(Of::Clause(keyword), part, value, request, entities)
        })
        .take(MOST)
        .collect()
}

/// Those parts whose positions are given: first in the scope, then among the single conditions.
pub(super) fn of_parts(
    conditions: &Conditions,
    evaluation: &Evaluation,
    blamed: &[usize],
    request: &Request,
    entities: &Entities,
) -> Vec<Finding> {
    let in_scope = conditions
        .scope
        .iter()
        .zip(&evaluation.scope)
        .filter(|(_, value)| **value != Value::True)
        .map(|(asked, value)| (Of::Scope(asked.variable), &asked.part, value));
    let in_clauses = conditions
        .singles()
        .into_iter()
        .zip(&evaluation.singles)
        .enumerate()
        .filter(|(position, _)| blamed.contains(position))
        .map(|(_, ((keyword, part), value))| (Of::Clause(keyword), part, value));
    in_scope
        .chain(in_clauses)
        .filter_map(|(of, part, value)| Finding::new(of, part, value, request, entities))
        .take(MOST)
        .collect()
}
