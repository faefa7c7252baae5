//! What Cedar answers to a question that is put to several sets, and the decision that follows.

use std::sync::Arc;

use cedar_policy::{AuthorizationError, Authorizer, Effect, Entities, PolicyId, Request, Response};

use super::decision::{Decision, Denial, EvaluationError, Outcome};
use super::facts_read::FactsRead;
use super::index::Candidates;
use super::refusal::Refusal;
use super::snapshot::Snapshot;
use charter_domain::permission::Permission;

/// What the candidate sets answered, together what their union would answer.
#[derive(Default)]
pub(super) struct Answer {
    permits: Vec<String>,
    forbids: Vec<String>,
    pub(super) errors: Vec<EvaluationError>,
    /// What the policies that were asked read, whether or not an evaluation came to it.
    pub(super) reads: FactsRead,
}

impl Answer {
    pub(super) fn of<'a>(
        authorizer: &Authorizer,
        candidates: impl Iterator<Item = &'a Candidates>,
        request: &Request,
        entities: &Entities,
    ) -> Self {
        let mut answer = Self::default();
        for Candidates { policies, reads } in candidates {
            answer.add(&authorizer.is_authorized(request, policies, entities));
            answer.reads = answer.reads | *reads;
        }
        answer
    }

    /// Whether Cedar would allow it, errors or not.
    pub(super) const fn is_permitted(&self) -> bool {
        self.forbids.is_empty() && !self.permits.is_empty()
    }

    /// Cedar names as reasons the satisfied forbids, and the satisfied permits only where there is
    /// none.
    fn add(&mut self, response: &Response) {
        let diagnostics = response.diagnostics();
        let reasons = diagnostics.reason().map(ToString::to_string);
        match response.decision() {
            cedar_policy::Decision::Allow => self.permits.extend(reasons),
            cedar_policy::Decision::Deny => self.forbids.extend(reasons),
        }
        self.errors.extend(diagnostics.errors().map(|error| {
            let AuthorizationError::PolicyEvaluationError(error) = error;
            EvaluationError {
                policy: error.policy_id().to_string(),
                message: error.inner().to_string(),
            }
        }));
    }

    /// The decision: a forbid that fails denies what a permit allows.
    pub(super) fn conclude(mut self, snapshot: &Snapshot, permission: Permission) -> Decision {
        self.errors.sort_unstable();
        self.forbids.sort_unstable();
        let refusal = Refusal::of(&snapshot.policies, &self.forbids);
        let is_forbid = |error: &&EvaluationError| {
            snapshot
                .policies
                .policy(&PolicyId::new(&error.policy))
                .is_none_or(|policy| policy.effect() == Effect::Forbid)
        };
        let errored_forbids: Vec<String> = self
            .errors
            .iter()
            .filter(is_forbid)
            .map(|error| error.policy.clone())
            .collect();
        let (outcome, mut determining) = if !self.forbids.is_empty() {
            (Outcome::Deny(Denial::ForbiddenByPolicy), self.forbids)
        } else if self.permits.is_empty() {
            (Outcome::Deny(Denial::NotPermitted), Vec::new())
        } else if errored_forbids.is_empty() {
            (Outcome::Allow, self.permits)
        } else {
            // Cedar skips what it cannot evaluate; a forbid that is skipped does not forbid.
            (Outcome::Deny(Denial::ForbiddenByPolicy), errored_forbids)
        };
        determining.sort_unstable();
        Decision {
            outcome,
            refusal,
            permission,
            determining,
            errors: self.errors,
            policy_digest: Arc::clone(&snapshot.digest),
        }
    }
}
