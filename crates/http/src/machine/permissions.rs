//! `/permissions`: the roles and permissions that can be granted (contract section 4).

use charter_macros::boxed;
use salvo::Writer;
use salvo::oapi::{ToSchema, endpoint};
use serde::Serialize;

use crate::extract::authorized::Authorized;
use crate::extract::objects::OwnOrganization;
use crate::extract::operation::Operation;
use crate::respond::ApiError;
use crate::respond::answer::Shown;
use charter_authz::resource::Resource;
use charter_domain::permission::Permission;

/// `GET /permissions`
pub(crate) struct ListPermissions;

impl Operation for ListPermissions {
    const PERMISSION: Permission = Permission::ListPermissions;
    type Input = ();
    type Object = OwnOrganization;

    fn object((): &()) {}
}

/// Lists the roles and permissions of the policy schema, and which of them the caller may grant to a service
/// account.
#[endpoint(operation_id = "listPermissions", tags("service accounts"))]
#[boxed]
pub async fn list(request: Authorized<ListPermissions>) -> Result<Shown<NamesBody>, ApiError> {
    let authorizer = &request.authorizer;
    let catalogue = authorizer.snapshot().catalogue();
    let role = |name: &str| NameBody {
        name: name.to_owned(),
        grantable: authorizer
            .would_allow(Permission::AssignServiceAccountRole, Resource::Role(name)),
    };
    let permission = |name: &str| NameBody {
        name: name.to_owned(),
        grantable: authorizer.would_allow(Permission::GrantPermission, Resource::Permission(name)),
    };
    Ok(Shown(NamesBody {
        roles: catalogue.roles().map(role).collect(),
        permissions: catalogue.permissions().map(permission).collect(),
    }))
}

/// The roles and permissions that can be granted.
#[derive(Serialize, ToSchema)]
#[salvo(schema(name = "Permissions"))]
pub(crate) struct NamesBody {
    #[salvo(schema(example = json!([{"name": "owner", "grantable": false}])))]
    roles: Vec<NameBody>,
    permissions: Vec<NameBody>,
}

/// A role or a permission.
#[derive(Serialize, ToSchema)]
#[salvo(schema(name = "GrantableName"))]
struct NameBody {
    #[salvo(schema(example = "organizations:GetOrganization"))]
    name: String,
    /// Whether the caller may grant it now; for user interfaces, not for security.
    grantable: bool,
}
