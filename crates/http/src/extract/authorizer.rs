//! Evaluates policies for one request, with the same caller, context and snapshot of the policies throughout.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use charter_authz::decision::{Denial, Outcome};
use charter_authz::principal::Principal;
use charter_authz::question::Question;
use charter_authz::resource::Resource;
use charter_authz::role_access::RolePermission;
use charter_authz::snapshot::Snapshot;
use charter_decision_log::{DecisionContext, NotRecorded, RecordedDecision, Recorder, Via};
use charter_domain::access_key::SpentNonce;
use charter_domain::audit::{Actor, AuditContext};
use charter_domain::caller::Caller;
use charter_domain::permission::Permission;
use charter_domain::timestamp::Timestamp;

use crate::edge::context::RequestContext;
use crate::edge::request_facts::RequestFacts;
use crate::edge::trace_context::stage;
use crate::respond::{ApiError, Code, echo};
use crate::state::State;

/// Interval and number of checks whether the decision log has room again.
const WAIT: Duration = Duration::from_millis(5);
const WAITS: usize = 200;

/// The policy evaluation of one request. Cheap to clone into a write's task.
#[derive(Clone)]
pub struct Authorizer {
    principal: Arc<Principal>,
    source_ip: IpAddr,
    now: Timestamp,
    request_id: String,
    snapshot: Arc<Snapshot>,
    recorder: Recorder,
    facts: RequestFacts,
    nonce: Option<SpentNonce>,
}

impl Authorizer {
    /// For an authenticated request.
    pub fn new(state: &State, caller: &Caller, context: &RequestContext) -> Self {
        let snapshot = state.engine.snapshot();
        Self {
            principal: state.engine.prepare(caller, &snapshot),
            source_ip: context.client_ip,
            now: state.clock.now(),
            request_id: context.request_id.as_str().to_owned(),
            snapshot,
            recorder: state.decisions.clone(),
            facts: context.facts.clone(),
            nonce: None,
        }
    }

    /// For a signed request, whose writes record its nonce.
    pub(super) fn with_nonce(self, nonce: Option<SpentNonce>) -> Self {
        Self { nonce, ..self }
    }

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

    /// Evaluates and logs a permission. FORBIDDEN says whether no policy permits it or a policy forbids it;
    /// UNAVAILABLE if the decision must be logged and cannot be.
    pub fn require(&self, permission: Permission, resource: Resource<'_>) -> Result<(), ApiError> {
        let asker = DecisionContext {
            principal: &self.principal,
            source_ip: self.source_ip,
            now: self.now,
            request_id: &self.request_id,
            via: Via::Request,
            tells_id: false,
        };
        let decided = stage("decide").in_scope(|| {
            self.recorder
                .decide(&self.snapshot, asker, permission, resource)
        })?;
        self.facts.note_decision(decided.id);
        refusal(decided, permission, resource).map_or(Ok(()), Err)
    }

    /// Evaluates a permission without logging, since no action depends on it.
    pub fn would_allow(&self, permission: Permission, resource: Resource<'_>) -> bool {
        let question = Question {
            principal: &self.principal,
            permission,
            resource,
            source_ip: self.source_ip,
            now: self.now,
        };
        self.snapshot.decide(&question).is_allowed()
    }

    /// The permissions that a person with this role alone would have in the caller's organization now.
    ///
    /// # Errors
    ///
    /// `INTERNAL_ERROR` if the questions cannot be built.
    pub fn role_access(&self, role: &str) -> Result<Vec<RolePermission>, ApiError> {
        let organization = self.caller().organization();
        let access = self
            .snapshot
            .role_access(role, organization, self.source_ip, self.now);
        access.map_err(|error| ApiError::internal(error.to_string()))
    }

    /// The audit context of this request.
    pub(super) fn audit_context(&self) -> Result<AuditContext, ApiError> {
        let mut actor = Actor::of(self.caller());
        if let Some(Actor::Key(guard)) = &mut actor {
            guard.nonce = self.nonce;
        }
        Ok(AuditContext {
            actor: actor.ok_or_else(|| ApiError::internal("the caller has no credential"))?,
            request_id: Some(self.request_id.clone()),
            policy_digest: Some(self.snapshot.digest().to_string()),
            at: self.now,
            precondition_failed: false,
        })
    }
}

/// The refusal for the caller: code and message of the forbidding policy, or else a general message with the
/// missing permission and nothing about the policies.
fn refusal(
    decided: RecordedDecision,
    permission: Permission,
    resource: Resource<'_>,
) -> Option<ApiError> {
    let about = match resource {
        Resource::Role(name) => format!(" of the role {}", echo(name)),
        Resource::Permission(name) => format!(" of the permission {}", echo(name)),
        _ => String::new(),
    };
    let sentence = |verdict| format!("{verdict} `{permission}`{about} here");
    let error = match decided.outcome {
        Outcome::Allow => return None,
        Outcome::Deny(Denial::NotPermitted) => {
            ApiError::forbidden(Code::NotPermitted, sentence("no policy permits"))
        }
        Outcome::Deny(Denial::ForbiddenByPolicy) => {
            ApiError::forbidden_by_policy(decided.refusal, sentence("a policy forbids"))
        }
    };
    Some(error.with_decision(decided.id.to_string()))
}

/// Waits while the decision log is nearly full, so that requests slow down before they fail with UNAVAILABLE.
pub(crate) async fn wait_for_room(has_room: impl Fn() -> bool) -> Result<(), ApiError> {
    for _ in 0..WAITS {
        if has_room() {
            return Ok(());
        }
        tokio::time::sleep(WAIT).await;
    }
    Err(NotRecorded.into())
}
