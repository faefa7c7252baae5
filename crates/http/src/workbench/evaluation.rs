//! `POST /policies/evaluation`: evaluates and explains an `AuthZEN` question by the policies in force, the shadow, or a
//! sent folder. Not recorded in the decision log.

use std::net::IpAddr;
use std::sync::Arc;

use charter_macros::boxed;
use salvo::prelude::Json;
use salvo::{Depot, Request, handler};
use serde_json::{Map, Value};

use charter_authz::principal::Principal;
use charter_authz::question::Question;
use charter_authz::snapshot::Snapshot;
use charter_domain::caller::Caller;
use charter_domain::permission::Permission;
use charter_domain::timestamp::{self, Timestamp};

use super::admission::OperatorRequest;
use super::answer::EvaluationAnswer;
use super::custom_evaluation;
use super::named::{self, Named, RESOURCES, SUBJECTS};
use super::refusals;
use super::sent_folder::{SentFolder, pointer, read_body, refused};
use super::work;
use crate::extract::fields::{Fields, present};
use crate::extract::loaded::{Loaded, is_enabled};
use crate::respond::{ApiError, Detail, Surface};
use crate::state::State;

/// Explains one question.
#[handler]
#[boxed]
pub(super) async fn evaluate(
    request: &mut Request,
    depot: &mut Depot,
) -> Result<Json<EvaluationAnswer>, ApiError> {
    let asked = OperatorRequest::of(request, depot)?;
    let body = read_body(request, &asked).await?;
    if body.contains_key("domain") {
        return custom_evaluation::evaluate(body, &asked).await.map(Json);
    }
    let question = EvaluationQuestion::read(Fields::new(body), &asked)?;
    let (by, snapshot) = question.policies.snapshot(&asked.state).await?;
    let operator = asked.operator();
    let unasked = |note: &str| Ok(Json(EvaluationAnswer::unasked(by, &snapshot, note)));
    let Some(subject) = named::subject(&operator, &question.subject).await? else {
        return unasked("there is no such subject");
    };
    let Some(resource) = named::resource(&operator, &question.resource).await? else {
        return unasked("there is no such resource");
    };
    let facts = question.facts;
    let permission = question.permission;
    let answer = work::run(&asked.state, move |state| {
        let answer = explained(state, by, &snapshot, &subject, permission, &resource, facts);
        // Here, because dropping a large folder takes time.
        drop(snapshot);
        answer
    });
    Ok(Json(answer.await?))
}

/// The policies to evaluate.
#[derive(Debug)]
pub(super) enum ChosenPolicies {
    InForce,
    Shadow,
    Sent(SentFolder),
}

impl ChosenPolicies {
    /// Reads `policies` (`in_force` or `shadow`), `folder` and `changes`, at most one of them.
    pub(super) fn read(
        name: Option<String>,
        folder: Option<Map<String, Value>>,
        changes: Option<Map<String, Value>>,
        state: &State,
    ) -> Result<Self, ApiError> {
        let broken = |rule| refused(vec![Detail::new("/policies", rule)]);
        let sent = SentFolder::of(folder, changes, &state.engine.health().files, false)?;
        match (name.as_deref(), sent) {
            (None, Some(sent)) => Ok(Self::Sent(sent)),
            (Some(_), Some(_)) => Err(broken("must be left out if a folder is sent")),
            (None | Some("in_force"), None) => Ok(Self::InForce),
            (Some("shadow"), None) => Ok(Self::Shadow),
            (Some(_), None) => Err(broken("must be `in_force` or `shadow`")),
        }
    }

    /// Their name in the response, and their snapshot.
    pub(super) async fn snapshot(
        self,
        state: &State,
    ) -> Result<(&'static str, Arc<Snapshot>), ApiError> {
        match self {
            Self::InForce => Ok(("in_force", state.engine.snapshot())),
            Self::Shadow => {
                let shadow = state.workbench.shadow.as_ref();
                let shadow = shadow.and_then(|shadow| shadow.snapshot());
                let rule = "there are no shadow policies: set `policies.shadow`";
                let shadow = shadow.ok_or_else(|| refused(vec![Detail::new("/policies", rule)]));
                Ok(("shadow", shadow?))
            }
            Self::Sent(sent) => {
                let loaded = state.workbench.tools.load(sent.files).await;
                let loaded = loaded.map_err(|refusal| refusals::of_folder(refusal, sent.member))?;
                Ok(("sent", loaded))
            }
        }
    }
}

