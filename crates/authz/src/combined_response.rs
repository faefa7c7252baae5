//! Combines Cedar's responses for several policy sets into one decision.

use std::sync::Arc;

use cedar_policy::{
    AuthorizationError, Authorizer, Effect, Entities, PolicyId, PolicySet, Request, Response,
};

use super::decision::{Decision, Denial, EvaluationError, Outcome, PolicyVerdict};
use super::facts_read::FactsRead;
use super::index::Candidates;
use super::refusal::Refusal;
use super::snapshot::Snapshot;
use charter_domain::permission::Permission;

/// The responses of the candidate sets, equivalent to the response of their union.
#[derive(Default)]
pub(super) struct CombinedResponse {
    permits: Vec<String>,
    forbids: Vec<String>,
    pub(super) errors: Vec<EvaluationError>,
    /// What the policies that were asked read, whether or not an evaluation came to it.
    pub(super) reads: FactsRead,
}

impl CombinedResponse {
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

    /// Whether Cedar would allow it, evaluation errors aside.
    pub(super) const fn is_permitted(&self) -> bool {
        self.forbids.is_empty() && !self.permits.is_empty()
    }

    /// Cedar's reasons are the satisfied forbids, or the satisfied permits if there is no forbid.
    pub(super) fn add(&mut self, response: &Response) {
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

    /// A forbid that fails to evaluate denies what a permit allows. `policies` are those that were asked, or more.
    pub(super) fn into_verdict(mut self, policies: &PolicySet) -> PolicyVerdict {
        self.errors.sort_unstable();
        self.forbids.sort_unstable();
        let refusal = Refusal::of(policies, &self.forbids);
        let is_forbid = |error: &&EvaluationError| {
            policies
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
            // Cedar skips policies that fail; a skipped forbid would not forbid.
            (Outcome::Deny(Denial::ForbiddenByPolicy), errored_forbids)
        };
        determining.sort_unstable();
        PolicyVerdict {
            outcome,
            refusal,
            determining,
            errors: self.errors,
        }
    }

    pub(super) fn into_decision(self, snapshot: &Snapshot, permission: Permission) -> Decision {
        let verdict = self.into_verdict(&snapshot.policies);
        Decision {
            outcome: verdict.outcome,
            refusal: verdict.refusal,
            permission,
            determining: verdict.determining,
            errors: verdict.errors,
            policy_digest: Arc::clone(&snapshot.digest),
        }
    }
}
