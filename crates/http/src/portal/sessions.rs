//! `/api/portal/sessions`: the calling user's sessions (contract section 5).

use charter_macros::boxed;
use salvo::Writer;
use salvo::oapi::{ToSchema, endpoint};
use serde::Serialize;

use crate::extract::own_user::{OwnUser, authorize};
use crate::extract::path::PathUuid;
use crate::respond::ApiError;
use charter_domain::id::SessionId;
use charter_domain::permission::Permission;
use charter_domain::timestamp;
use charter_store::OpenSession;

use super::answer::{Done, ShownList};

/// Lists the open sessions of the calling user, newest first.
#[endpoint(operation_id = "listSessions", tags("me"))]
#[boxed]
pub async fn list(request: OwnUser<()>) -> Result<ShownList<SessionBody>, ApiError> {
    let caller = &request.caller;
    let open = request.tenant().open_sessions(caller.user().id).await?;
    let shown = open.into_iter().map(|session| SessionBody {
        id: session.id.uuid().to_string(),
        created_at: timestamp::format(session.created_at),
        last_used_at: timestamp::format(session.last_used_at),
        user_agent: session.user_agent,
        current: Some(session.id) == caller.session(),
    });
    Ok(ShownList(shown.collect()))
}

/// Ends a session of the calling user at once; its access tokens become invalid.
#[endpoint(operation_id = "endSession", tags("me"))]
#[boxed]
pub async fn end(request: OwnUser<PathUuid<SessionId>>) -> Result<Done, ApiError> {
    let user = request.caller.user().id;
    let open = request.tenant().open_sessions(user).await?;
    let OwnUser {
        caller,
        authorizer,
        mut request,
    } = request;
    let is_named = |session: &OpenSession| Some(session.id) == request.input.0;
    let id = open.iter().find(|session| is_named(session));
    let id = id.ok_or_else(ApiError::not_found)?.id;
    authorize(&authorizer, Permission::EndOwnSession, &mut request).await?;
    request
        .run(|state, _, client| async move {
            state.portal_users.end_session(&caller, id, &client).await?;
            Ok(Done::plain())
        })
        .await
}

/// An open session.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[salvo(schema(name = "Session", rename_all = "camelCase"))]
pub(crate) struct SessionBody {
    #[salvo(schema(format = "uuid", example = "01980f3a-7b1e-7def-8a12-3456789abcde"))]
    id: String,
    /// When the user signed in.
    #[salvo(schema(format = "date-time", example = "2025-09-30T12:00:00Z"))]
    created_at: String,
    /// When it was last refreshed; it may have been used for up to 15 minutes after that.
    #[salvo(schema(format = "date-time", example = "2025-09-30T12:15:00Z"))]
    last_used_at: String,
    /// The browser's user agent at the sign-in.
    #[salvo(schema(required = true, example = "Mozilla/5.0 (X11; Linux x86_64)"))]
    user_agent: Option<String>,
    /// Whether it is the session of this request.
    current: bool,
}
