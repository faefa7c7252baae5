//! Answers questions by a snapshot. Whatever goes wrong on the way is a denial.

use std::borrow::Cow;
use std::error::Error;
use std::sync::Arc;

use cedar_policy::{Entities, EntityUid, Request, Response};

use super::answer::Answer;
use super::decision::{Decision, Denial, Outcome};
use super::kinds::{PrincipalKind, ResourceKind};
use super::question::Question;
use super::snapshot::Snapshot;
use charter_domain::permission::Permission;

/// What Cedar was given for one question.
#[derive(Debug)]
pub struct CedarRequest {
    pub request: Request,
    /// `None` where they are those that were prepared for the principal.
    pub entities: Option<Entities>,
}

impl Snapshot {
    pub fn decide(&self, question: &Question<'_>) -> Arc<Decision> {
        self.remembered(question)
            .unwrap_or_else(|| self.evaluate(question).0)
    }

    /// The same, with what Cedar was given or would be; `None` if the question could not be put.
    pub fn decide_and_keep(
        &self,
        question: &Question<'_>,
    ) -> (Arc<Decision>, Option<CedarRequest>) {
        if let Some(decision) = self.remembered(question)
            && let Ok(Some(request)) = self.request(question.principal, question)
        {
            let entities = None;
            return (decision, Some(CedarRequest { request, entities }));
        }
        self.evaluate(question)
    }

    /// What an equal question was answered, by the same policies and records.
    fn remembered(&self, question: &Question<'_>) -> Option<Arc<Decision>> {
        let is_of_this = question.principal.digest == self.digest;
        is_of_this.then(|| question.principal.outcomes.get(question))?
    }

    fn evaluate(&self, question: &Question<'_>) -> (Arc<Decision>, Option<CedarRequest>) {
        match self.ask(question) {
            Ok(Some((answer, asked))) => {
                self.note_failures(question, &answer);
                let (is_permitted, reads) = (answer.is_permitted(), answer.reads);
                let decision = Arc::new(answer.conclude(self, question.permission));
                if is_permitted && !decision.is_allowed() {
                    metrics::counter!("charter_authz_errored_forbids_total").increment(1);
                    tracing::error!(
                        permission = %question.permission,
                        principal = question.principal.caller().principal_id(),
                        policies = ?decision.determining,
                        errors = ?decision.errors,
                        "a forbid could not be evaluated, what it may have forbidden is denied"
                    );
                }
                if question.principal.digest == self.digest {
                    let outcomes = &question.principal.outcomes;
                    outcomes.keep(question, &decision, reads);
                }
                (decision, Some(asked))
            }
            Ok(None) => (Arc::new(self.denied(question.permission)), None),
            Err(error) => {
                tracing::error!(
                    permission = %question.permission,
                    principal = question.principal.caller().principal_id(),
                    error = error.as_ref() as &dyn Error,
                    "a question could not be put to the policies, it is denied"
                );
                (Arc::new(self.denied(question.permission)), None)
            }
        }
    }

    fn note_failures(&self, question: &Question<'_>, answer: &Answer) {
        if answer.errors.is_empty() {
            return;
        }
        metrics::counter!("charter_authz_evaluation_errors_total")
            .increment(answer.errors.len() as u64);
        let news = self.failures.note(&answer.errors, question.now);
        if !news.is_empty() {
            tracing::error!(
                permission = %question.permission,
                policies = ?news,
                errors = ?answer.errors,
                "policies could not be evaluated: a permit counts for nothing, a forbid denies"
            );
        }
    }

    fn ask(
        &self,
        question: &Question<'_>,
    ) -> Result<Option<(Answer, CedarRequest)>, Box<dyn Error>> {
        let principal = self.prepared(question.principal);
        let Some(inputs) = self.inputs(&principal, question)? else {
            return Ok(None);
        };
        let Some(resource) = inputs.request.resource() else {
            return Ok(None);
        };
        let kinds = (
            question.permission,
            principal.kind,
            question.resource.kind(),
        );
        let candidates =
            self.index
                .candidates(kinds, &inputs.of_principal, resource, &inputs.entities);
        let answer = Answer::of(
            &self.authorizer,
            candidates,
            &inputs.request,
            &inputs.entities,
        );
        let entities = match (inputs.entities, &principal) {
            (Cow::Borrowed(_), Cow::Borrowed(_)) => None,
            (entities, _) => Some(entities.into_owned()),
        };
        let request = inputs.request;
        Ok(Some((answer, CedarRequest { request, entities })))
    }

    /// Answers a question again that was asked of this or another snapshot. `entities` are those
    /// of [`Snapshot::with_actions`]. What this schema does not let be asked is denied.
    pub fn decide_again(
        &self,
        permission: Permission,
        request: &Request,
        entities: &Entities,
    ) -> Decision {
        let Some((kinds, principal, resource)) = self.askable(permission, request) else {
            return self.denied(permission);
        };
        let of_principal = self.index.of_principal(principal, entities);
        let candidates = self
            .index
            .candidates(kinds, &of_principal, resource, entities);
        let answer = Answer::of(&self.authorizer, candidates, request, entities);
        answer.conclude(self, permission)
    }

    /// Whether this schema lets the question be asked; the service denies what it does not.
    pub fn can_ask(&self, permission: Permission, request: &Request) -> bool {
        self.askable(permission, request).is_some()
    }

    /// The kind of a question, its principal and its resource, if this schema lets it be asked.
    fn askable<'a>(
        &self,
        permission: Permission,
        request: &'a Request,
    ) -> Option<(
        (Permission, PrincipalKind, ResourceKind),
        &'a EntityUid,
        &'a EntityUid,
    )> {
        let (principal, resource) = (request.principal()?, request.resource()?);
        let kind = PrincipalKind::of_type(principal.type_name().basename())?;
        let resource_kind = ResourceKind::of_type(resource.type_name().basename())?;
        self.catalogue.action(permission, kind, resource_kind)?;
        let name = resource.id().unescaped();
        match resource_kind {
            ResourceKind::Role => drop(self.catalogue.role(name)?),
            ResourceKind::Permission => drop(self.catalogue.permission(name)?),
            _ => {}
        }
        Some(((permission, kind, resource_kind), principal, resource))
    }

    /// What the whole set answers to a question when each of its policies is evaluated: slow, and
    /// by definition right. `None` if the schema does not let the question be asked.
    pub fn ask_every_policy(
        &self,
        question: &Question<'_>,
    ) -> Result<Option<Response>, Box<dyn Error>> {
        let principal = self.prepared(question.principal);
        let Some(inputs) = self.inputs(&principal, question)? else {
            return Ok(None);
        };
        let response =
            self.authorizer
                .is_authorized(&inputs.request, &self.policies, &inputs.entities);
        Ok(Some(response))
    }

    fn denied(&self, permission: Permission) -> Decision {
        Decision {
            outcome: Outcome::Deny(Denial::NotPermitted),
            refusal: None,
            permission,
            determining: Vec::new(),
            errors: Vec::new(),
            policy_digest: Arc::clone(&self.digest),
        }
    }
}
