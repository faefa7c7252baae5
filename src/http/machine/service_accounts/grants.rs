//! Nobody grants what it may not (contract section 4): every role and permission that somebody
//! gets is asked of policy, one by one.

use crate::authz::question::Resource;
use crate::domain::permission::Permission;
use crate::domain::service_account::ServiceAccount;
use crate::http::authorizer::Authorizer;
use crate::http::error::{ApiError, echo};
use crate::http::machine::parse;

/// Asks for each role and each permission; any denial denies the whole.
pub(super) fn require(
    authorizer: &Authorizer,
    roles: &[String],
    permissions: &[String],
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

/// Asks for everything a service account already has: a key to it is a grant of all that.
pub(super) fn require_all_of(
    authorizer: &Authorizer,
    service_account: &ServiceAccount,
) -> Result<(), ApiError> {
    // A stored name that the schema no longer has counts for nothing, so it grants nothing.
    let catalogue = authorizer.snapshot().catalogue();
    let roles = known(&service_account.roles, |name| catalogue.has_role(name));
    let permissions = known(&service_account.permissions, |name| {
        catalogue.has_permission(name)
    });
    require(authorizer, &roles, &permissions)
}

/// Asks for what a change adds, or for everything if it wakes the service account up.
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

/// Refuses names that the policy folder's schema does not have.
pub(super) fn require_known(
    authorizer: &Authorizer,
    roles: &[String],
    permissions: &[String],
) -> Result<(), ApiError> {
    let catalogue = authorizer.snapshot().catalogue();
    if let Some(role) = roles.iter().find(|name| !catalogue.has_role(name)) {
        return Err(parse::broken(
            "/roles",
            format!("there is no role {}", echo(role)),
        ));
    }
    if let Some(permission) = permissions
        .iter()
        .find(|name| !catalogue.has_permission(name))
    {
        return Err(parse::broken(
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

fn known(names: &[String], is_known: impl Fn(&str) -> bool) -> Vec<String> {
    names
        .iter()
        .filter(|name| is_known(name))
        .cloned()
        .collect()
}
