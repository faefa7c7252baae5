//! `/audit-events`: what was changed in the organization, by whom (contract section 4).

use charter_macros::boxed;
use salvo::Writer;
use salvo::oapi::{Components, Operation as OpenApiOperation, ToSchema, endpoint};
use serde::Serialize;
use serde_json::Value;

use crate::extract::authorized::Authorized;
use crate::extract::cursor_query::{
    self, CursorQuery, bad_cursor, describe_exact_text, exact_text,
};
use crate::extract::input::{Input, RequestInput};
use crate::extract::objects::OwnOrganization;
use crate::extract::operation::Operation;
use crate::respond::ApiError;
use crate::respond::paged::Paged;
use charter_domain::permission::Permission;
use charter_domain::timestamp;
use charter_store::{AuditEvent, AuditFilter, AuditPageRequest};

/// `GET /audit-events`
pub(crate) struct ListEvents;

impl Operation for ListEvents {
    const PERMISSION: Permission = Permission::ListEvents;
    type Input = EventsQuery;
    type Object = OwnOrganization;

    fn object(_: &Self::Input) {}
}

/// Lists the changes in the organization, newest first; or, with `order=oldest`, as a feed. An event is written
/// in the transaction of its change, and events are numbered without gaps, so a feed misses none.
#[endpoint(operation_id = "listAuditEvents", tags("audit events"))]
#[boxed]
pub async fn list(request: Authorized<ListEvents>) -> Result<Paged<AuditEventBody>, ApiError> {
    let query = &request.input;
    let organization = request.caller().organization().id;
    let filters = (&query.actor, &query.action, &query.object);
    let cursors = &request.state.cursors;
    let scope = query
        .paging
        .scope(cursors, "audit-events", organization, &filters)?;
    let from = query.paging.position(&scope)?;
    let wanted = AuditPageRequest {
        filter: AuditFilter {
            since: query.paging.since,
            until: query.paging.until,
            actor: query.actor.clone(),
            action: query.action.clone(),
            object: query.object.clone(),
            before: None,
            limit: query.paging.limit,
        },
        oldest_first: query.paging.oldest_first,
        from: from.and_then(|[sequence, _]| i64::try_from(sequence).ok()),
    };
    let page = request.tenant().audit_page(&wanted).await?;
    let page = page.ok_or_else(bad_cursor)?;
    let next = page.next.map(|next| scope.seal(&[next.unsigned_abs(), 0]));
    Paged::new(page.events, next.transpose()?, AuditEventBody::from).await
}

/// The query of the list.
#[derive(Debug, Clone)]
pub(crate) struct EventsQuery {
    paging: CursorQuery,
    actor: Option<String>,
    action: Option<String>,
    object: Option<String>,
}

impl Input for EventsQuery {
    fn read(request: &mut RequestInput<'_>) -> Result<Self, ApiError> {
        Ok(Self {
            paging: CursorQuery::read(request)?,
            actor: cursor_query::actor(&mut request.query)?,
            action: exact_text(&mut request.query, "action")?,
            object: cursor_query::object(&mut request.query)?,
        })
    }

    fn describe(components: &mut Components, operation: &mut OpenApiOperation) {
        CursorQuery::describe(components, operation);
        for (name, description, example) in [
            (
                "actor",
                "Only events of this actor, as events show it; of a user also by its UUID.",
                "user-01k6dyspfte23tskdzn1kqd65k",
            ),
            (
                "action",
                "Only events with this action.",
                "service-accounts:CreateKey",
            ),
            (
                "object",
                "Only events about the object with this id.",
                "key-01k6dyspfte23tskdzn1kqd65k",
            ),
        ] {
            describe_exact_text(operation, name, description, example);
        }
    }
}

/// The audit event of a change.
#[derive(Serialize, ToSchema)]
#[salvo(schema(name = "AuditEvent"))]
pub(crate) struct AuditEventBody {
    /// Its number in the organization, from 1 without gaps.
    #[salvo(schema(minimum = 1, example = 17))]
    sequence: i64,
    /// When it was requested. Two changes at about the same time may be numbered in the other order.
    #[salvo(schema(format = "date-time", example = "2025-09-30T12:00:00Z"))]
    at: String,
    /// The id of a service account or user; or `operator` (a command on the machine), `operator:` and a name,
    /// `system`, `anonymous`, `leak-report` (a client that presented the secret of a key).
    #[salvo(schema(example = "sa-01k6dyspfte23tskdzn1kqd65k"))]
    actor: String,
    /// The permission of the change; or the action of a user (`person.…`), an operator (`operator.…`) or the
    /// service (`system.…`) without one.
    #[salvo(schema(example = "accounts:UpdateAccount"))]
    action: String,
    /// The id of the changed object.
    #[salvo(schema(example = "acc-01k6dyspfte23tskdzn1kqd65k"))]
    object: String,
    /// The changed members, before and after; never a secret.
    #[salvo(schema(value_type = ChangesSchema))]
    changes: Value,
    /// The id of the request; null for commands.
    #[salvo(schema(required = true, example = "01k6dyspfte23tskdzn1kqd65k"))]
    request_id: Option<String>,
    /// The digest of the policies that allowed it; null if no policy was evaluated.
    #[salvo(schema(
        required = true,
        example = "6f1ed002ab5595859014ebf0951522d9a1b3c7d5e9f0a2b4c6d8e0f1a3b5c7d9"
    ))]
    policy_digest: Option<String>,
}

/// Members of an organization see one another's events, and not from where each of them came: that is on record for
/// operators.
fn without_address(mut changes: Value) -> Value {
    for side in ["before", "after"] {
        if let Some(members) = changes.get_mut(side).and_then(Value::as_object_mut) {
            members.remove("source_ip");
        }
    }
    changes
}

impl From<AuditEvent> for AuditEventBody {
    fn from(event: AuditEvent) -> Self {
        Self {
            sequence: event.sequence,
            at: timestamp::format(event.at),
            actor: event.actor,
            action: event.action,
            object: event.object,
            changes: without_address(event.changes),
            request_id: event.request_id,
            policy_digest: event.policy_digest,
        }
    }
}

struct ChangesSchema;

impl ToSchema for ChangesSchema {
    fn to_schema(_: &mut Components) -> salvo::oapi::RefOr<salvo::oapi::Schema> {
        use salvo::oapi::{BasicType, Object, Schema};
        let members = || {
            Object::with_type(BasicType::Object)
                .additional_properties(salvo::oapi::schema::AdditionalProperties::FreeForm(true))
        };
        let changes = Object::new()
            .property("before", members())
            .required("before")
            .property("after", members())
            .required("after")
            .examples([serde_json::json!({
                "before": {"name": "Staging"},
                "after": {"name": "Production"},
            })]);
        salvo::oapi::RefOr::Type(Schema::from(changes))
    }
}
