//! `/service-accounts/{id}/keys` (contract section 4). A secret is shown once, when it is created.

use charter_macros::boxed;
use salvo::Writer;
use salvo::oapi::endpoint;
use secrecy::{ExposeSecret, SecretString};

use crate::extract::authorized::Authorized;
use crate::extract::authorizer::Authorizer;
use crate::extract::json_body::Body;
use crate::extract::list_query::ListQuery;
use crate::extract::operation::{Object, Operation};
use crate::extract::path::PathId;
use crate::machine::grants;
use crate::machine::objects::{AccessKeyObject, ServiceAccountObject};
use crate::respond::answer::{Created, NoContent};
use crate::respond::listed::Listed;
use crate::respond::{ApiError, ErrorType};
use crate::state::State;
use charter_authn::signed::mint::MintedKey;
use charter_domain::access_key::AccessKey;
use charter_domain::caller::Caller;
use charter_domain::id::{AccessKeyId, ServiceAccountId};
use charter_domain::page::KeyOrder;
use charter_domain::permission::Permission;
use charter_domain::timestamp::Timestamp;
use charter_store::{KeyToMake, NewKey, RotationTimes};

use super::key_body::{AccessKeyBody, NewAccessKeyBody};
use super::key_input::{KeyInput, RotationInput};
use super::key_reach;

/// `{id}` and `{key_id}` of the path.
type KeyPath = (PathId<ServiceAccountId>, PathId<AccessKeyId>);

/// `GET /service-accounts/{id}/keys`
pub(crate) struct ListKeys;

impl Operation for ListKeys {
    const PERMISSION: Permission = Permission::ListKeys;
    type Input = (PathId<ServiceAccountId>, ListQuery<KeyOrder>);
    type Object = ServiceAccountObject;

    fn object((PathId(id), _): &Self::Input) -> Option<ServiceAccountId> {
        *id
    }
}

/// Lists a service account's keys, without their secrets.
#[endpoint(operation_id = "listKeys", tags("keys"))]
#[boxed]
pub async fn list(request: Authorized<ListKeys>) -> Result<Listed<AccessKeyBody>, ApiError> {
    let (_, query) = &request.input;
    let id = request.object.service_account.id;
    let page = request
        .tenant()
        .list_keys(id, query.page, query.include_inactive)
        .await?;
    let (now, last_used) = (request.authorizer.now(), &request.state.last_used);
    Listed::new(&query.page, page, |key| {
        AccessKeyBody::new(&key, now, last_used)
    })
    .await
}

/// `POST /service-accounts/{id}/keys`
pub(crate) struct CreateKey;

impl Operation for CreateKey {
    const PERMISSION: Permission = Permission::CreateKey;
    type Input = (PathId<ServiceAccountId>, Body<KeyInput>);
    type Object = ServiceAccountObject;

    fn object((PathId(id), _): &Self::Input) -> Option<ServiceAccountId> {
        *id
    }
}

/// Creates a key; its secret is in this response only. The caller must be allowed to grant everything that the
/// service account has. A signed request also needs `service-accounts:ExtendKey` if the new key lives longer,
/// or works from more addresses, than the signing key.
#[endpoint(operation_id = "createKey", tags("keys"))]
#[boxed]
pub async fn create(request: Authorized<CreateKey>) -> Result<Created<NewAccessKeyBody>, ApiError> {
    let (_, Body(input)) = request.input.clone();
    require_future(input.expires_at, request.authorizer.now())?;
    let object = request.object.clone();
    let MintedKey { new, secret } = mint(&request.state, request.caller(), &object)?;
    let new = NewKey {
        description: input.description,
        ip_allowlist: input.ip_allowlist,
        expires_at: input.expires_at,
        ..new
    };
    let key = request
        .write(move |write| async move {
            let owner = object.service_account.id;
            let authorizer = &write.authorizer;
            let check = |key: &KeyToMake<'_>| {
                grants::require_all_of(authorizer, key.owner)?;
                key_reach::require(authorizer, key, object.as_resource(authorizer.caller()))
            };
            write.tenant().create_key(owner, new, check).await
        })
        .await?;
    Ok(created(&key, &secret, &request.authorizer, &request.state))
}

