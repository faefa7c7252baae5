//! `/service-accounts` (contract section 4).

pub(crate) mod body;
mod input;
pub(crate) mod key_body;
mod key_input;
mod key_reach;
pub(crate) mod key_report;
pub(crate) mod keys;

use charter_macros::boxed;
use salvo::Writer;
use salvo::oapi::endpoint;

use crate::extract::authorized::Authorized;
use crate::extract::body_value::Lenient;
use crate::extract::json_body::Body;
use crate::extract::operation::{Object, Operation};
use crate::extract::path::PathId;
use crate::respond::ApiError;
use crate::respond::answer::{Changed, Created, FoundOrNotModified, NoContent};
use crate::respond::listed::Listed;
use charter_domain::id::{AccountId, ServiceAccountId};
use charter_domain::permission::Permission;
use charter_domain::service_account::ServiceAccount;
use charter_store::{NewServiceAccount, ServiceAccountFilter};

use super::grants;
use super::objects::{AccountOfNew, ServiceAccountObject, ServiceAccountsIn};

use body::ServiceAccountBody;
use input::{ServiceAccountInput, ServiceAccountPatch, ServiceAccountsQuery};

/// `GET /service-accounts`
pub(crate) struct ListServiceAccounts;

impl Operation for ListServiceAccounts {
    const PERMISSION: Permission = Permission::ListServiceAccounts;
    type Input = ServiceAccountsQuery;
    type Object = ServiceAccountsIn;

    fn object(query: &Self::Input) -> Option<Option<AccountId>> {
        query.account_id
    }
}

/// Lists the service accounts of one account, or of the whole organization.
#[endpoint(operation_id = "listServiceAccounts", tags("service accounts"))]
#[boxed]
pub async fn list(
    request: Authorized<ListServiceAccounts>,
) -> Result<Listed<ServiceAccountBody>, ApiError> {
    let query = &request.input;
    if query.include_deleted {
        let resource = request.object.as_resource(request.caller());
        request
            .authorizer
            .require(Permission::ListDeletedServiceAccounts, resource)?;
    }
    let filter = ServiceAccountFilter {
        account: request.object.account(),
        include_inactive: query.list.include_inactive,
        include_deleted: query.include_deleted,
    };
    let page = request
        .tenant()
        .list_service_accounts(query.list.page, filter)
        .await?;
    let last_used = &request.state.last_used;
    Listed::new(&query.list.page, page, |service_account| {
        ServiceAccountBody::new(&service_account, last_used)
    })
    .await
}

/// `POST /service-accounts`
pub(crate) struct CreateServiceAccount;

impl Operation for CreateServiceAccount {
    const PERMISSION: Permission = Permission::CreateServiceAccount;
    type Input = Body<ServiceAccountInput>;
    type Object = AccountOfNew;

    fn object(Body(input): &Self::Input) -> Option<Option<AccountId>> {
        input.account_id.as_ref().map(|Lenient(id)| *id)
    }
}

/// Creates a service account. The caller must also be allowed to grant each of its roles and permissions.
#[endpoint(operation_id = "createServiceAccount", tags("service accounts"))]
#[boxed]
pub async fn create(
    request: Authorized<CreateServiceAccount>,
) -> Result<Created<ServiceAccountBody>, ApiError> {
    let Body(input) = request.input.clone();
    let (roles, permissions) = (input.roles.into_vec(), input.permissions.into_vec());
    grants::require_known(&request.authorizer, &roles, &permissions)?;
    grants::require(&request.authorizer, &roles, &permissions)?;
    let new = NewServiceAccount {
        account_id: request.object.0.id,
        name: input.name,
        description: input.description,
        roles,
        permissions,
        metadata: input.metadata,
    };
    let service_account = request
        .write(move |write| async move { Ok(write.tenant().create_service_account(new).await?) })
        .await?;
    Ok(Created {
        location: format!("/service-accounts/{}", service_account.id),
        etag: Some(body::etag(&service_account, &request.state.last_used)),
        body: ServiceAccountBody::new(&service_account, &request.state.last_used),
    })
}

