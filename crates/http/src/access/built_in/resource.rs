//! What may be asked about.

use charter_authn::access_clients::AccessClient;

use crate::access::question::Entity;
use crate::extract::loaded::{Loaded, entity_ref, found_or_none};
use crate::respond::ApiError;

/// `None` for what there is not.
pub(crate) async fn load(
    client: &AccessClient<'_>,
    entity: &Entity,
) -> Result<Option<Loaded>, ApiError> {
    let id = entity.id.as_str();
    match entity.of.as_str() {
        "Role" => return Ok(Some(Loaded::Role(id.to_owned()))),
        "Permission" => return Ok(Some(Loaded::Permission(id.to_owned()))),
        _ => {}
    }
    let Some(named) = entity_ref(&entity.of, id) else {
        return Ok(None);
    };
    let found = async { Loaded::load(client.tenant_of(named).await?, named).await };
    Ok(found_or_none(found.await)?)
}
