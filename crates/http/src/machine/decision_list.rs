//! `GET /decisions`: who asked for which permission, and the outcome; not why (contract section 4).
//!
//! Of the caller's own organization only. Another replica's allowed decisions are in its own log.

use charter_macros::boxed;

use salvo::Writer;
use salvo::oapi::{
    BasicType, Components, Object as SchemaObject, Operation as OpenApiOperation, ToSchema,
    endpoint,
};
use serde::Serialize;

use crate::extract::authorized::Authorized;
use crate::extract::cursor_query::{self, CursorQuery, describe_exact_text, exact_text};
use crate::extract::input::{Input, RequestInput};
use crate::extract::objects::OwnOrganization;
use crate::extract::operation::Operation;
use crate::extract::query::describe_query;
use crate::extract::values::IdSchema;
use crate::respond::ApiError;
use crate::respond::paged::Paged;
use charter_decision_log::{
    DecisionFilter, DecisionPage, DecisionQuery, ListedDecision, LogPosition,
};
use charter_domain::id::DecisionId;
use charter_domain::permission::Permission;

use super::decisions::{EntityName, whole_seconds};

/// Limit of log bytes read for one page; takes about 50 ms.
const MAX_BYTES: u64 = 16 * 1024 * 1024;

/// `GET /decisions`
pub(crate) struct ListDecisions;

impl Operation for ListDecisions {
    const PERMISSION: Permission = Permission::ListDecisions;
    type Input = DecisionsQuery;
    type Object = OwnOrganization;

    fn object(_: &Self::Input) {}
}

/// Lists the authorization decisions about requests of the organization in the order of the log, newest first,
/// or with `order=oldest` as a feed. All denials are listed. Of allowed decisions of one kind within a second
/// the log keeps a sample, so not every allowed request is listed. The operator configures how long decisions
/// are kept. `GET /decisions/{id}` explains a decision, and requires a further permission.
#[endpoint(operation_id = "listDecisions", tags("decisions"))]
#[boxed]
pub async fn list(request: Authorized<ListDecisions>) -> Result<Paged<DecisionSummary>, ApiError> {
    let query = &request.input;
    let organization = request.caller().organization().id;
    let mut wanted = DecisionQuery {
        filter: DecisionFilter {
            organization: organization.to_string(),
            since: query.paging.since,
            until: query.paging.until,
            actor: query.actor.clone(),
            permission: query.permission.clone(),
            outcome: query.outcome.clone(),
        },
        oldest_first: query.paging.oldest_first,
        from: None,
        limit: usize::try_from(query.paging.limit).unwrap_or(usize::MAX),
        max_bytes: MAX_BYTES,
    };
    let list_id = request.state.decision_lookup.list_id(&wanted);
    let filters = (list_id, &query.actor, &query.permission, &query.outcome);
    let cursors = &request.state.cursors;
    let scope = query
        .paging
        .scope(cursors, "decisions", organization, &filters)?;
    let from = query.paging.position(&scope)?;
    wanted.from = from.map(|[file, offset]| LogPosition { file, offset });
    let state = request.state.clone();
    let permit = state.searches.permit(organization).await?;
    let looked = tokio::task::spawn_blocking(move || {
        // Held until the search ends, even if the client has disconnected.
        let _until_it_is_done = permit;
        state.decision_lookup.list(&wanted)
    });
    let found = looked.await.map_err(ApiError::internal)?;
    let DecisionPage { decisions, next } =
        found.map_err(|error| ApiError::unavailable(error, 1))?;
    let next = next.map(|next| scope.seal(&[next.file, next.offset]));
    Paged::new(decisions, next.transpose()?, DecisionSummary::from).await
}

/// The query of the list.
#[derive(Debug, Clone)]
pub(crate) struct DecisionsQuery {
    paging: CursorQuery,
    actor: Option<String>,
    permission: Option<String>,
    outcome: Option<String>,
}

impl Input for DecisionsQuery {
    fn read(request: &mut RequestInput<'_>) -> Result<Self, ApiError> {
        let paging = CursorQuery::read(request)?;
        let query = &mut request.query;
        Ok(Self {
            paging,
            actor: cursor_query::actor(query)?,
            permission: exact_text(query, "permission")?,
            outcome: query.parsed("outcome", |text| match text {
                "allow" | "deny" => Ok(text.to_owned()),
                _ => Err("must be `allow` or `deny`"),
            })?,
        })
    }

    fn describe(components: &mut Components, operation: &mut OpenApiOperation) {
        CursorQuery::describe(components, operation);
        describe_exact_text(
            operation,
            "actor",
            "Only decisions about this service account or user, of a user also by its UUID. If the operator masks ids, in \
             the masked form.",
            "sa-01k6dyspfte23tskdzn1kqd65k",
        );
        describe_exact_text(
            operation,
            "permission",
            "Only decisions about this permission.",
            "service-accounts:CreateKey",
        );
        let outcome = SchemaObject::with_type(BasicType::String).enum_values(["allow", "deny"]);
        describe_query(
            operation,
            "outcome",
            "Only decisions with this outcome.",
            outcome,
        );
    }
}

/// A decision without its reasons.
#[derive(Serialize, ToSchema)]
#[salvo(schema(name = "DecisionSummary"))]
pub(crate) struct DecisionSummary {
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
    #[salvo(schema(required = true, example = json!(null)))]
    via: Option<String>,
    /// The principal of the request.
    principal: EntityName,
    /// The permission it is about.
    #[salvo(schema(example = "service-accounts:CreateKey"))]
    permission: String,
    /// `allow` or `deny`.
    #[salvo(schema(example = "deny"))]
    outcome: String,
}

impl From<ListedDecision> for DecisionSummary {
    fn from(decision: ListedDecision) -> Self {
        Self {
            id: decision.id,
            at: whole_seconds(decision.at),
            request_id: decision.request_id,
            via: decision.via,
            principal: decision.principal.into(),
            permission: decision.permission,
            outcome: decision.outcome,
        }
    }
}
