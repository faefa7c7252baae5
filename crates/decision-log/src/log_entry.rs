//! A decision on its way from the request to the writer, which renders it.

use std::net::IpAddr;
use std::sync::Arc;

use super::domain_decision::DomainDecision;
use super::via::Via;
use charter_authz::decide::CedarRequest;
use charter_authz::decision::{Decision, EvaluationError, Outcome};
use charter_authz::principal::Principal;
use charter_authz::refusal::Refusal;
use charter_authz::resource::Resource;
use charter_budgets::Payer;
use charter_domain::id::DecisionId;
use charter_domain::timestamp::Timestamp;

#[derive(Debug)]
pub(crate) struct LogEntry {
    pub(super) id: DecisionId,
    pub(super) at: Timestamp,
    pub(super) request_id: String,
    pub(super) via: Via,
    pub(super) tells_id: bool,
    pub(super) decided: Decided,
}

/// Whose policies decided, and about what.
#[derive(Debug)]
#[expect(
    clippy::large_enum_variant,
    reason = "nearly all are the large one, which is moved and not copied out to the heap"
)]
pub(super) enum Decided {
    BuiltIn(BuiltInDecision),
    /// A domain of one's own.
    Domain(Box<DomainDecision>),
}

#[derive(Debug)]
pub(super) struct BuiltInDecision {
    pub(super) source_ip: IpAddr,
    pub(super) principal: Arc<Principal>,
    pub(super) subject: EvaluationInput,
    pub(super) decision: Arc<Decision>,
}

/// What policies said, whatever they were asked about.
#[derive(Debug, Clone, Copy)]
pub(super) struct Answer<'a> {
    pub(super) outcome: Outcome,
    pub(super) refusal: Option<&'a Refusal>,
    pub(super) determining: &'a [String],
    pub(super) errors: &'a [EvaluationError],
    pub(super) policy_digest: &'a str,
}

impl LogEntry {
    pub(super) fn answer(&self) -> Answer<'_> {
        match &self.decided {
            Decided::BuiltIn(BuiltInDecision { decision, .. }) => Answer {
                outcome: decision.outcome,
                refusal: decision.refusal.as_ref(),
                determining: &decision.determining,
                errors: &decision.errors,
                policy_digest: &decision.policy_digest,
            },
            Decided::Domain(decision) => Answer {
                outcome: decision.answered.verdict.outcome,
                refusal: decision.answered.verdict.refusal.as_ref(),
                determining: &decision.answered.verdict.determining,
                errors: &decision.answered.verdict.errors,
                policy_digest: &decision.policy_digest,
            },
        }
    }

    /// Whose budget its line counts against.
    pub(super) fn payer(&self) -> Option<Payer> {
        match &self.decided {
            Decided::BuiltIn(decision) => {
                (self.via == Via::Request).then(|| decision.principal.caller().into())
            }
            // Each allowed one has a line, and a share of what it may send bounds them.
            Decided::Domain(decision) => decision.payer.filter(|_| !self.answer().is_allowed()),
        }
    }
}

impl Decided {
    /// The domain of one's own that decided.
    pub(super) fn domain(&self) -> Option<&str> {
        match self {
            Self::BuiltIn(_) => None,
            Self::Domain(decision) => Some(&decision.domain),
        }
    }

    /// The action's name.
    pub(super) fn action(&self) -> &str {
        match self {
            Self::BuiltIn(decision) => decision.decision.permission.as_str(),
            Self::Domain(decision) => {
                let action = decision.answered.request.action();
                action.map_or("", |action| action.id().unescaped())
            }
        }
    }
}

impl Answer<'_> {
    pub(super) fn is_allowed(self) -> bool {
        self.outcome == Outcome::Allow
    }
}

/// What was evaluated.
#[derive(Debug)]
#[expect(
    clippy::large_enum_variant,
    reason = "nearly all are the large one, which is moved and not copied out to the heap"
)]
pub(super) enum EvaluationInput {
    /// The input of Cedar.
    Evaluated(CedarRequest),
    /// Type and id of a resource for which the schema does not allow the question.
    NotEvaluable(&'static str, String),
}

impl EvaluationInput {
    pub(super) fn new(asked: Option<CedarRequest>, resource: &Resource<'_>) -> Self {
        asked.map_or_else(
            || Self::NotEvaluable(resource.kind().type_name(), resource.id()),
            Self::Evaluated,
        )
    }
}

impl EvaluationInput {
    pub(super) fn is_about(&self, id: &str) -> bool {
        match self {
            Self::NotEvaluable(_, about) => about == id,
            Self::Evaluated(asked) => asked
                .request
                .resource()
                .is_some_and(|uid| uid.id().unescaped() == id),
        }
    }
}
