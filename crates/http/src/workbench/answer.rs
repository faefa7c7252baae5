//! The answer to a question.

use serde::Serialize;
use serde_json::Value;

use charter_authz::snapshot::Snapshot;

#[derive(Serialize)]
pub(super) struct EvaluationAnswer {
    decision: bool,
    policies: AskedPolicies,
    /// Why no policy was evaluated, or why a request would be refused before.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) note: Option<String>,
    /// The determining policies, the nearest permits, and the conditions with their locations; null if no policy was
    /// evaluated.
    explanation: Option<Value>,
}

#[derive(Serialize)]
struct AskedPolicies {
    /// `in_force`, `shadow` or `sent`.
    #[serde(rename = "are")]
    by: &'static str,
    digest: String,
}

impl EvaluationAnswer {
    pub(super) fn unasked(by: &'static str, snapshot: &Snapshot, note: impl Into<String>) -> Self {
        Self {
            note: Some(note.into()),
            ..Self::asked(by, snapshot, false, None)
        }
    }

    pub(super) fn asked(
        by: &'static str,
        snapshot: &Snapshot,
        decision: bool,
        explanation: Option<Value>,
    ) -> Self {
        Self {
            decision,
            policies: AskedPolicies {
                by,
                digest: snapshot.digest().to_string(),
            },
            note: None,
            explanation,
        }
    }
}
