//! `GET /decisions`: who asked for which permission, and the outcome; not why (contract section 4).
//!
//! Of the caller's own organization only. The log is this process's own: another replica's decisions are not
//! listed here.

use std::sync::Arc;

use salvo::Writer;
use salvo::oapi::{
    BasicType, Components, Object as SchemaObject, Operation as OpenApiOperation, ToSchema,
    endpoint,
};
use serde::Serialize;

use crate::extract::authorized::Authorized;
use crate::extract::cursor_query::{CursorQuery, describe_exact_text, exact_text};
use crate::extract::input::{Input, RequestInput};
use crate::extract::objects::OwnOrganization;
use crate::extract::operation::Operation;
use crate::extract::query::describe_query;
use crate::respond::ApiError;
use crate::respond::paged::Paged;
use charter_decision_log::{
    DecisionFilter, DecisionPage, DecisionQuery, ListedDecision, LogPosition,
};
use charter_domain::permission::Permission;

use super::decisions::{EntityName, whole_seconds};

/// Bytes of the log that one page reads: some 50 ms.
const MAX_BYTES: u64 = 16 * 1024 * 1024;

/// `GET /decisions`
pub struct ListDecisions;

impl Operation for ListDecisions {
    const PERMISSION: Permission = Permission::ListDecisions;
    type Input = DecisionsQuery;
    type Object = OwnOrganization;

    fn object(_: &Self::Input) {}
}

/// Lists the decisions of policy about requests of the organization, newest first, or with
/// `order=oldest` as a feed; in the order in which they were recorded. Denials are all there. Of
/// allowed ones the log keeps a sample where many of a kind come in one second, so not every allowed
/// request is listed; and it keeps decisions for as long as the operator has set. `GET
/// /decisions/{id}` says why, to whom policy permits that.
#[endpoint(operation_id = "listDecisions", tags("decisions"))]
pub async fn list(request: Authorized<ListDecisions>) -> Result<Paged<DecisionSummary>, ApiError> {
    let query = &request.input;
    let organization = request.caller().organization().id;
    let filters = (&query.actor, &query.permission, &query.outcome);
    let cursors = &request.state.cursors;
    let scope = query
        .paging
        .scope(cursors, "decisions", organization, &filters)?;
    let from = query.paging.position(&scope)?;
    let wanted = DecisionQuery {
        filter: DecisionFilter {
            organization: organization.to_string(),
            since: query.paging.since,
            until: query.paging.until,
            actor: query.actor.clone(),
            permission: query.permission.clone(),
            outcome: query.outcome.clone(),
        },
        oldest_first: query.paging.oldest_first,
        from: from.map(|[file, offset]| LogPosition { file, offset }),
        limit: usize::try_from(query.paging.limit).unwrap_or(usize::MAX),
        max_bytes: MAX_BYTES,
    };
    let state = Arc::clone(&request.state);
    let permit = state.searches.permit(organization).await?;
    let looked = tokio::task::spawn_blocking(move || {
        // Whether the client still waits or not.
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
pub struct DecisionsQuery {
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
            actor: exact_text(query, "actor")?,
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
            "Only what this service account or person asked for. Where the operator has ids masked, as they are recorded.",
            "sa-01k6dyspfte23tskdzn1kqd65k",
        );
        describe_exact_text(
            operation,
            "permission",
            "Only questions for this permission.",
            "service-accounts:CreateKey",
        );
        let outcome = SchemaObject::with_type(BasicType::String).enum_values(["allow", "deny"]);
        describe_query(operation, "outcome", "Only with this outcome.", outcome);
    }
}

/// A decision, without its reasons.
#[derive(Serialize, ToSchema)]
#[salvo(schema(name = "DecisionSummary"))]
pub struct DecisionSummary {
    /// `dec-…`
    #[salvo(schema(
        pattern = "^dec-[0-7][0-9a-hjkmnp-tv-z]{25}$",
        example = "dec-01k6dyspfte23tskdzn1kqd65k"
    ))]
    id: String,
    /// When it was asked for.
    #[salvo(schema(format = "date-time", example = "2025-09-30T12:00:00Z"))]
    at: String,
    /// The request in whose course it was taken.
    #[salvo(schema(example = "01k6dyspfte23tskdzn1kqd65k"))]
    request_id: String,
    /// `evaluation` where it was only asked about, through the evaluation endpoint; null where
    /// somebody was about to act.
    #[salvo(schema(required = true, example = json!(null)))]
    via: Option<String>,
    /// Who asked.
    principal: EntityName,
    /// What for.
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
