//! The built-in domain: Charter's own permissions, asked about Charter's own objects.
//!
//! Entities come from the store, never from the request; the facts are the client's address and the server's clock.

mod resource;
mod search;
mod subject;

use std::collections::HashMap;
use std::sync::Arc;

use charter_authn::access_clients::AccessClient;
use charter_authz::decision::{Denial, Outcome};
use charter_authz::principal::Principal;
use charter_authz::snapshot::Snapshot;
use charter_decision_log::{DecisionContext, RecordedDecision, Via};
use charter_domain::permission::Permission;
use charter_domain::timestamp::Timestamp;

pub(super) use self::resource::load as load_resource;
pub(super) use self::subject::load as load_subject;
use super::answer::Answer;
use super::question::{Entity, Question, named};
use crate::edge::context::RequestContext;
use crate::extract::authorizer::wait_for_room;
use crate::extract::loaded::Loaded;
use crate::respond::{ApiError, echo};
use crate::state::State;

/// The questions of one request, all decided by the same policies at the same time.
pub(super) struct BuiltIn<'a> {
    state: &'a State,
    client: AccessClient<'a>,
    context: &'a RequestContext,
    snapshot: Arc<Snapshot>,
    now: Timestamp,
    /// Loaded once for all evaluations of the request.
    subjects: HashMap<(String, String), Option<Arc<Principal>>>,
    resources: HashMap<(String, String), Option<Arc<Loaded>>>,
}

impl<'a> BuiltIn<'a> {
    pub(super) fn new(
        state: &'a State,
        client: AccessClient<'a>,
        context: &'a RequestContext,
    ) -> Self {
        Self {
            state,
            client,
            context,
            snapshot: state.engine.snapshot(),
            now: state.clock.now(),
            subjects: HashMap::new(),
            resources: HashMap::new(),
        }
    }

    pub(super) async fn evaluate(
        &mut self,
        question: &Question,
        explain: bool,
    ) -> Result<Answer, ApiError> {
        let Ok(permission) = question.action.name.parse::<Permission>() else {
            let name = echo(&question.action.name);
            return Ok(Answer::unknown(format!("there is no action {name}")));
        };
        let Some(principal) = self.subject(&question.subject).await? else {
            let subject = named(&question.subject);
            return Ok(Answer::unknown(format!(
                "there is no active subject {subject}"
            )));
        };
        let Some(resource) = self.resource(&question.resource).await? else {
            let resource = named(&question.resource);
            return Ok(Answer::unknown(format!("there is no resource {resource}")));
        };
        wait_for_room(|| self.state.decisions.has_room()).await?;
        let asker = DecisionContext {
            principal: &principal,
            source_ip: self.context.client_ip,
            now: self.now,
            request_id: self.context.request_id.as_str(),
            via: Via::Evaluation,
            tells_id: explain,
        };
        let unaskable = || {
            let kind = principal.kind().type_name();
            let about = resource.as_resource().kind().type_name();
            self.snapshot
                .unaskable(permission, kind, (about, &resource.id()))
        };
        let recorder = &self.state.decisions;
        let decided = recorder.decide(&self.snapshot, asker, permission, resource.as_resource())?;
        Ok(Answer {
            decision: decided.outcome == Outcome::Allow,
            decision_id: Some(decided.id.to_string()),
            forbidden: decided.refusal.clone(),
            reason: reason(decided, permission, unaskable),
        })
    }

    /// `None` for nobody, and for who could not act now whatever policy says.
    async fn subject(&mut self, entity: &Entity) -> Result<Option<Arc<Principal>>, ApiError> {
        let key = (entity.of.clone(), entity.id.clone());
        if let Some(known) = self.subjects.get(&key) {
            return Ok(known.clone());
        }
        let caller = load_subject(&self.client, entity).await?;
        let principal = caller.map(|caller| self.state.engine.prepare(&caller, &self.snapshot));
        self.subjects.insert(key, principal.clone());
        Ok(principal)
    }

    async fn resource(&mut self, entity: &Entity) -> Result<Option<Arc<Loaded>>, ApiError> {
        let key = (entity.of.clone(), entity.id.clone());
        if let Some(known) = self.resources.get(&key) {
            return Ok(known.clone());
        }
        let loaded = load_resource(&self.client, entity).await?.map(Arc::new);
        self.resources.insert(key, loaded.clone());
        Ok(loaded)
    }
}

fn reason(
    decided: RecordedDecision,
    permission: Permission,
    unaskable: impl FnOnce() -> Option<String>,
) -> String {
    match decided.outcome {
        Outcome::Allow => format!("a policy permits `{permission}`"),
        Outcome::Deny(Denial::NotPermitted) => {
            unaskable().unwrap_or_else(|| format!("no policy permits `{permission}`"))
        }
        Outcome::Deny(Denial::ForbiddenByPolicy) => decided
            .refusal
            .and_then(|refusal| refusal.message)
            .unwrap_or_else(|| format!("a policy forbids `{permission}`")),
    }
}
