//! Decides a request by all policies, without an index: for the tools, and for any vocabulary.

use cedar_policy::{Entities, Request};

use super::combined_response::CombinedResponse;
use super::decision::PolicyVerdict;
use super::snapshot::Snapshot;

impl Snapshot {
    /// What the policies say to a request. `entities` come from [`Snapshot::with_actions`].
    pub fn judge(&self, request: &Request, entities: &Entities) -> PolicyVerdict {
        let mut response = CombinedResponse::default();
        response.add(
            &self
                .authorizer
                .is_authorized(request, &self.policies, entities),
        );
        response.into_verdict(&self.policies)
    }
}
