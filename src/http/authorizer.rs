//! Asks policy on behalf of one request: the same caller, the same facts, the same snapshot of
//! policies from its start to its end.

use std::net::IpAddr;
use std::sync::Arc;

use crate::authz::decision::{Decision, Denial, Outcome};
use crate::authz::principal::Principal;
use crate::authz::question::{Question, Resource};
use crate::authz::snapshot::Snapshot;
use crate::domain::audit::Provenance;
use crate::domain::caller::Caller;
use crate::domain::permission::Permission;
use crate::domain::timestamp::Timestamp;

use super::error::{ApiError, Code};

/// One request's way to policy. Cheap to clone into a write's own task.
#[derive(Clone)]
pub struct Authorizer {
    principal: Arc<Principal>,
    source_ip: IpAddr,
    now: Timestamp,
    request_id: String,
    snapshot: Arc<Snapshot>,
}

impl Authorizer {
    /// For a request that was just authenticated.
    #[must_use]
    pub const fn new(
        principal: Arc<Principal>,
        source_ip: IpAddr,
        now: Timestamp,
        request_id: String,
        snapshot: Arc<Snapshot>,
    ) -> Self {
        Self {
            principal,
            source_ip,
            now,
            request_id,
            snapshot,
        }
    }

    /// Who asks.
    #[must_use]
    pub fn caller(&self) -> &Caller {
        self.principal.caller()
    }

    /// When the request was authenticated.
    #[must_use]
    pub const fn now(&self) -> Timestamp {
        self.now
    }

    /// The policy set that decides this request.
    #[must_use]
    pub fn snapshot(&self) -> &Snapshot {
        &self.snapshot
    }

    /// Asks policy.
    ///
    /// # Errors
    ///
    /// FORBIDDEN, telling "nothing permits it" from "a policy forbids it".
    pub fn require(&self, permission: Permission, resource: Resource<'_>) -> Result<(), ApiError> {
        let decision = self.snapshot.decide(&Question {
            principal: &self.principal,
            permission,
            resource,
            source_ip: self.source_ip,
            now: self.now,
        });
        refusal(&decision).map_or(Ok(()), Err)
    }

    /// What an audit event records of this request.
    #[must_use]
    pub fn provenance(&self) -> Provenance {
        Provenance {
            actor: self.caller().principal_id(),
            access_key: self.caller().access_key_id(),
            standing: self.caller().standing(),
            request_id: Some(self.request_id.clone()),
            policy_digest: Some(self.snapshot.digest().to_string()),
            at: self.now,
        }
    }
}

/// What a refused caller is told: one sentence and the missing permission, nothing of the policies.
fn refusal(decision: &Decision) -> Option<ApiError> {
    let permission = decision.permission;
    match decision.outcome {
        Outcome::Allow => None,
        Outcome::Deny(Denial::NotPermitted) => Some(ApiError::forbidden(
            Code::NotPermitted,
            format!("no policy permits `{permission}` here"),
        )),
        Outcome::Deny(Denial::ForbiddenByPolicy) => Some(ApiError::forbidden(
            Code::ForbiddenByPolicy,
            format!("a policy forbids `{permission}` here"),
        )),
    }
}