/// `GET /service-accounts/{id}`
pub(crate) struct GetServiceAccount;

impl Operation for GetServiceAccount {
    const PERMISSION: Permission = Permission::GetServiceAccount;
    const HAS_ETAG: bool = true;
    type Input = PathId<ServiceAccountId>;
    type Object = ServiceAccountObject;

    fn object(PathId(id): &Self::Input) -> Option<ServiceAccountId> {
        *id
    }
}

/// Returns a service account.
#[endpoint(operation_id = "getServiceAccount", tags("service accounts"))]
#[boxed]
pub async fn get(
    request: Authorized<GetServiceAccount>,
) -> Result<FoundOrNotModified<ServiceAccountBody>, ApiError> {
    let service_account = &request.object.service_account;
    let shown = ServiceAccountBody::new(service_account, &request.state.last_used);
    request.found(body::etag(service_account, &request.state.last_used), shown)
}

/// `PATCH /service-accounts/{id}`
pub(crate) struct UpdateServiceAccount;

impl Operation for UpdateServiceAccount {
    const PERMISSION: Permission = Permission::UpdateServiceAccount;
    const HAS_ETAG: bool = true;
    type Input = (PathId<ServiceAccountId>, Body<ServiceAccountPatch>);
    type Object = ServiceAccountObject;

    fn object((PathId(id), _): &Self::Input) -> Option<ServiceAccountId> {
        *id
    }

    fn only_removes((_, Body(patch)): &Self::Input, object: &Self::Object) -> bool {
        patch.only_removes(&object.service_account)
    }
}

/// Changes a service account, as a JSON Merge Patch (RFC 7396); arrays are replaced. The caller must also be
/// allowed to grant each added role and permission, and all of them to reactivate it.
#[endpoint(operation_id = "updateServiceAccount", tags("service accounts"))]
#[boxed]
pub async fn update(
    request: Authorized<UpdateServiceAccount>,
) -> Result<Changed<ServiceAccountBody>, ApiError> {
    let (_, Body(patch)) = request.input.clone();
    let id = request.object.service_account.id;
    let current = &request.object.service_account;
    let expected = request.expected_version(
        &body::etag(current, &request.state.last_used),
        current.version,
    )?;
    let service_account = request
        .write(move |write| async move {
            // Compared with the locked row, so that additions relate to the current state.
            let change = |service_account: &mut ServiceAccount| {
                let before = service_account.clone();
                patch.apply(service_account)?;
                grants::require_change(&write.authorizer, &before, service_account)
            };
            write
                .tenant()
                .update_service_account(id, expected, change)
                .await
        })
        .await?;
    let shown = ServiceAccountBody::new(&service_account, &request.state.last_used);
    Ok(Changed(
        body::etag(&service_account, &request.state.last_used),
        shown,
    ))
}

/// `DELETE /service-accounts/{id}`
pub(crate) struct DeleteServiceAccount;

impl Operation for DeleteServiceAccount {
    const PERMISSION: Permission = Permission::DeleteServiceAccount;
    const HAS_ETAG: bool = true;
    type Input = PathId<ServiceAccountId>;
    type Object = ServiceAccountObject;

    fn object(PathId(id): &Self::Input) -> Option<ServiceAccountId> {
        *id
    }

    fn only_removes(_: &Self::Input, _: &Self::Object) -> bool {
        true
    }
}

/// Deletes a service account and revokes its keys.
#[endpoint(operation_id = "deleteServiceAccount", tags("service accounts"))]
#[boxed]
pub async fn delete(request: Authorized<DeleteServiceAccount>) -> Result<NoContent, ApiError> {
    let id = request.object.service_account.id;
    let current = &request.object.service_account;
    let expected = request.expected_version(
        &body::etag(current, &request.state.last_used),
        current.version,
    )?;
    request
        .write(move |write| async move {
            Ok(write.tenant().delete_service_account(id, expected).await?)
        })
        .await?;
    Ok(NoContent)
}