struct EvaluationQuestion {
    policies: ChosenPolicies,
    subject: Named,
    permission: Permission,
    resource: Named,
    facts: EvaluationFacts,
}

/// The members of `context`.
const KNOWN_FACTS: [&str; 2] = ["source_ip", "now"];

/// What the server sets.
#[derive(Clone, Copy)]
pub(super) struct EvaluationFacts {
    pub(super) source_ip: IpAddr,
    pub(super) now: Timestamp,
}

impl EvaluationQuestion {
    fn read(mut fields: Fields, asked: &OperatorRequest) -> Result<Self, ApiError> {
        let subject = fields.required_by("subject", |object| named::named(&object, &SUBJECTS));
        let permission = fields.required_by("action", |object| named::permission(&object));
        let resource = fields.required_by("resource", |object| named::named(&object, &RESOURCES));
        let context = fields.optional::<Map<String, Value>>("context");
        let name = fields.optional::<String>("policies");
        let folder = fields.optional::<Map<String, Value>>("folder");
        let changes = fields.optional::<Map<String, Value>>("changes");
        // `AuthZEN` allows it; the explanation is always in the response.
        fields.optional::<Map<String, Value>>("options");
        fields.finish().map_err(|error| error.on(Surface::Portal))?;
        Ok(Self {
            policies: ChosenPolicies::read(
                present(name)?,
                present(folder)?,
                present(changes)?,
                &asked.state,
            )?,
            subject: present(subject)?,
            permission: present(permission)?,
            resource: present(resource)?,
            facts: EvaluationFacts::read(present(context)?.unwrap_or_default(), asked)?,
        })
    }
}

impl EvaluationFacts {
    /// Reads `context.source_ip` and `context.now`. Other members are refused, because policies would not see them.
    pub(super) fn read(
        context: Map<String, Value>,
        asked: &OperatorRequest,
    ) -> Result<Self, ApiError> {
        let broken =
            |name: &str, rule: &str| refused(vec![Detail::new(format!("/context/{name}"), rule)]);
        let unknown = context
            .keys()
            .filter(|name| !KNOWN_FACTS.contains(&name.as_str()));
        let unknown: Vec<Detail> = unknown
            .map(|name| {
                let rule = format!(
                    "is not known: the context has `{}`",
                    KNOWN_FACTS.join("` and `")
                );
                Detail::new(pointer("context", name), rule)
            })
            .collect();
        if !unknown.is_empty() {
            return Err(refused(unknown));
        }
        let text = |name: &str| {
            context
                .get(name)
                .map(|value| value.as_str().unwrap_or_default())
        };
        let source_ip = match text("source_ip") {
            None => asked.context.client_ip,
            Some(text) => text
                .parse()
                .map_err(|_| broken("source_ip", "must be an IP address"))?,
        };
        let now = match text("now") {
            None => asked.state.clock.now(),
            Some(text) => {
                let rule =
                    "must be a time such as `2025-09-30T12:00:00Z`, of the years 1970 to 9999";
                let now = timestamp::parse(text).ok();
                let is_usual =
                    |now: &Timestamp| (Timestamp::UNIX_EPOCH..=timestamp::latest()).contains(now);
                now.filter(is_usual).ok_or_else(|| broken("now", rule))?
            }
        };
        Ok(Self { source_ip, now })
    }
}

fn explained(
    state: &State,
    by: &'static str,
    snapshot: &Snapshot,
    subject: &Caller,
    permission: Permission,
    resource: &Loaded,
    facts: EvaluationFacts,
) -> EvaluationAnswer {
    let principal = Principal::prepare(subject, snapshot);
    let question = Question {
        principal: &principal,
        permission,
        resource: resource.as_resource(),
        source_ip: facts.source_ip,
        now: facts.now,
    };
    let inputs = snapshot.given(&question).ok().flatten();
    let Some((request, entities)) = inputs else {
        let note = "the schema does not allow this question, so it is denied";
        return EvaluationAnswer::unasked(by, snapshot, note);
    };
    let is_allowed = snapshot
        .decide_request(permission, &request, &entities)
        .is_allowed();
    let is_enabled = is_enabled(subject);
    let explanation = state.explain.explain(snapshot, &request, &entities);
    let mut answer = EvaluationAnswer::asked(by, snapshot, is_allowed && is_enabled, explanation);
    if !is_enabled {
        let note = "the subject is disabled: its requests are refused before policies are asked";
        answer.note = Some(note.to_owned());
    }
    answer
}
