//! `/accounts` (contract section 4).

use charter_macros::boxed;
use salvo::Writer;
use salvo::oapi::{ToSchema, endpoint};
use serde::Serialize;
use serde_json::{Map, Value};

use crate::extract::authorized::Authorized;
use crate::extract::json_body::{Body, request_body};
use crate::extract::list_query::ListQuery;
use crate::extract::objects::OwnOrganization;
use crate::extract::operation::Operation;
use crate::extract::path::PathId;
use crate::extract::values::{IdSchema, MetadataSchema};
use crate::respond::ApiError;
use crate::respond::answer::{Changed, Created, FoundOrNotModified};
use crate::respond::etag::EntityTag;
use crate::respond::listed::Listed;
use charter_domain::account::Account;
use charter_domain::id::{AccountId, OrganizationId};
use charter_domain::metadata::{Metadata, MetadataPatch};
use charter_domain::page::ResourceOrder;
use charter_domain::permission::Permission;
use charter_domain::text::Name;
use charter_domain::timestamp;
use charter_store::{GrantedNames, NewAccount};

use super::grants;

/// `GET /accounts`
pub(crate) struct ListAccounts;

impl Operation for ListAccounts {
    const PERMISSION: Permission = Permission::ListAccounts;
    type Input = ListQuery<ResourceOrder>;
    type Object = OwnOrganization;

    fn object(_: &Self::Input) {}
}

/// Lists the organization's accounts.
#[endpoint(operation_id = "listAccounts", tags("accounts"))]
#[boxed]
pub async fn list(request: Authorized<ListAccounts>) -> Result<Listed<AccountBody>, ApiError> {
    let query = &request.input;
    let page = request
        .tenant()
        .list_accounts(query.page, query.include_inactive)
        .await?;
    Listed::new(&query.page, page, |account| (&account).into()).await
}

/// `POST /accounts`
pub(crate) struct CreateAccount;

impl Operation for CreateAccount {
    const PERMISSION: Permission = Permission::CreateAccount;
    type Input = Body<AccountInput>;
    type Object = OwnOrganization;

    fn object(_: &Self::Input) {}
}

/// Creates an account.
#[endpoint(operation_id = "createAccount", tags("accounts"))]
#[boxed]
pub async fn create(request: Authorized<CreateAccount>) -> Result<Created<AccountBody>, ApiError> {
    let Body(AccountInput { name, metadata }) = request.input.clone();
    let account = request
        .write(move |write| async move {
            let new = NewAccount { name, metadata };
            Ok::<_, ApiError>(write.tenant().create_account(new).await?)
        })
        .await?;
    Ok(Created {
        location: format!("/accounts/{}", account.id),
        etag: Some(etag(&account)),
        body: (&account).into(),
    })
}

/// `GET /accounts/{id}`
pub(crate) struct GetAccount;

impl Operation for GetAccount {
    const PERMISSION: Permission = Permission::GetAccount;
    const HAS_ETAG: bool = true;
    type Input = PathId<AccountId>;
    type Object = Account;

    fn object(PathId(id): &Self::Input) -> Option<AccountId> {
        *id
    }
}

/// Returns an account.
#[endpoint(operation_id = "getAccount", tags("accounts"))]
#[boxed]
pub async fn get(
    request: Authorized<GetAccount>,
) -> Result<FoundOrNotModified<AccountBody>, ApiError> {
    request.found(etag(&request.object), (&request.object).into())
}

/// `PATCH /accounts/{id}`
pub(crate) struct UpdateAccount;

impl Operation for UpdateAccount {
    const PERMISSION: Permission = Permission::UpdateAccount;
    const HAS_ETAG: bool = true;
    type Input = (PathId<AccountId>, Body<AccountPatch>);
    type Object = Account;

    fn object((PathId(id), _): &Self::Input) -> Option<AccountId> {
        *id
    }

    fn only_removes((_, Body(patch)): &Self::Input, _: &Self::Object) -> bool {
        patch.only_removes()
    }
}

