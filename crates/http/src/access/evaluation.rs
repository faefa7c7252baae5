//! `POST /access/v1/evaluation` and `/access/v1/evaluations` (`AuthZEN` sections 6 and 7).

use std::fmt::Write as _;
use std::time::Duration;

use charter_macros::boxed;
use salvo::prelude::Json;
use salvo::{Depot, Request, handler};
use serde::Serialize;
use serde_json::{Map, Value};
use tokio::time::Instant;

use super::answer::DomainAnswer;
use super::asked::{admit, object};
use super::domain::{Domain, name_of};
use super::question::{QuestionParts, wrong_type};
use crate::edge::context::RequestContext;
use crate::respond::{ApiError, Code, echo};
use crate::state::SharedState;

const MAX_EVALUATIONS: usize = 1_000;
/// After so long other requests have their turn.
const SLICE: Duration = Duration::from_micros(200);

/// A decision.
#[derive(Serialize)]
pub(super) struct Decision {
    decision: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    context: Option<DecisionContext>,
}

#[derive(Serialize)]
struct DecisionContext {
    reason: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    decision_id: Option<String>,
}

#[derive(Serialize)]
#[serde(untagged)]
pub(super) enum Decisions {
    One(Decision),
    Many { evaluations: Vec<Decision> },
}

#[handler]
#[boxed]
pub(super) async fn one(
    request: &mut Request,
    depot: &mut Depot,
) -> Result<Json<Decision>, ApiError> {
    let state = SharedState::of(depot)?;
    let client = admit(request, depot, &state)?;
    let context = RequestContext::behind_edge(depot)?;
    let domain = Domain::named(&name_of(request), &state, client, context)?;
    let object = object(request, context).await?;
    answer_one(&object, &domain).await.map(Json)
}

#[handler]
#[boxed]
pub(super) async fn many(
    request: &mut Request,
    depot: &mut Depot,
) -> Result<Json<Decisions>, ApiError> {
    let state = SharedState::of(depot)?;
    let client = admit(request, depot, &state)?;
    let context = RequestContext::behind_edge(depot)?;
    let domain = Domain::named(&name_of(request), &state, client, context)?;
    let object = object(request, context).await?;
    answer_many(&object, &domain).await.map(Json)
}

async fn answer_one(
    object: &Map<String, Value>,
    domain: &Domain<'_>,
) -> Result<Decision, ApiError> {
    let options = Options::read(object)?;
    let question = domain.parts(object)?.question()?;
    let answer = domain.evaluate(&question, options.explain).await?;
    Ok(options.decision(answer))
}

async fn answer_many(
    object: &Map<String, Value>,
    domain: &Domain<'_>,
) -> Result<Decisions, ApiError> {
    let items = match object.get("evaluations") {
        None => return answer_one(object, domain).await.map(Decisions::One),
        Some(Value::Array(items)) if items.is_empty() => {
            return answer_one(object, domain).await.map(Decisions::One);
        }
        Some(Value::Array(items)) => items,
        Some(_) => return Err(wrong_type("evaluations", "an array")),
    };
    if items.len() > MAX_EVALUATIONS {
        return Err(ApiError::invalid(
            Code::BadParameter,
            format!("at most {MAX_EVALUATIONS} evaluations at once"),
        ));
    }
    let options = Options::read(object)?;
    let defaults = domain.parts(object)?;
    let mut evaluations = Vec::with_capacity(items.len());
    let mut slice = Instant::now();
    for item in items {
        let decision = match answer_item(item, &defaults, domain, options).await {
            Ok(answer) => options.decision(answer),
            // What is wrong with one is no matter of the others.
            Err(error) if error.status().is_client_error() => broken(&error),
            Err(error) => return Err(error),
        };
        let ends = options.semantic.ends_with(decision.decision);
        evaluations.push(decision);
        if ends {
            break;
        }
        if slice.elapsed() > SLICE {
            tokio::task::yield_now().await;
            slice = Instant::now();
        }
    }
    Ok(Decisions::Many { evaluations })
}

async fn answer_item(
    item: &Value,
    defaults: &QuestionParts,
    domain: &Domain<'_>,
    options: Options,
) -> Result<DomainAnswer, ApiError> {
    let object = item
        .as_object()
        .ok_or_else(|| wrong_type("evaluations", "an array of objects"))?;
    let question = domain.parts(object)?.or(defaults).question()?;
    domain.evaluate(&question, options.explain).await
}

/// An item that could not be evaluated: denied, and told why.
fn broken(error: &ApiError) -> Decision {
    // There are no `details` here: they follow.
    let reason = error.message();
    let mut reason = reason
        .strip_suffix("; see `details`")
        .unwrap_or(reason)
        .to_owned();
    for detail in error.details() {
        // Writing to a string cannot fail.
        let _ = write!(reason, "; `{}` {}", detail.field, detail.message);
    }
    Decision {
        decision: false,
        context: Some(DecisionContext {
            reason,
            decision_id: None,
        }),
    }
}

#[derive(Debug, Clone, Copy, Default)]
struct Options {
    explain: bool,
    semantic: Semantic,
}

/// When the evaluations end (`AuthZEN` section 7.1.2.1).
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
enum Semantic {
    #[default]
    ExecuteAll,
    DenyOnFirstDeny,
    PermitOnFirstPermit,
}

impl Semantic {
    fn ends_with(self, decision: bool) -> bool {
        match self {
            Self::ExecuteAll => false,
            Self::DenyOnFirstDeny => !decision,
            Self::PermitOnFirstPermit => decision,
        }
    }
}

impl Options {
    fn read(object: &Map<String, Value>) -> Result<Self, ApiError> {
        let options = match object.get("options") {
            None => return Ok(Self::default()),
            Some(Value::Object(options)) => options,
            Some(_) => return Err(wrong_type("options", "an object")),
        };
        let explain = match options.get("explain") {
            None => false,
            Some(Value::Bool(explain)) => *explain,
            Some(_) => return Err(wrong_type("options.explain", "true or false")),
        };
        let semantic = match options.get("evaluations_semantic") {
            None => Semantic::default(),
            Some(Value::String(text)) => match text.as_str() {
                "execute_all" => Semantic::ExecuteAll,
                "deny_on_first_deny" => Semantic::DenyOnFirstDeny,
                "permit_on_first_permit" => Semantic::PermitOnFirstPermit,
                other => {
                    return Err(ApiError::invalid(
                        Code::BadParameter,
                        format!(
                            "`options.evaluations_semantic` must be `execute_all`, `deny_on_first_deny` or \
                             `permit_on_first_permit`, not {}",
                            echo(other)
                        ),
                    ));
                }
            },
            Some(_) => return Err(wrong_type("options.evaluations_semantic", "a string")),
        };
        Ok(Self { explain, semantic })
    }

    fn decision(self, answer: DomainAnswer) -> Decision {
        let context = self.explain.then_some(DecisionContext {
            reason: answer.reason,
            decision_id: answer.decision_id.map(|id| id.to_string()),
        });
        Decision {
            decision: answer.decision,
            context,
        }
    }
}
