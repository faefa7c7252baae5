//! A domain of one's own: entities from the request, from its `entities.json`, and from the store.

pub(crate) mod names;
pub(crate) mod record_search;
mod search;

use std::sync::Arc;

use salvo::http::StatusCode;

use charter_authn::access_clients::AccessClient;
use charter_authz::custom_domain::{
    BadProperty, CustomDomain, DomainQuestion, Facts, NamedEntity, Unasked,
};
use charter_authz::decision::{Denial, Outcome, PolicyVerdict};
use charter_budgets::Payer;
use charter_decision_log::{DomainAsker, DomainDecision, Via};
use charter_domain::caller::Caller;
use charter_domain::timestamp::Timestamp;

use super::answer::DomainAnswer;
use super::question::{Entity, Question};
use crate::edge::context::RequestContext;
use crate::extract::authorizer::wait_for_room;
use crate::extract::facts::of_loaded;
use crate::respond::{ApiError, Surface, echo};
use crate::state::State;
pub(super) use names::{subject, within};

/// The questions of one request, all answered by the same version of the domain.
pub(super) struct Custom<'a> {
    pub(super) domain: Arc<CustomDomain>,
    name: Arc<str>,
    state: &'a State,
    client: AccessClient<'a>,
    context: &'a RequestContext,
    now: Timestamp,
}

/// What an answer is for.
#[derive(Clone, Copy)]
struct Purpose {
    via: Via,
    /// Whether its id is told.
    tells_id: bool,
    /// Whose request it is about.
    payer: Option<Payer>,
}

impl Purpose {
    /// Gateways are told why a request is denied, others whatever they ask for.
    fn tells_reason(self, is_allowed: bool) -> bool {
        self.tells_id && !(is_allowed && self.via == Via::ForwardAuth)
    }
}

impl<'a> Custom<'a> {
    /// # Errors
    ///
    /// `NOT_FOUND`; UNAVAILABLE if no version of it could be loaded.
    pub(super) fn find(
        state: &'a State,
        name: &str,
        client: AccessClient<'a>,
        context: &'a RequestContext,
    ) -> Result<Self, ApiError> {
        let found = state.domains.get(name).ok_or_else(ApiError::not_found)?;
        let domain = found.in_force.ok_or_else(|| {
            ApiError::unavailable(format_args!("the domain {} is broken", echo(name)), 1)
        })?;
        Ok(Self {
            domain,
            name: name.into(),
            state,
            client,
            context,
            now: state.clock.now(),
        })
    }

    pub(super) async fn evaluate(
        &self,
        question: &Question,
        explain: bool,
    ) -> Result<DomainAnswer, ApiError> {
        let of_subject = self.of_subject(&question.subject).await?;
        let of_resource = if question.subject.is_other_than(&question.resource) {
            self.of_resource(&question.resource).await?
        } else {
            // It would make a subject of who could not act now.
            Facts::default()
        };
        let facts = [&*of_subject, &of_resource];
        let purpose = Purpose {
            via: Via::Evaluation,
            tells_id: explain,
            payer: None,
        };
        self.ask(question, &facts, purpose).await
    }

    /// About a caller that was authenticated, for a gateway that acts on the answer.
    pub(super) async fn evaluate_caller(
        &self,
        question: &Question,
        caller: &Caller,
    ) -> Result<DomainAnswer, ApiError> {
        let question = &respelled(question);
        let of_resource = self.of_resource(&question.resource).await?;
        let of_caller = self.state.access_records.facts_of(&self.client, caller);
        let facts = [&of_resource, &*of_caller];
        let payer = Payer::from(caller);
        self.state.decisions.check_share(payer)?;
        let purpose = Purpose {
            via: Via::ForwardAuth,
            tells_id: true,
            payer: Some(payer),
        };
        self.ask(question, &facts, purpose).await
    }

