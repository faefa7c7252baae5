//! Why a request is allowed or denied: the determining policies and what made them apply, or the
//! permits that came nearest and what failed.
//!
//! The explanation is about the snapshot that is passed in.

mod evaluated_request;
mod findings;
mod near_miss;
mod policy_ref;
mod text;

use std::borrow::Cow;

use cedar_policy::{Effect, Entities, Policy, PolicyId, Request};
use serde::Serialize;

use super::conditions::Conditions;
use super::conditions::evaluate::EvaluationMode;
use super::policies_by_action::PoliciesByAction;
use super::request_json;
use super::snapshot_decision::{Ruling, SnapshotDecision};
use charter_authz::decision::EvaluationError;
use charter_authz::fault::LoadError;
use charter_authz::snapshot::Snapshot;
use charter_authz::source::Source;
use charter_decision_log::DecisionRecord;
use charter_decision_log::reevaluation::ExplainDecision;

pub use self::evaluated_request::{EvaluatedEntity, EvaluatedRequest};
pub use self::findings::ConditionFinding;
pub use self::near_miss::NearMiss;
pub use self::policy_ref::PolicyRef;
pub use super::conditions::inspection::InspectedValue;

/// Policies per list.
const MAX_LISTED: usize = 20;

/// Why a request is allowed or denied.
#[derive(Debug, Clone, Serialize)]
pub struct Explanation {
    /// The decision.
    pub ruling: Ruling,
    /// Why the schema does not allow the request, so that no policy was asked.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub unaskable: Option<String>,
    /// The error code for the client; `None` if the request is allowed.
    pub code: Option<String>,
    /// The error message of the forbid, if it has one.
    pub message: Option<String>,
    /// Digest of the evaluated policies.
    pub policy_digest: String,
    /// The request as the engine evaluated it.
    #[serde(flatten)]
    pub seen: EvaluatedRequest,
    /// The determining policies: permits of an allowed request, forbids of a forbidden one.
    pub determining: Vec<DeterminingPolicy>,
    /// The policies that failed to evaluate.
    pub errors: Vec<ErroredPolicy>,
    /// If no policy permits the request: the permits that came nearest, at most three.
    pub nearest: Vec<NearMiss>,
}

/// A policy that determined the decision.
#[derive(Debug, Clone, Serialize)]
pub struct DeterminingPolicy {
    /// The policy.
    #[serde(flatten)]
    pub policy_ref: PolicyRef,
    /// The values of its single conditions; empty if its scope alone decided.
    pub conditions: Vec<ConditionFinding>,
}

/// A policy that failed to evaluate.
#[derive(Debug, Clone, Serialize)]
pub struct ErroredPolicy {
    /// The policy.
    #[serde(flatten)]
    pub policy_ref: PolicyRef,
    /// Whether it is a forbid, so that the request is denied.
    pub is_forbid: bool,
    /// Cedar's message.
    pub message: String,
}

/// Explains a snapshot's decision. Actions that the entities lack are added.
#[must_use]
pub fn explain(snapshot: &Snapshot, request: &Request, entities: &Entities) -> Explanation {
    let entities = &with_actions(snapshot, request, entities);
    let by_action = PoliciesByAction::of(snapshot.policies().policies());
    let candidates = by_action.matching(request, entities);
    let decision = SnapshotDecision::of(snapshot, request, entities);
    let applied = |id: &String| {
        let conditions = snapshot
            .policies()
            .policy(&PolicyId::new(id))
            .map(Conditions::of);
        DeterminingPolicy {
            policy_ref: PolicyRef::new(snapshot, id),
            conditions: conditions.map_or_else(Vec::new, |conditions| {
                let evaluation =
                    conditions.evaluate(request, entities, EvaluationMode::ShortCircuit);
                findings::of_clauses(&conditions, &evaluation, request, entities)
            }),
        }
    };
    let errored = |error: &EvaluationError| ErroredPolicy {
        policy_ref: PolicyRef::new(snapshot, &error.policy),
        is_forbid: snapshot
            .policies()
            .policy(&PolicyId::new(&error.policy))
            .is_none_or(|policy| policy.effect() == Effect::Forbid),
        message: error.message.clone(),
    };
    let unaskable = unaskable(snapshot, request);
    let nearest = if decision.ruling == Ruling::NotPermitted && unaskable.is_none() {
        let permits = candidates
            .iter()
            .copied()
            .filter(|policy: &&Policy| policy.effect() == Effect::Permit);
        near_miss::nearest_permits(permits, snapshot, request, entities)
    } else {
        Vec::new()
    };
    Explanation {
        ruling: decision.ruling,
        unaskable,
        code: decision.code,
        message: decision.message,
        policy_digest: snapshot.digest().to_string(),
        seen: EvaluatedRequest::of(request, entities),
        determining: decision
            .determining
            .iter()
            .take(MAX_LISTED)
            .map(applied)
            .collect(),
        errors: decision
            .errors
            .iter()
            .take(MAX_LISTED)
            .map(errored)
            .collect(),
        nearest,
    }
}

/// A domain of one's own does not decide such a request.
fn unaskable(snapshot: &Snapshot, request: &Request) -> Option<String> {
    if snapshot.is_custom_domain() {
        return None;
    }
    let permission = request.action()?.id().unescaped().parse().ok()?;
    let (principal, resource) = (request.principal()?, request.resource()?);
    let resource = (resource.type_name().basename(), resource.id().unescaped());
    snapshot.unaskable(permission, principal.type_name().basename(), resource)
}

/// Without its own entity, an action is in no group.
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

/// Explains a request in the format of an example.
///
/// # Errors
///
/// The file does not have that format, with file, line and caret.
pub fn explain_request_file(
    snapshot: &Snapshot,
    source: &Source,
) -> Result<Explanation, LoadError> {
    let (request, entities) = request_json::read(source, snapshot.schema())?;
    Ok(explain(snapshot, &request, &entities))
}

/// Explains a recorded decision, as these policies would decide it.
///
/// # Errors
///
/// Why the decision cannot be evaluated again.
pub fn explain_record(snapshot: &Snapshot, record: &DecisionRecord) -> Result<Explanation, String> {
    if !record.masked.is_empty() {
        let masked = record.masked.join(", ");
        return Err(format!(
            "has masked parts ({masked}) and cannot be asked again"
        ));
    }
    if record.domain.is_some() != snapshot.is_custom_domain() {
        let decided = record.domain.as_ref().map_or_else(
            || "by the built-in domain".to_owned(),
            |domain| format!("by the domain `{domain}`"),
        );
        return Err(format!(
            "was decided {decided}, whose policies these are not"
        ));
    }
    match record.inputs(snapshot) {
        Ok(Some(inputs)) => Ok(explain(snapshot, &inputs.request, &inputs.entities)),
        Ok(None) => Err("was denied because the question could not be evaluated".to_owned()),
        Err(error) => Err(format!("cannot be asked of these policies: {error}")),
    }
}

/// Explains recorded decisions for the decision log's readers.
#[derive(Debug, Clone, Copy)]
pub struct DecisionExplainer;

impl ExplainDecision for DecisionExplainer {
    fn explain(
        &self,
        snapshot: &Snapshot,
        request: &Request,
        entities: &Entities,
    ) -> Option<serde_json::Value> {
        serde_json::to_value(explain(snapshot, request, entities)).ok()
    }
}