/// Changes an account, as a JSON Merge Patch (RFC 7396). Reactivating it reactivates its service accounts: the
/// caller must be allowed to grant every role and permission that they have.
#[endpoint(operation_id = "updateAccount", tags("accounts"))]
#[boxed]
pub async fn update(request: Authorized<UpdateAccount>) -> Result<Changed<AccountBody>, ApiError> {
    let (_, Body(patch)) = request.input.clone();
    let id = request.object.id;
    let expected = request.expected_version(&etag(&request.object), request.object.version)?;
    let account = request
        .write(move |write| async move {
            let change = |account: &mut Account| patch.apply(account);
            let wake = |names: &GrantedNames| grants::require_names(&write.authorizer, names);
            write
                .tenant()
                .update_account(id, expected, change, wake)
                .await
        })
        .await?;
    Ok(Changed(etag(&account), (&account).into()))
}

fn etag(account: &Account) -> EntityTag {
    EntityTag::new(account.id, account.version)
}

request_body! {
    /// A new account.
    pub struct AccountInput as "NewAccount" {
        required name: Name = "Production",
        default metadata: Metadata,
    }
}

request_body! {
    /// Absent members stay.
    pub struct AccountPatch as "AccountPatch" {
        optional name: Name = "Production",
        optional metadata: MetadataPatch,
        /// If false, requests of its service accounts are refused; the default account cannot be deactivated.
        /// To reactivate it, the caller must be allowed to grant everything that its service accounts have.
        optional is_active: bool,
    }
    const MERGE_PATCH: bool = true;
}

impl AccountPatch {
    /// Whether it disables the account and does nothing else.
    const fn only_removes(&self) -> bool {
        matches!(
            self,
            Self {
                name: None,
                metadata: None,
                is_active: Some(false),
            }
        )
    }

    fn apply(&self, account: &mut Account) -> Result<(), ApiError> {
        if let Some(name) = &self.name {
            account.name = name.clone();
        }
        if let Some(patch) = &self.metadata {
            account.metadata = account.metadata.merged(patch)?;
        }
        if let Some(is_active) = self.is_active {
            if account.is_default && !is_active {
                return Err(ApiError::broken(
                    "/is_active",
                    "the default account cannot go inactive",
                ));
            }
            account.is_active = is_active;
        }
        Ok(())
    }
}

/// An account.
#[derive(Serialize, ToSchema)]
#[salvo(schema(name = "Account"))]
pub(crate) struct AccountBody {
    /// `acc-…`
    #[salvo(schema(value_type = IdSchema<AccountId>))]
    id: String,
    /// Six characters that never change.
    #[salvo(schema(example = "d4e5f6"))]
    code: String,
    /// Its name.
    #[salvo(schema(example = "Production"))]
    name: String,
    /// The organization it belongs to.
    #[salvo(schema(value_type = IdSchema<OrganizationId>))]
    organization_id: String,
    /// Whether new service accounts are created in it by default.
    is_default: bool,
    /// If false, requests of its service accounts are refused.
    is_active: bool,
    #[salvo(schema(value_type = MetadataSchema))]
    metadata: Map<String, Value>,
    /// When it was created.
    #[salvo(schema(format = "date-time", example = "2025-09-30T12:00:00Z"))]
    created_at: String,
    /// When it last changed.
    #[salvo(schema(format = "date-time", example = "2025-09-30T12:00:00Z"))]
    updated_at: String,
}

impl From<&Account> for AccountBody {
    fn from(account: &Account) -> Self {
        Self {
            id: account.id.to_string(),
            code: account.code.to_string(),
            name: account.name.as_str().to_owned(),
            organization_id: account.organization_id.to_string(),
            is_default: account.is_default,
            is_active: account.is_active,
            metadata: account.metadata.as_object().clone(),
            created_at: timestamp::format(account.created_at),
            updated_at: timestamp::format(account.updated_at),
        }
    }
}
