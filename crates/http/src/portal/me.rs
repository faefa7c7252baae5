//! `/api/portal/me`: the calling user (contract section 5).

use charter_macros::boxed;
use salvo::Writer;
use salvo::oapi::{ToSchema, endpoint};
use serde::Serialize;

use crate::extract::own_user::OwnUser;
use crate::respond::ApiError;
use crate::respond::answer::Shown;
use charter_authz::resource::Resource;
use charter_domain::permission::Permission;
use charter_domain::timestamp;

use super::organization::PortalOrganization;

/// Returns the calling user, its organization and its permissions there.
#[endpoint(operation_id = "getMe", tags("me"))]
#[boxed]
pub async fn get(request: OwnUser<()>) -> Result<Shown<MeBody>, ApiError> {
    let (caller, authorizer) = (request.caller, request.authorizer);
    let organization = Resource::Organization(caller.organization());
    let allowed = Permission::ALL
        .iter()
        .filter(|permission| authorizer.would_allow(**permission, organization));
    Ok(Shown(MeBody {
        id: caller.user().id.uuid().to_string(),
        email: caller.user().email.clone(),
        role: caller.user().role.clone(),
        email_verified: caller.user().email_verified,
        created_at: timestamp::format(caller.user().created_at),
        last_login_at: caller.user().last_login_at.map(timestamp::format),
        organization: caller.organization().into(),
        permissions: allowed.map(|permission| permission.as_str()).collect(),
    }))
}

/// The calling user.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[salvo(schema(name = "Me", rename_all = "camelCase"))]
pub(crate) struct MeBody {
    #[salvo(schema(format = "uuid", example = "01980f3a-7b1d-7def-8a12-3456789abcde"))]
    id: String,
    #[salvo(schema(example = "ada@example.com"))]
    email: String,
    /// A role of the policy schema; by default `owner`, `admin` or `member`.
    #[salvo(schema(example = "owner"))]
    role: String,
    /// Until the address is verified, the user can read but not change anything.
    email_verified: bool,
    #[salvo(schema(format = "date-time", example = "2025-09-30T12:00:00Z"))]
    created_at: String,
    #[salvo(schema(
        format = "date-time",
        required = true,
        example = "2025-09-30T12:00:00Z"
    ))]
    last_login_at: Option<String>,
    organization: PortalOrganization,
    /// The permissions on the own organization now; for user interfaces, not for security.
    #[salvo(schema(example = json!(["organizations:GetOrganization", "team:ListMembers"])))]
    permissions: Vec<&'static str>,
}
