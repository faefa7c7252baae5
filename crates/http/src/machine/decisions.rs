//! `/decisions/{id}`: explains decisions (contract section 4).
//!
//! Limited to the caller's own organization. Another replica's allowed decisions are in its own log only; its
//! denials are found here, too.

use std::sync::Arc;

use charter_macros::boxed;
use salvo::Writer;
use salvo::oapi::{BasicType, Components, Object, RefOr, Schema, ToSchema, endpoint};
use serde::Serialize;
use serde_json::value::RawValue;
use serde_json::{Value, json};
use tokio::runtime::Handle;

use crate::extract::authorized::Authorized;
use crate::extract::objects::OwnOrganization;
use crate::extract::operation::Operation;
use crate::extract::path::PathId;
use crate::extract::values::IdSchema;
use crate::respond::ApiError;
use crate::respond::answer::Shown;
use crate::state::State;
use charter_authz::snapshot::Snapshot;
use charter_decision_log::{DecisionRecord, Uid};
use charter_domain::id::DecisionId;
use charter_domain::permission::Permission;
use charter_domain::timestamp;

/// `GET /decisions/{id}`
pub(crate) struct GetDecision;

impl Operation for GetDecision {
    const PERMISSION: Permission = Permission::GetDecision;
    type Input = PathId<DecisionId>;
    type Object = OwnOrganization;

    fn object(_: &Self::Input) {}
}

/// Explains a decision of the caller's organization: principal, action, resource, and the determining policies.
#[endpoint(operation_id = "getDecision", tags("decisions"))]
#[boxed]
pub async fn get(request: Authorized<GetDecision>) -> Result<Shown<DecisionBody>, ApiError> {
    let PathId(id) = request.input;
    let id = id.ok_or_else(ApiError::not_found)?;
    let state = request.state.clone();
    let own = request.caller().organization().id.to_string();
    let permit = state
        .searches
        .permit(request.caller().organization().id)
        .await?;
    let runtime = Handle::current();
    let looked = tokio::task::spawn_blocking(move || {
        // Held until the search ends, even if the client has disconnected.
        let _until_it_is_done = permit;
        look_up(&state, id, &own, &runtime)
    })
    .await;
    let body = looked.map_err(ApiError::internal)??;
    body.map(Shown).ok_or_else(ApiError::not_found)
}

/// Finds a decision about that organization and explains it. It reads files and evaluates policies, which may take
/// a while.
fn look_up(
    state: &State,
    id: DecisionId,
    own: &str,
    runtime: &Handle,
) -> Result<Option<DecisionBody>, ApiError> {
    let found = state.decision_lookup.find(id);
    let found = found.map_err(|error| ApiError::unavailable(error, 1))?;
    let Some(record) = found.filter(|record| record.belongs_to(own)) else {
        return Ok(None);
    };
    let snapshot = runtime.block_on(snapshot_of(state, &record))?;
    let explanation = snapshot
        .as_deref()
        .and_then(|snapshot| record.explanation(&*state.explain, snapshot));
    Ok(Some(DecisionBody::new(
        record,
        snapshot.as_deref(),
        explanation,
    )))
}

/// The policies that made the decision, even if they are no longer in force.
pub(crate) async fn snapshot_of(
    state: &State,
    record: &DecisionRecord,
) -> Result<Option<Arc<Snapshot>>, ApiError> {
    let domain = record.domain.as_deref();
    let current = match domain {
        None => Some(state.engine.snapshot()),
        Some(name) => {
            let domain = state.domains.get(name).and_then(|found| found.in_force);
            domain.map(|domain| Arc::clone(domain.snapshot()))
        }
    };
    let current = current.filter(|current| **current.digest() == *record.policy_digest);
    if current.is_some() {
        return Ok(current);
    }
    let earlier = state.revisions.get(domain, &record.policy_digest);
    Ok(earlier.await?)
}

/// The API's format of times (contract section 1); the log has milliseconds.
pub(crate) fn whole_seconds(logged: String) -> String {
    timestamp::parse(&logged).map_or(logged, timestamp::format)
}

