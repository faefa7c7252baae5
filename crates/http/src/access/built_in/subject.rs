//! Who may be asked about: service accounts and users.

use charter_authn::access_clients::AccessClient;
use charter_authz::kinds::PrincipalKind;
use charter_domain::caller::Caller;
use charter_domain::id::UserId;
use charter_store::EntityRef;

use super::found::found_or_none;
use crate::access::question::Entity;
use crate::respond::ApiError;

pub(super) fn kind(of: &str) -> Option<PrincipalKind> {
    match of {
        "ServiceAccount" => Some(PrincipalKind::ServiceAccount),
        "User" => Some(PrincipalKind::User),
        _ => None,
    }
}

/// `None` for nobody, and for who could not act now whatever policy says.
pub(crate) async fn load(
    client: &AccessClient<'_>,
    entity: &Entity,
) -> Result<Option<Caller>, ApiError> {
    let id = entity.id.as_str();
    let named = match kind(&entity.of) {
        Some(PrincipalKind::ServiceAccount) => id.parse().ok().map(EntityRef::ServiceAccount),
        // Access tokens name people by UUID.
        Some(PrincipalKind::User) => {
            let known = id.parse().ok().or_else(|| UserId::parse_uuid(id));
            known.map(EntityRef::User)
        }
        None => None,
    };
    let Some(named) = named else {
        return Ok(None);
    };
    let found = async { client.tenant_of(named).await?.caller(named).await };
    let caller = found_or_none(found.await)?.flatten();
    Ok(caller.filter(|caller| match caller {
        Caller::ServiceAccount(caller) => {
            caller.service_account().is_active && caller.account().is_active
        }
        Caller::User(caller) => caller.user().is_active,
    }))
}
