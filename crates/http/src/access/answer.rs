//! What a domain answers.

use charter_authz::refusal::Refusal;
use charter_domain::id::DecisionId;

/// An answer, and what is told of it on request.
#[derive(Debug)]
pub(super) struct Answer {
    pub(super) decision: bool,
    /// Empty unless it is to be told.
    pub(super) reason: String,
    /// `None` if no policy was asked, or the decision is not on record.
    pub(super) decision_id: Option<DecisionId>,
    /// What the policy that forbids it says, if one does.
    pub(super) forbidden: Option<Refusal>,
}

impl Answer {
    /// Denied without asking policy.
    pub(super) fn unknown(reason: impl Into<String>) -> Self {
        Self {
            decision: false,
            reason: reason.into(),
            decision_id: None,
            forbidden: None,
        }
    }
}

/// Part of the results of a search, in the order of their ids.
#[derive(Debug, Default)]
pub(super) struct SearchResults {
    pub(super) ids: Vec<String>,
    /// The id after which the next page begins, `Some(None)` at the start; `None` at the end.
    pub(super) next: Option<Option<String>>,
}
