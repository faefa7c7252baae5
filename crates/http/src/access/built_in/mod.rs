//! The built-in domain: Charter's own permissions, asked about Charter's own objects.
//!
//! Entities come from the store, never from the request; the facts are the client's address and the server's clock.

mod search;

use std::sync::Arc;

use charter_authn::access_clients::AccessClient;
use charter_authz::decision::{Denial, Outcome};
use charter_authz::principal::Principal;
use charter_authz::resource::Resource;
use charter_authz::snapshot::Snapshot;
use charter_decision_log::{DecisionContext, RecordedDecision, Via};
use charter_domain::id::OrganizationId;
use charter_domain::organization::Organization;
use charter_domain::permission::Permission;
use charter_domain::timestamp::Timestamp;

use super::answer::DomainAnswer;
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
        }
    }

    pub(super) async fn evaluate(
        &self,
        question: &Question,
        explain: bool,
    ) -> Result<DomainAnswer, ApiError> {
        let Ok(permission) = question.action.name.parse::<Permission>() else {
            let name = echo(&question.action.name);
            return Ok(DomainAnswer::unknown(format!("there is no action {name}")));
        };
        let Some(principal) = self.subject(&question.subject).await? else {
            let subject = named(&question.subject);
            return Ok(DomainAnswer::unknown(format!(
                "there is no active subject {subject}"
            )));
        };
        let own = principal.caller().organization();
        let loaded;
        let resource = if is_named(own, &question.resource) {
            // As the subject's records have it: then the decision may be one that is remembered.
            Resource::Organization(own)
        } else {
            loaded = self.resource(&question.resource).await?;
            let Some(loaded) = &loaded else {
                let resource = named(&question.resource);
                return Ok(DomainAnswer::unknown(format!(
                    "there is no resource {resource}"
                )));
            };
            loaded.as_resource()
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
            let about = resource.kind().type_name();
            self.snapshot
                .unaskable(permission, kind, (about, &resource.id()))
        };
        let recorder = &self.state.decisions;
        let decided = recorder.decide(&self.snapshot, asker, permission, resource)?;
        Ok(DomainAnswer {
            decision: decided.outcome == Outcome::Allow,
            decision_id: Some(decided.id),
            forbidden: decided.refusal.clone(),
            reason: if explain {
                reason(decided, permission, unaskable)
            } else {
                String::new()
            },
        })
    }

    /// `None` for nobody, and for who could not act now whatever policy says.
    async fn subject(&self, entity: &Entity) -> Result<Option<Arc<Principal>>, ApiError> {
        let records = &self.state.access_records;
        let subject = records
            .subject(&self.client, (&entity.of, &entity.id))
            .await?;
        Ok(subject.map(|subject| subject.principal(&self.snapshot)))
    }

    async fn resource(&self, entity: &Entity) -> Result<Option<Arc<Loaded>>, ApiError> {
        let records = &self.state.access_records;
        records
            .resource(&self.client, (&entity.of, &entity.id))
            .await
    }
}

/// Whether the resource is this organization.
fn is_named(organization: &Organization, resource: &Entity) -> bool {
    resource.of == "Organization"
        && OrganizationId::parse_either(&resource.id) == Some(organization.id)
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
