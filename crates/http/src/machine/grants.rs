//! Callers can grant only what policy permits them to grant (contract section 4): each role and permission is
//! authorized separately.

use crate::extract::authorizer::Authorizer;
use crate::respond::{ApiError, echo};
use charter_authz::resource::Resource;
use charter_domain::permission::Permission;
use charter_domain::service_account::ServiceAccount;
use charter_store::GrantedNames;

/// Authorizes each role and permission; one denial denies the request.
pub(super) fn require<'a>(
    authorizer: &Authorizer,
    roles: impl IntoIterator<Item = &'a String>,
    permissions: impl IntoIterator<Item = &'a String>,
) -> Result<(), ApiError> {
    for role in roles {
        authorizer.require(Permission::AssignServiceAccountRole, Resource::Role(role))?;
    }
    for permission in permissions {
        authorizer.require(
            Permission::GrantPermission,
            Resource::Permission(permission),
        )?;
    }
    Ok(())
}

/// Authorizes everything that a service account already has: a key to it grants all of that. A name that the schema in
/// force does not declare is denied like any other: it may come back.
pub(super) fn require_all_of(
    authorizer: &Authorizer,
    service_account: &ServiceAccount,
) -> Result<(), ApiError> {
    let (roles, permissions) = (&service_account.roles, &service_account.permissions);
    require(authorizer, &**roles, &**permissions)
}

/// Authorizes everything that several service accounts have: reactivating them grants all of that.
pub(super) fn require_names(authorizer: &Authorizer, names: &GrantedNames) -> Result<(), ApiError> {
    require(authorizer, &names.roles, &names.permissions)
}

/// Authorizes the additions of a change, or everything if it reactivates the service account.
pub(super) fn require_change(
    authorizer: &Authorizer,
    before: &ServiceAccount,
    after: &ServiceAccount,
) -> Result<(), ApiError> {
    let roles = added(&before.roles, &after.roles);
    let permissions = added(&before.permissions, &after.permissions);
    require_known(authorizer, &roles, &permissions)?;
    require(authorizer, &roles, &permissions)?;
    if after.is_active && !before.is_active {
        require_all_of(authorizer, after)?;
    }
    Ok(())
}

/// Refuses names that the policy schema does not declare.
pub(super) fn require_known(
    authorizer: &Authorizer,
    roles: &[String],
    permissions: &[String],
) -> Result<(), ApiError> {
    let catalogue = authorizer.snapshot().catalogue();
    if let Some(role) = roles.iter().find(|name| !catalogue.has_role(name)) {
        return Err(ApiError::broken(
            "/roles",
            format!("there is no role {}", echo(role)),
        ));
    }
    if let Some(permission) = permissions
        .iter()
        .find(|name| !catalogue.has_permission(name))
    {
        return Err(ApiError::broken(
            "/permissions",
            format!("there is no permission {}", echo(permission)),
        ));
    }
    Ok(())
}

fn added(before: &[String], after: &[String]) -> Vec<String> {
    after
        .iter()
        .filter(|name| !before.contains(name))
        .cloned()
        .collect()
}
