//! Asks policy on behalf of one request: the same caller, the same facts, the same snapshot of
//! policies from its start to its end.

use std::net::IpAddr;
use std::sync::Arc;

use crate::authz::{Question, Resource, Snapshot};
use crate::domain::audit::Provenance;
use crate::domain::caller::Caller;
use crate::domain::permission::Permission;
use crate::domain::timestamp::Timestamp;

use super::error::ApiError;

/// One request's way to policy. Cheap to clone into a write's own task.
#[derive(Clone)]
pub struct Authorizer {
    caller: Caller,
    source_ip: IpAddr,
    now: Timestamp,
    request_id: String,
    snapshot: Arc<Snapshot>,
}

impl Authorizer {
    /// For a request that was just authenticated.
    #[must_use]
    pub const fn new(
        caller: Caller,
        source_ip: IpAddr,
        now: Timestamp,
        request_id: String,
        snapshot: Arc<Snapshot>,
    ) -> Self {
        Self {
            caller,
            source_ip,
            now,
            request_id,
            snapshot,
        }
    }

    /// Who asks.
    #[must_use]
    pub const fn caller(&self) -> &Caller {
        &self.caller
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
            caller: &self.caller,
            permission,
            resource,
            source_ip: self.source_ip,
            now: self.now,
        });
        decision.into_result(permission)
    }

    /// What an audit event records of this request.
    #[must_use]
    pub fn provenance(&self) -> Provenance {
        Provenance {
            actor: self.caller.principal_id(),
            request_id: Some(self.request_id.clone()),
            policy_digest: Some(self.snapshot.digest().to_owned()),
            at: self.now,
        }
    }
}
