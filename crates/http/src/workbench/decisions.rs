//! `/decisions` on the operations listener: decisions of every organization, with explanations.
//!
//! The log is this process's. With several replicas, denials are those of all.

use charter_macros::boxed;

use salvo::prelude::Json;
use salvo::{Depot, Request, handler};
use serde::Serialize;
use serde_json::Value;
use tokio::runtime::Handle;

use charter_decision_log::{DecisionRecord, RecordFilter, RecordList, RecordPosition, Uid};
use charter_domain::id::DecisionId;
use charter_domain::timestamp;

use super::admission::OperatorRequest;
use super::asked_domain;
use super::paging::limit;
use super::work;
use crate::extract::cursor_query::open_cursor;
use crate::extract::cursor_scope::CursorScope;
use crate::extract::query::{NoParameters, Query};
use crate::machine::decisions::{DecisionBody, snapshot_of, whole_seconds};
use crate::respond::ApiError;
use crate::state::State;

/// Lists decisions.
#[handler]
#[boxed]
pub(super) async fn list(
    request: &mut Request,
    depot: &mut Depot,
) -> Result<Json<DecisionsBody>, ApiError> {
    let asked = OperatorRequest::of(request, depot)?;
    let mut query = Query::parse(request.uri().query())?;
    let limit = usize::try_from(limit(&mut query)?).unwrap_or(usize::MAX);
    let cursor = query.text("cursor");
    let filter = filter(&mut query)?;
    query.finish()?;
    let state = asked.state.clone();
    let scope = CursorScope::new(
        &state.cursors,
        &("workbench/decisions", state.decisions.log_id(), &filter),
    )?;
    let before: Option<RecordPosition> = open_cursor(cursor.as_deref(), &scope)?;
    let domain = filter.domain.clone();
    let is_first = before.is_none();
    let page = work::run(&asked.state, move |state| {
        state.decision_lookup.records(&filter, before, limit)
    });
    let page = page.await?;
    let RecordList { decisions, next } = page.map_err(|error| ApiError::unavailable(error, 1))?;
    // The log remembers domains that are gone.
    if let Some(name) = domain.filter(|_| is_first && decisions.is_empty() && next.is_none()) {
        asked_domain::custom(&name, &state)?;
    }
    let next = next.map(|next| scope.seal(&next));
    Ok(Json(DecisionsBody {
        results: decisions.into_iter().map(ListedDecision::from).collect(),
        next_cursor: next.transpose()?,
    }))
}

fn filter(query: &mut Query) -> Result<RecordFilter, ApiError> {
    let time = |text: &str| timestamp::parse(text).map(|at| at.timestamp_millis());
    Ok(RecordFilter {
        domain: asked_domain::parameter(query)?,
        organization: query.text("organization"),
        permission: query.text("permission"),
        principal: query.text("principal"),
        decision: query.parsed("outcome", |text| match text {
            "allow" | "deny" => Ok(text.to_owned()),
            _ => Err("must be `allow` or `deny`"),
        })?,
        policy: query.text("policy"),
        shadow_differs: query.boolean("shadow_differs")?,
        since: query.parsed("since", time)?,
        until: query.parsed("until", time)?,
    })
}

/// Explains one decision.
#[handler]
#[boxed]
pub(super) async fn show(
    request: &mut Request,
    depot: &mut Depot,
) -> Result<Json<ShownDecision>, ApiError> {
    let asked = OperatorRequest::of(request, depot)?;
    NoParameters::check(request)?;
    let id: Option<&str> = request.params().get("id").map(String::as_str);
    let id = id.and_then(|id| id.parse::<DecisionId>().ok());
    let id = id.ok_or_else(ApiError::not_found)?;
    let runtime = Handle::current();
    let found = work::run(&asked.state, move |state| find(state, id, &runtime));
    found.await??.map(Json).ok_or_else(ApiError::not_found)
}

fn find(
    state: &State,
    id: DecisionId,
    runtime: &Handle,
) -> Result<Option<ShownDecision>, ApiError> {
    let found = state.decision_lookup.find(id);
    let Some(record) = found.map_err(|error| ApiError::unavailable(error, 1))? else {
        return Ok(None);
    };
    let snapshot = runtime.block_on(snapshot_of(state, &record))?;
    let snapshot = snapshot.as_deref();
    let explanation = snapshot.and_then(|snapshot| record.explanation(&*state.explain, snapshot));
    Ok(Some(ShownDecision {
        domain: record.domain.clone(),
        organization: record.organization.clone(),
        shadow: record.shadow.clone(),
        decision: DecisionBody::new(record, snapshot, explanation),
    }))
}

/// What the organization sees of its decision, and what only operators see.
#[derive(Serialize)]
pub(super) struct ShownDecision {
    /// The domain of one's own; null for the built-in one.
    domain: Option<String>,
    /// Null for a domain of one's own.
    organization: Option<String>,
    /// What the shadow policies decide, if it differs.
    shadow: Option<Value>,
    #[serde(flatten)]
    decision: DecisionBody,
}

#[derive(Serialize)]
pub(super) struct DecisionsBody {
    results: Vec<ListedDecision>,
    /// May be set although this page is empty: a page ends after a limited part of the log.
    next_cursor: Option<String>,
}

#[derive(Serialize)]
struct ListedDecision {
    id: String,
    at: String,
    request_id: String,
    via: Option<String>,
    /// The domain of one's own; null for the built-in one.
    domain: Option<String>,
    /// Null for a domain of one's own.
    organization: Option<String>,
    principal: Uid,
    action: String,
    resource: Uid,
    decision: String,
    reason: Option<String>,
    code: Option<String>,
    /// The determining policies.
    policies: Vec<String>,
    policy_digest: String,
    /// What the shadow policies decide, if it differs.
    shadow: Option<Value>,
    /// How many allowed decisions of its kind before it were not written.
    rest: u64,
}

impl From<DecisionRecord> for ListedDecision {
    fn from(record: DecisionRecord) -> Self {
        Self {
            id: record.id,
            at: whole_seconds(record.at),
            request_id: record.request_id,
            via: record.via,
            domain: record.domain,
            organization: record.organization,
            principal: record.principal,
            action: record.action.id,
            resource: record.resource,
            decision: record.decision,
            reason: record.reason,
            code: record.code,
            policies: record.determining,
            policy_digest: record.policy_digest,
            shadow: record.shadow,
            rest: record.rest,
        }
    }
}