/// `POST /service-accounts/{id}/keys/{key_id}/rotate`
pub(crate) struct RotateKey;

impl Operation for RotateKey {
    const PERMISSION: Permission = Permission::RotateKey;
    const REFUSES: &'static [ErrorType] = &[ErrorType::Conflict];
    type Input = (KeyPath, Body<RotationInput>);
    type Object = AccessKeyObject;

    fn object(
        ((PathId(owner), PathId(key)), _): &Self::Input,
    ) -> <Self::Object as Object>::Reference {
        (*owner, *key)
    }
}

/// Replaces a key by a new one; the old one stays valid for the overlap. The caller must be allowed to grant
/// everything that the service account has, unless it rotates its own key; and needs
/// `service-accounts:ExtendKey` if the new key lives longer, or works from more addresses, than the signing
/// key.
#[endpoint(operation_id = "rotateKey", tags("keys"))]
#[boxed]
pub async fn rotate(request: Authorized<RotateKey>) -> Result<Created<NewAccessKeyBody>, ApiError> {
    let (_, Body(input)) = request.input.clone();
    require_future(input.expires_at.flatten(), request.authorizer.now())?;
    let object = request.object.clone();
    let MintedKey { new, secret } = mint(&request.state, request.caller(), &object.owner)?;
    let times = RotationTimes {
        overlap: input.overlap.duration(),
        expires_at: input.expires_at,
    };
    let key = request
        .write(move |write| async move {
            let (owner, old) = (object.owner.service_account.id, object.key.id);
            let authorizer = &write.authorizer;
            let is_own = authorizer.caller().access_key_id() == Some(old);
            let check = |key: &KeyToMake<'_>| {
                if !is_own {
                    grants::require_all_of(authorizer, key.owner)?;
                }
                key_reach::require(authorizer, key, object.as_resource(authorizer.caller()))
            };
            write
                .tenant()
                .rotate_key(owner, old, new, times, check)
                .await
        })
        .await?;
    Ok(created(&key, &secret, &request.authorizer, &request.state))
}

/// `DELETE /service-accounts/{id}/keys/{key_id}`
pub(crate) struct RevokeKey;

impl Operation for RevokeKey {
    const PERMISSION: Permission = Permission::RevokeKey;
    type Input = KeyPath;
    type Object = AccessKeyObject;

    fn object((PathId(owner), PathId(key)): &Self::Input) -> <Self::Object as Object>::Reference {
        (*owner, *key)
    }

    fn only_removes(_: &Self::Input, _: &Self::Object) -> bool {
        true
    }
}

/// Revokes a key permanently; repeating it has no effect.
#[endpoint(operation_id = "revokeKey", tags("keys"))]
#[boxed]
pub async fn revoke(request: Authorized<RevokeKey>) -> Result<NoContent, ApiError> {
    let (owner, key) = (
        request.object.owner.service_account.id,
        request.object.key.id,
    );
    request
        .write(move |write| async move {
            Ok::<_, ApiError>(write.tenant().revoke_key(owner, key).await?)
        })
        .await?;
    Ok(NoContent)
}

fn mint(
    state: &State,
    caller: &Caller,
    owner: &ServiceAccountObject,
) -> Result<MintedKey, ApiError> {
    let minted = state.mint.mint(caller.organization(), &owner.account);
    minted.map_err(ApiError::internal)
}

fn created(
    key: &AccessKey,
    secret: &SecretString,
    authorizer: &Authorizer,
    state: &State,
) -> Created<NewAccessKeyBody> {
    Created {
        location: format!(
            "/service-accounts/{}/keys/{}",
            key.service_account_id, key.id
        ),
        etag: None,
        body: NewAccessKeyBody {
            key: AccessKeyBody::new(key, authorizer.now(), &state.last_used),
            secret_key: secret.expose_secret().to_owned(),
        },
    }
}

fn require_future(expires_at: Option<Timestamp>, now: Timestamp) -> Result<(), ApiError> {
    if expires_at.is_some_and(|at| at <= now) {
        return Err(ApiError::broken("/expires_at", "must lie in the future"));
    }
    Ok(())
}
