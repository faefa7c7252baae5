//! `/api/portal/team/roles`: what each role may do, for people who give roles. The contract is silent about it.

use charter_macros::boxed;
use salvo::Writer;
use salvo::oapi::{ToSchema, endpoint};
use serde::Serialize;

use crate::extract::authorized::Authorized;
use crate::extract::objects::OwnOrganization;
use crate::extract::operation::{Accepts, Operation};
use crate::respond::ApiError;
use charter_authz::role_access::RolePermission;
use charter_domain::permission::Permission;

use super::answer::ShownList;

/// `GET /api/portal/team/roles`
pub(crate) struct ListRoles;

impl Operation for ListRoles {
    const PERMISSION: Permission = Permission::ListMembers;
    const ACCEPTS: Accepts = Accepts::Bearer;
    type Input = ();
    type Object = OwnOrganization;

    fn object((): &()) {}
}

/// Lists the roles of the policies' schema with what a person of each could do now in this organization: as policy
/// answers, for one object of each kind.
#[endpoint(operation_id = "listRoles", tags("team"))]
#[boxed]
pub async fn list(request: Authorized<ListRoles>) -> Result<ShownList<RoleBody>, ApiError> {
    // Hundreds of evaluations for each role.
    let organization = request.caller().organization().id;
    let _permit = request.state.searches.permit(organization).await?;
    let authorizer = &request.authorizer;
    let mut roles = Vec::new();
    for name in authorizer.snapshot().catalogue().roles() {
        let allowed = authorizer.role_access(name)?;
        roles.push(RoleBody {
            name: name.to_owned(),
            permissions: allowed.into_iter().map(Into::into).collect(),
        });
        // Other requests go on between them.
        tokio::task::yield_now().await;
    }
    Ok(ShownList(roles))
}

/// A role, and what it may do.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[salvo(schema(name = "RoleAccess", rename_all = "camelCase"))]
pub(crate) struct RoleBody {
    #[salvo(schema(example = "admin"))]
    name: String,
    permissions: Vec<RolePermissionBody>,
}

/// What policy would allow on one object at least.
#[derive(Serialize, ToSchema)]
#[salvo(schema(name = "RolePermission"))]
struct RolePermissionBody {
    #[salvo(schema(example = "team:ChangeRole"))]
    name: &'static str,
    /// About which it would refuse: persons of these roles, these roles, these permissions, or these kinds of objects.
    #[salvo(schema(example = json!(["owner"])))]
    except: Vec<String>,
}

impl From<RolePermission> for RolePermissionBody {
    fn from(allowed: RolePermission) -> Self {
        Self {
            name: allowed.permission.as_str(),
            except: allowed.except,
        }
    }
}
