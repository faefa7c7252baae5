//! Who may be asked about: service accounts and users.

use charter_authn::access_clients::AccessClient;
use charter_authz::kinds::PrincipalKind;
use charter_domain::caller::Caller;

use crate::access::question::Entity;
use crate::extract::loaded::{entity_ref, found_or_none, is_enabled};
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
    let named = kind(&entity.of).and_then(|_| entity_ref(&entity.of, &entity.id));
    let Some(named) = named else {
        return Ok(None);
    };
    let found = async { client.tenant_of(named).await?.caller(named).await };
    let caller = found_or_none(found.await)?.flatten();
    Ok(caller.filter(is_enabled))
}
