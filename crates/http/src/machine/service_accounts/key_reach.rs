//! A key cannot create one that lives longer or works from more addresses, unless policy permits
//! `service-accounts:ExtendKey` (ADR 0021).

use crate::extract::authorizer::Authorizer;
use crate::respond::ApiError;
use charter_authz::resource::Resource;
use charter_domain::permission::Permission;
use charter_domain::timestamp;
use charter_store::KeyToMake;

/// Authorizes the new key if it reaches further than the signing one. Callers without a key are not limited.
/// `resource` is the object of the operation.
pub(super) fn require(
    authorizer: &Authorizer,
    key: &KeyToMake<'_>,
    resource: Resource<'_>,
) -> Result<(), ApiError> {
    let beyond = beyond_signer(key);
    if beyond.is_empty() {
        return Ok(());
    }
    authorizer
        .require(Permission::ExtendKey, resource)
        .map_err(|refusal| refusal.because(&beyond.join("; ")))
}

/// How the new key reaches further than the signing one.
fn beyond_signer(key: &KeyToMake<'_>) -> Vec<String> {
    let mut beyond = Vec::new();
    let Some(signer) = key.signer else {
        return beyond;
    };
    if let Some(end) = signer.expires_at
        && key.expires_at.is_none_or(|expires_at| expires_at > end)
    {
        let end = timestamp::format(end);
        beyond.push(format!(
            "the key that signs expires at {end}, and the new one must not live longer"
        ));
    }
    if !key.ip_allowlist.is_within(&signer.ip_allowlist) {
        let places = signer.ip_allowlist.to_texts().join(", ");
        beyond.push(format!(
            "the key that signs is for {places}, and the new one must not be for more"
        ));
    }
    beyond
}
