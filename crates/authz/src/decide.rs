//! Decides questions by a snapshot. Every error is a denial.

use std::borrow::Cow;
use std::error::Error;
use std::sync::Arc;
use std::time::Instant;

use cedar_policy::{Entities, EntityUid, Request};

use super::combined_response::CombinedResponse;
use super::decision::{Decision, Denial, Outcome};
use super::kinds::{PrincipalKind, ResourceKind};
use super::outcomes::Outcomes;
use super::question::Question;
use super::resource::Resource;
use super::snapshot::Snapshot;
use charter_domain::permission::Permission;

/// Cedar's input for one question.
#[derive(Debug)]
pub struct CedarRequest {
    pub request: Request,
    /// `None` if they are the principal's own, with all actions.
    pub entities: Option<Entities>,
}

/// What a question is about: permission, and the types of principal and resource.
type AskedKinds = (Permission, PrincipalKind, ResourceKind);

impl Snapshot {
    pub fn decide(&self, question: &Question<'_>) -> Arc<Decision> {
        self.remembered(question)
            .unwrap_or_else(|| self.evaluate(question).0)
    }

    /// Decides and returns the input that Cedar was given or would be given; `None` if the schema does
    /// not allow the question.
    pub fn decide_with_inputs(
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

    /// The cached decision about an equal question under the same policies and records.
    fn remembered(&self, question: &Question<'_>) -> Option<Arc<Decision>> {
        let outcomes = self.outcomes(question)?;
        outcomes.get(question.permission, question.source_ip)
    }

    /// Where decisions about the caller's organization are kept; `None` if the question is not about it
    /// as the caller's own records have it, or the principal was prepared for another snapshot.
    fn outcomes<'a>(&self, question: &Question<'a>) -> Option<&'a Outcomes> {
        let own = question.principal.caller().organization();
        match question.resource {
            Resource::Organization(asked) if std::ptr::eq(asked, own) => {
                (question.principal.digest == self.digest).then_some(&question.principal.outcomes)
            }
            _ => None,
        }
    }

    fn evaluate(&self, question: &Question<'_>) -> (Arc<Decision>, Option<CedarRequest>) {
        #[expect(
            clippy::disallowed_methods,
            reason = "measures itself; no decision depends on it"
        )]
        let start = Instant::now();
        let asked = self.ask(question);
        self.seconds.record(start.elapsed());
        match asked {
            Ok(Some((answer, asked))) => {
                self.record_failures(question, &answer);
                let (is_permitted, reads) = (answer.is_permitted(), answer.reads);
                let decision = Arc::new(answer.into_decision(self, question.permission));
                if is_permitted && !decision.is_allowed() {
                    metrics::counter!("charter_authz_errored_forbids_total").increment(1);
                    tracing::error!(
                        permission = %question.permission,
                        principal = question.principal.caller().principal_id(),
                        policies = ?decision.determining,
                        errors = ?decision.errors,
                        "a forbid failed to evaluate; the request is denied"
                    );
                }
                if let Some(outcomes) = self.outcomes(question) {
                    let principal = question.principal;
                    if outcomes.keep(&decision, question.source_ip, reads) {
                        principal.drop_entities();
                    } else if let (Some(prepared), Some(entities)) =
                        (&principal.prepared, &asked.entities)
                    {
                        // It is evaluated each time.
                        prepared.with_actions.get_or_init(|| entities.clone());
                    }
                }
                (decision, Some(asked))
            }
            Ok(None) => (Arc::new(self.denied(question.permission)), None),
            Err(error) => {
                tracing::error!(
                    permission = %question.permission,
                    principal = question.principal.caller().principal_id(),
                    error = error.as_ref() as &dyn Error,
                    "a question could not be evaluated; it is denied"
                );
                (Arc::new(self.denied(question.permission)), None)
            }
        }
    }

    fn record_failures(&self, question: &Question<'_>, answer: &CombinedResponse) {
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
                "policies failed to evaluate: a failing permit has no effect, a failing forbid denies"
            );
        }
    }

    fn ask(
        &self,
        question: &Question<'_>,
    ) -> Result<Option<(CombinedResponse, CedarRequest)>, Box<dyn Error>> {
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
        let answer = CombinedResponse::of(
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

    /// Decides a request that was made for this or another snapshot. `entities` come from
    /// [`Snapshot::with_actions`]. A request that this schema does not allow is denied.
    pub fn decide_request(
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
        let answer = CombinedResponse::of(&self.authorizer, candidates, request, entities);
        answer.into_decision(self, permission)
    }

    /// Whether this schema allows the question.
    pub fn can_ask(&self, permission: Permission, request: &Request) -> bool {
        self.askable(permission, request).is_some()
    }

    /// Request type, principal and resource; `None` if this schema does not allow the question.
    fn askable<'a>(
        &self,
        permission: Permission,
        request: &'a Request,
    ) -> Option<(AskedKinds, &'a EntityUid, &'a EntityUid)> {
        let (principal, resource) = (request.principal()?, request.resource()?);
        let kinds = self.asked_kinds(
            permission,
            principal.type_name().basename(),
            (resource.type_name().basename(), resource.id().unescaped()),
        );
        Some((kinds.ok()?, principal, resource))
    }

    /// Why this schema does not allow a question about a resource of this type and id; `None` if it does.
    pub fn unaskable(
        &self,
        permission: Permission,
        principal: &str,
        resource: (&str, &str),
    ) -> Option<String> {
        self.asked_kinds(permission, principal, resource).err()
    }

    fn asked_kinds(
        &self,
        permission: Permission,
        principal: &str,
        (of, name): (&str, &str),
    ) -> Result<AskedKinds, String> {
        let kinds = PrincipalKind::of_type(principal).zip(ResourceKind::of_type(of));
        let kinds = kinds.filter(|&(by, of)| self.catalogue.action(permission, by, of).is_some());
        let Some((kind, resource_kind)) = kinds else {
            return Err(format!(
                "the schema does not let a `{principal}` ask for `{permission}` on the type `{of}`"
            ));
        };
        let is_known = match resource_kind {
            ResourceKind::Role => self.catalogue.role(name).is_some(),
            ResourceKind::Permission => self.catalogue.permission(name).is_some(),
            _ => true,
        };
        if is_known {
            Ok((permission, kind, resource_kind))
        } else {
            Err(format!("there is no `{of}` named {name:?}"))
        }
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
