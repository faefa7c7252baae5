//! Why a request is allowed or denied: which policies decided and what made them apply, or which
//! permits came nearest and what kept them from it.
//!
//! The answer is about the snapshot that it is asked of.

mod findings;
mod nearest;
mod seen;
mod text;
mod told;

use std::borrow::Cow;

use cedar_policy::{Effect, Entities, Policy, PolicyId, Request};
use serde::Serialize;

use super::by_action::ByAction;
use super::conditions::Conditions;
use super::conditions::evaluate::Look;
use super::verdict::{Ruling, Verdict};
use super::written_request;
use charter_authz::decision::EvaluationError;
use charter_authz::fault::LoadError;
use charter_authz::snapshot::Snapshot;
use charter_authz::source::Source;
use charter_decision_log::Record;
use charter_decision_log::again::Explain;

pub use self::findings::Finding;
pub use self::nearest::Nearest;
pub use self::seen::{Seen, SeenEntity};
pub use self::told::Told;
pub use super::conditions::looked_at::LookedAt;

/// So many policies are told of in each list; more are only counted.
const MOST_TOLD: usize = 20;

/// Why a request is allowed or denied.
#[derive(Debug, Clone, Serialize)]
pub struct Explanation {
    /// The answer.
    pub ruling: Ruling,
    /// The error's code that a client is told; `None` of what is allowed.
    pub code: Option<String>,
    /// The error's sentence, where the policy that forbids it gives one.
    pub message: Option<String>,
    /// Of the policies that were asked.
    pub policy_digest: String,
    /// The request as the engine saw it.
    #[serde(flatten)]
    pub seen: Seen,
    /// The policies that decided: permits of what is allowed, forbids of what is forbidden.
    pub determining: Vec<Applied>,
    /// The policies that could not be evaluated.
    pub errors: Vec<Errored>,
    /// Of what is not permitted: the permits that came nearest, at most three.
    pub nearest: Vec<Nearest>,
}

/// A policy that decided.
#[derive(Debug, Clone, Serialize)]
pub struct Applied {
    /// Which.
    #[serde(flatten)]
    pub told: Told,
    /// What its single conditions came to; none if its scope alone decided.
    pub conditions: Vec<Finding>,
}

/// A policy that could not be evaluated.
#[derive(Debug, Clone, Serialize)]
pub struct Errored {
    /// Which.
    #[serde(flatten)]
    pub told: Told,
    /// A forbid: what it may have forbidden is denied.
    pub is_forbid: bool,
    /// Cedar's reason.
    pub message: String,
}

/// Explains what a snapshot answers to a request. Actions that the entities lack are added.
#[must_use]
pub fn explain(snapshot: &Snapshot, request: &Request, entities: &Entities) -> Explanation {
    let entities = &with_actions(snapshot, request, entities);
    let by_action = ByAction::of(snapshot.policies().policies());
    let candidates = by_action.taking(request, entities);
    let verdict = Verdict::of(snapshot, request, entities);
    let applied = |id: &String| {
        let conditions = snapshot
            .policies()
            .policy(&PolicyId::new(id))
            .map(Conditions::of);
        Applied {
            told: told::told(snapshot, id),
            conditions: conditions.map_or_else(Vec::new, |conditions| {
                let evaluation = conditions.evaluate(request, entities, Look::AsCedar);
                findings::of_clauses(&conditions, &evaluation, request, entities)
            }),
        }
    };
    let errored = |error: &EvaluationError| Errored {
        told: told::told(snapshot, &error.policy),
        is_forbid: snapshot
            .policies()
            .policy(&PolicyId::new(&error.policy))
            .is_none_or(|policy| policy.effect() == Effect::Forbid),
        message: error.message.clone(),
    };
    let nearest = if verdict.ruling == Ruling::NotPermitted {
        let permits = candidates
            .iter()
            .copied()
            .filter(|policy: &&Policy| policy.effect() == Effect::Permit);
        nearest::of(permits, snapshot, request, entities)
    } else {
        Vec::new()
    };
    Explanation {
        ruling: verdict.ruling,
        code: verdict.code,
        message: verdict.message,
        policy_digest: snapshot.digest().to_string(),
        seen: Seen::of(request, entities),
        determining: verdict
            .determining
            .iter()
            .take(MOST_TOLD)
            .map(applied)
            .collect(),
        errors: verdict.errors.iter().take(MOST_TOLD).map(errored).collect(),
        nearest,
    }
}

/// Without its own entity, no action is in a group.
fn with_actions<'a>(
    snapshot: &Snapshot,
    request: &Request,
    entities: &'a Entities,
) -> Cow<'a, Entities> {
    let is_there = request
        .action()
        .is_none_or(|action| entities.get(action).is_some());
    if is_there {
        return Cow::Borrowed(entities);
    }
    let Ok(actions) = snapshot.schema().action_entities() else {
        return Cow::Borrowed(entities);
    };
    match entities.clone().upsert_entities(actions, None) {
        Ok(with_actions) => Cow::Owned(with_actions),
        Err(_) => Cow::Borrowed(entities),
    }
}

/// Explains a request that is written down as an example is.
///
/// # Errors
///
/// What is wrong with its form, with file, line and caret.
pub fn written(snapshot: &Snapshot, source: &Source) -> Result<Explanation, LoadError> {
    let (request, entities) = written_request::read(source, snapshot.schema())?;
    Ok(explain(snapshot, &request, &entities))
}

/// Explains a recorded decision, as these policies would take it.
///
/// # Errors
///
/// Why it cannot be asked again.
pub fn recorded(snapshot: &Snapshot, record: &Record) -> Result<Explanation, String> {
    if !record.masked.is_empty() {
        let masked = record.masked.join(", ");
        return Err(format!(
            "has masked parts ({masked}) and cannot be asked again"
        ));
    }
    match record.inputs(snapshot) {
        Ok(Some(inputs)) => Ok(explain(snapshot, &inputs.request, &inputs.entities)),
        Ok(None) => Err("was denied unasked: the schema did not have the question".to_owned()),
        Err(error) => Err(format!("cannot be asked of these policies: {error}")),
    }
}

/// Explains recorded decisions to who may read them.
#[derive(Debug, Clone, Copy)]
pub struct Explainer;

impl Explain for Explainer {
    fn explain(
        &self,
        snapshot: &Snapshot,
        request: &Request,
        entities: &Entities,
    ) -> Option<serde_json::Value> {
        serde_json::to_value(explain(snapshot, request, entities)).ok()
    }
}