/// A logged decision.
#[derive(Serialize, ToSchema)]
#[salvo(schema(name = "Decision", example = json!({
    "id": "dec-01k6dyspfte23tskdzn1kqd65k",
    "at": "2025-09-30T12:00:00Z",
    "request_id": "01k6dyspfte23tskdzn1kqd65k",
    "via": null,
    "principal": {"type": "ServiceAccount", "id": "sa-01k6dyspfte23tskdzn1kqd65k"},
    "action": {"type": "Action", "id": "organizations:GetOrganization"},
    "resource": {"type": "Organization", "id": "org-01k6dyspfte23tskdzn1kqd65k"},
    "context": {"source_ip": {"__extn": {"fn": "ip", "arg": "192.0.2.7"}}},
    "entities": [{
        "uid": {"type": "ServiceAccount", "id": "sa-01k6dyspfte23tskdzn1kqd65k"},
        "attrs": {"is_active": true},
        "parents": [],
    }],
    "decision": "deny",
    "reason": "not_permitted",
    "code": null,
    "message": null,
    "policies": [],
    "policy_digest": "6f1ed002ab5595859014ebf0951522d9a1b3c7d5e9f0a2b4c6d8e0f1a3b5c7d9",
    "errors": [],
    "masked": [],
    "explanation": null,
})))]
pub(crate) struct DecisionBody {
    /// `dec-…`
    #[salvo(schema(value_type = IdSchema<DecisionId>))]
    id: String,
    /// When it was requested.
    #[salvo(schema(format = "date-time", example = "2025-09-30T12:00:00Z"))]
    at: String,
    /// The id of the request that it was made for.
    #[salvo(schema(example = "01k6dyspfte23tskdzn1kqd65k"))]
    request_id: String,
    /// `evaluation` if it was requested through the evaluation endpoint; null if a request depended on it.
    #[salvo(schema(example = "evaluation"))]
    via: Option<String>,
    principal: EntityName,
    action: EntityName,
    resource: EntityName,
    /// The context of the request, in Cedar's JSON format; null if the request could not be evaluated.
    #[salvo(schema(value_type = Option<ContextSchema>))]
    context: Option<Box<RawValue>>,
    /// The entities of the evaluation, in Cedar's JSON format.
    #[salvo(schema(value_type = EntitiesSchema))]
    entities: Box<RawValue>,
    /// `allow` or `deny`.
    #[salvo(schema(example = "deny"))]
    decision: String,
    /// Of a denial: `not_permitted` (no policy permits it) or `forbidden` (a policy forbids it).
    #[salvo(schema(example = "not_permitted"))]
    reason: Option<String>,
    /// The error's code, if the forbidding policy gives one.
    #[salvo(schema(example = "ORGANIZATION_DEACTIVATED"))]
    code: Option<String>,
    /// The error's message, if the forbidding policy gives one.
    #[salvo(schema(
        example = "the organization is deactivated; only an operator can reactivate it"
    ))]
    message: Option<String>,
    /// The determining policies.
    policies: Vec<PolicyName>,
    /// The digest of the policy set.
    #[salvo(schema(example = "6f1ed002ab5595859014ebf0951522d9a1b3c7d5e9f0a2b4c6d8e0f1a3b5c7d9"))]
    policy_digest: String,
    /// Policies that could not be evaluated.
    errors: Vec<PolicyError>,
    /// The masked members.
    #[salvo(schema(example = json!(["context.source_ip"])))]
    masked: Vec<String>,
    /// An explanation, such as the conditions that were false; null if there is none.
    #[salvo(schema(value_type = Option<ExplanationSchema>))]
    explanation: Option<Value>,
}

/// An entity's name.
#[derive(Serialize, ToSchema)]
#[salvo(schema(name = "EntityName"))]
pub(super) struct EntityName {
    /// Its type.
    #[serde(rename = "type")]
    #[salvo(schema(example = "ServiceAccount"))]
    of: String,
    /// Its id.
    #[salvo(schema(example = "sa-01k6dyspfte23tskdzn1kqd65k"))]
    id: String,
}

/// A policy and its source location.
#[derive(Serialize, ToSchema)]
#[salvo(schema(name = "PolicyName"))]
struct PolicyName {
    /// Its `@id`.
    #[salvo(schema(example = "organizations:GetOrganization"))]
    id: String,
    /// Its file; null if the policies are not known any more.
    #[salvo(schema(example = "organizations.cedar"))]
    file: Option<String>,
    /// The line of the file.
    #[salvo(schema(example = 5))]
    line: Option<usize>,
}

/// A policy that could not be evaluated.
#[derive(Serialize, ToSchema)]
#[salvo(schema(name = "PolicyError"))]
struct PolicyError {
    /// Its `@id`.
    #[salvo(schema(example = "guardrails.other-organization"))]
    policy: String,
    /// The error message.
    #[salvo(schema(example = "entity `Organization::\"…\"` does not exist"))]
    message: String,
}

impl DecisionBody {
    pub(crate) fn new(
        record: DecisionRecord,
        snapshot: Option<&Snapshot>,
        explanation: Option<Value>,
    ) -> Self {
        let policy = |id: String| {
            let place = snapshot.and_then(|snapshot| snapshot.location(&id));
            PolicyName {
                file: place.map(|place| place.file.clone()),
                line: place.map(|place| place.line),
                id,
            }
        };
        let errors = record.errors.into_iter().map(|error| PolicyError {
            policy: error.policy,
            message: error.message,
        });
        Self {
            id: record.id,
            at: whole_seconds(record.at),
            request_id: record.request_id,
            via: record.via,
            principal: record.principal.into(),
            action: record.action.into(),
            resource: record.resource.into(),
            context: record.context,
            entities: record.entities,
            decision: record.decision,
            reason: record.reason,
            code: record.code,
            message: record.message,
            policies: record.determining.into_iter().map(policy).collect(),
            policy_digest: record.policy_digest,
            errors: errors.collect(),
            masked: record.masked,
            explanation,
        }
    }
}

impl From<Uid> for EntityName {
    fn from(uid: Uid) -> Self {
        Self {
            of: uid.of,
            id: uid.id,
        }
    }
}

struct ContextSchema;

impl ToSchema for ContextSchema {
    fn to_schema(_: &mut Components) -> RefOr<Schema> {
        let example = json!({"source_ip": {"__extn": {"fn": "ip", "arg": "192.0.2.7"}}});
        object("The context of a request.", example)
    }
}

struct EntitiesSchema;

impl ToSchema for EntitiesSchema {
    fn to_schema(_: &mut Components) -> RefOr<Schema> {
        let uid = json!({"type": "ServiceAccount", "id": "sa-01k6dyspfte23tskdzn1kqd65k"});
        let example = json!({"uid": uid, "attrs": {"is_active": true}, "parents": []});
        let entity = Object::with_type(BasicType::Object).examples([example]);
        let entities = salvo::oapi::Array::new().items(Schema::from(entity));
        RefOr::Type(Schema::from(entities))
    }
}

struct ExplanationSchema;

impl ToSchema for ExplanationSchema {
    fn to_schema(_: &mut Components) -> RefOr<Schema> {
        object("An explanation of a decision.", json!({}))
    }
}

fn object(description: &str, example: Value) -> RefOr<Schema> {
    let object = Object::with_type(BasicType::Object)
        .description(description)
        .examples([example]);
    RefOr::Type(Schema::from(object))
}