    /// As a subject: nobody who could not act now. Empty for every other type, and for who there is not.
    async fn of_subject(&self, subject: &Entity) -> Result<Arc<Facts>, ApiError> {
        let Some(entity) = within(subject) else {
            return Ok(Arc::default());
        };
        let records = &self.state.access_records;
        let subject = records
            .subject(&self.client, (&entity.of, &entity.id))
            .await?;
        Ok(subject.map_or_else(Arc::default, |subject| {
            records.facts_of(&self.client, &subject.caller)
        }))
    }

    async fn of_resource(&self, resource: &Entity) -> Result<Facts, ApiError> {
        let Some(entity) = within(resource) else {
            return Ok(Facts::default());
        };
        let records = &self.state.access_records;
        let loaded = records
            .resource(&self.client, (&entity.of, &entity.id))
            .await?;
        Ok(loaded.map_or_else(Facts::default, |loaded| Facts::new(of_loaded(&loaded))))
    }

    /// Asks policy, on record.
    async fn ask(
        &self,
        question: &Question,
        facts: &[&Facts],
        purpose: Purpose,
    ) -> Result<DomainAnswer, ApiError> {
        wait_for_room(|| self.state.decisions.has_room_for_domain()).await?;
        let answered = match self
            .state
            .access_records
            .answers
            .answer(&self.domain, &worded(question, facts))
        {
            Ok(answered) => answered,
            Err(Unasked::Unknown(reason)) => return Ok(DomainAnswer::unknown(reason)),
            Err(Unasked::Bad(bad)) => return Err(refused(&bad)),
        };
        let verdict = &answered.verdict;
        let (decision, forbidden) = (verdict.outcome == Outcome::Allow, verdict.refusal.clone());
        let reason = if purpose.tells_reason(decision) {
            reason(verdict, &question.action.name)
        } else {
            String::new()
        };
        let asker = DomainAsker {
            now: self.now,
            request_id: self.context.request_id.as_str(),
            via: purpose.via,
            tells_id: purpose.tells_id,
        };
        let decided = DomainDecision {
            domain: Arc::clone(&self.name),
            policy_digest: Arc::clone(self.domain.snapshot().digest()),
            answered,
            payer: purpose.payer,
        };
        let id = self.state.decisions.record(asker, decided)?;
        self.context.facts.note_decision(id);
        Ok(DomainAnswer {
            decision,
            reason,
            decision_id: Some(id),
            forbidden,
        })
    }
}

/// The question with ids of records in their one form.
pub(crate) fn respelled(question: &Question) -> Question {
    let mut question = question.clone();
    names::respell(&mut question.subject);
    names::respell_values(Arc::make_mut(&mut question.action.properties));
    names::respell(&mut question.resource);
    names::respell_values(Arc::make_mut(&mut question.context));
    question
}

/// The question as a domain takes it.
pub(crate) fn worded<'q>(question: &'q Question, facts: &'q [&'q Facts]) -> DomainQuestion<'q> {
    fn entity(entity: &Entity) -> NamedEntity<'_> {
        NamedEntity {
            of: &entity.of,
            id: &entity.id,
            properties: &entity.properties,
        }
    }
    DomainQuestion {
        subject: entity(&question.subject),
        action: &question.action.name,
        action_properties: &question.action.properties,
        resource: entity(&question.resource),
        context: &question.context,
        facts,
    }
}

fn reason(verdict: &PolicyVerdict, action: &str) -> String {
    let action = echo(action);
    match verdict.outcome {
        Outcome::Allow => format!("a policy permits {action}"),
        Outcome::Deny(Denial::NotPermitted) => format!("no policy permits {action}"),
        Outcome::Deny(Denial::ForbiddenByPolicy) => verdict
            .refusal
            .as_ref()
            .and_then(|refusal| refusal.message.clone())
            .unwrap_or_else(|| format!("a policy forbids {action}")),
    }
}

/// A property of a wrong type is a 400 that names it.
pub(crate) fn refused(bad: &BadProperty) -> ApiError {
    let error = ApiError::broken(bad.pointer.clone(), &bad.message).on(Surface::Portal);
    debug_assert_eq!(error.status(), StatusCode::BAD_REQUEST);
    error
}
