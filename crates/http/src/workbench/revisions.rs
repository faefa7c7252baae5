//! `GET /policies/revisions`: the policies in force over time, and their approvers; `GET /policies/revisions/{digest}`:
//! the texts of one.

use std::sync::Arc;

use charter_macros::boxed;
use salvo::prelude::Json;
use salvo::{Depot, Request, handler};
use serde::Serialize;

use charter_domain::timestamp;
use charter_store::{PolicyApproval, PolicyHistoryPage, PolicyRevisionSpan};

use super::admission::OperatorRequest;
use super::asked_domain;
use super::paging::limit;
use crate::extract::cursor_query::open_cursor;
use crate::extract::cursor_scope::CursorScope;
use crate::extract::query::Query;
use crate::respond::ApiError;

/// Lists the revisions, newest first; with `domain` those of a domain of one's own, in force or not.
#[handler]
#[boxed]
pub(super) async fn list(
    request: &mut Request,
    depot: &mut Depot,
) -> Result<Json<HistoryBody>, ApiError> {
    let asked = OperatorRequest::of(request, depot)?;
    let mut query = Query::parse(request.uri().query())?;
    let limit = limit(&mut query)?;
    let cursor = query.text("cursor");
    let domain = asked_domain::parameter(&mut query)?;
    query.finish()?;
    let scope = CursorScope::new(&asked.state.cursors, &("workbench/revisions", &domain))?;
    let before: Option<[u64; 2]> = open_cursor(cursor.as_deref(), &scope)?;
    let before = before.and_then(|[sequence, _]| i64::try_from(sequence).ok());
    let operator = asked.operator();
    let page = operator.policy_history(domain.as_deref(), before, limit);
    let PolicyHistoryPage { spans, next } = page.await?;
    if let Some(name) = domain.filter(|_| spans.is_empty() && before.is_none()) {
        asked_domain::custom(&name, &asked.state)?;
    }
    let next = next.map(|next| scope.seal(&[next.unsigned_abs(), 0]));
    Ok(Json(HistoryBody {
        results: spans.into_iter().map(RevisionBody::from).collect(),
        next_cursor: next.transpose()?,
    }))
}

/// Shows the texts by which decisions with this policy digest were made; with `domain` those of a domain of one's own.
#[handler]
#[boxed]
pub(super) async fn show(
    request: &mut Request,
    depot: &mut Depot,
) -> Result<Json<TextsBody>, ApiError> {
    let asked = OperatorRequest::of(request, depot)?;
    let mut query = Query::parse(request.uri().query())?;
    let domain = asked_domain::parameter(&mut query)?;
    query.finish()?;
    let digest = request.params().get("digest").map_or("", String::as_str);
    let operator = asked.operator();
    let found = operator.policies_of_digest(domain.as_deref(), digest);
    let Some((revision, files)) = found.await? else {
        if let Some(name) = domain {
            asked_domain::custom(&name, &asked.state)?;
        }
        return Err(ApiError::not_found());
    };
    let file = |(name, text)| TextBody { name, text };
    Ok(Json(TextsBody {
        revision: revision.sequence,
        digest: revision.policy_digest,
        folder_digest: revision.whole_digest,
        in_force_from: timestamp::format(revision.in_force_from),
        files: files.into_iter().map(file).collect(),
    }))
}

/// The newest revision of a digest.
#[derive(Serialize)]
pub(super) struct TextsBody {
    revision: i64,
    digest: String,
    folder_digest: String,
    in_force_from: String,
    files: Vec<TextBody>,
}

#[derive(Serialize)]
struct TextBody {
    name: String,
    text: Arc<str>,
}

#[derive(Serialize)]
pub(super) struct HistoryBody {
    results: Vec<RevisionBody>,
    next_cursor: Option<String>,
}

#[derive(Serialize)]
struct RevisionBody {
    revision: i64,
    /// Whether the row matches its audit event. If not, it cannot be trusted, and the rest is null.
    is_authentic: bool,
    in_force_from: Option<String>,
    /// Null for the revision in force.
    in_force_until: Option<String>,
    /// `start`, `edit`, or `stop` for an emergency stop.
    taken_as: Option<&'static str>,
    manifest_version: Option<u64>,
    /// Of the whole folder, invariants and examples included.
    folder_digest: Option<String>,
    /// Of the schema and the policies; decisions name it.
    digest: Option<String>,
    approvals: Vec<ApprovalBody>,
}

#[derive(Serialize)]
struct ApprovalBody {
    id: String,
    approved_by: String,
    reason: String,
    approved_at: String,
}

impl From<PolicyRevisionSpan> for RevisionBody {
    fn from(span: PolicyRevisionSpan) -> Self {
        let revision = span.revision.as_ref();
        Self {
            revision: span.sequence,
            is_authentic: revision.is_some(),
            in_force_from: revision.map(|it| timestamp::format(it.in_force_from)),
            in_force_until: span.until.map(timestamp::format),
            taken_as: revision.map(|it| it.taken_as.as_str()),
            manifest_version: revision.and_then(|it| it.manifest_version),
            folder_digest: revision.map(|it| it.whole_digest.clone()),
            digest: revision.map(|it| it.policy_digest.clone()),
            approvals: span.approvals.into_iter().map(ApprovalBody::from).collect(),
        }
    }
}

impl From<PolicyApproval> for ApprovalBody {
    fn from(approval: PolicyApproval) -> Self {
        Self {
            id: approval.id.to_string(),
            approved_by: approval.approved_by,
            reason: approval.reason,
            approved_at: timestamp::format(approval.approved_at),
        }
    }
}
