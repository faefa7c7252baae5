//! A key is passed on with no more time and no more places than the key that signs, unless policy
//! permits `service-accounts:ExtendKey` (ADR 0021).

use crate::extract::authorizer::Authorizer;
use crate::respond::{ApiError, Detail};
use charter_authz::resource::Resource;
use charter_domain::permission::Permission;
use charter_domain::timestamp;
use charter_store::KeyToMake;

/// Asks policy where the key to be made reaches further than the one that signs. Who did not sign
/// with a key is not bound by one. `resource` is what making or rotating the key is asked about.
pub(super) fn require(
    authorizer: &Authorizer,
    key: &KeyToMake<'_>,
    resource: Resource<'_>,
) -> Result<(), ApiError> {
    let beyond = beyond_signer(key);
    if beyond.is_empty() {
        return Ok(());
    }
    authorizer.require_about(Permission::ExtendKey, resource, || beyond)
}

/// What the key would have that the one that signs has not.
fn beyond_signer(key: &KeyToMake<'_>) -> Vec<Detail> {
    let mut beyond = Vec::new();
    let Some(signer) = key.signer else {
        return beyond;
    };
    if let Some(end) = signer.expires_at
        && key.expires_at.is_none_or(|expires_at| expires_at > end)
    {
        let end = timestamp::format(end);
        beyond.push(Detail::new(
            "/expires_at",
            format!("the key that signs expires at {end}, the new one must not live longer"),
        ));
    }
    if !key.ip_allowlist.is_within(&signer.ip_allowlist) {
        let places = signer.ip_allowlist.to_texts().join(", ");
        beyond.push(Detail::new(
            "/ip_allowlist",
            format!("the key that signs is for {places}, the new one must not be for more"),
        ));
    }
    beyond
}
