//! `/accounts` (contract section 4).

use salvo::Writer;
use salvo::oapi::{ToSchema, endpoint};
use serde::Serialize;
use serde_json::{Map, Value};

use crate::extract::authorized::Authorized;
use crate::extract::fields::Fields;
use crate::extract::json_body::{Body, BodyInput};
use crate::extract::list_query::ListQuery;
use crate::extract::objects::OwnOrganization;
use crate::extract::operation::Operation;
use crate::extract::path::PathId;
use crate::respond::ApiError;
use crate::respond::answer::{Changed, Created, Found};
use crate::respond::etag::EntityTag;
use crate::respond::listed::Listed;
use charter_domain::account::Account;
use charter_domain::id::AccountId;
use charter_domain::metadata::{Metadata, MetadataPatch};
use charter_domain::page::ResourceOrder;
use charter_domain::permission::Permission;
use charter_domain::text::Name;
use charter_domain::timestamp;
use charter_store::{GrantedNames, NewAccount};

use super::schemas::{MetadataPatchSchema, MetadataSchema};
use super::{grants, parse};

/// `GET /accounts`
pub struct ListAccounts;

impl Operation for ListAccounts {
    const PERMISSION: Permission = Permission::ListAccounts;
    type Input = ListQuery<ResourceOrder>;
    type Object = OwnOrganization;

    fn object(_: &Self::Input) {}
}

/// Lists the organization's accounts.
#[endpoint(operation_id = "listAccounts", tags("accounts"))]
pub async fn list(request: Authorized<ListAccounts>) -> Result<Listed<AccountBody>, ApiError> {
    let query = &request.input;
    let page = request
        .tenant()
        .list_accounts(query.page, query.include_inactive)
        .await?;
    Listed::new(&query.page, page, |account| (&account).into()).await
}

/// `POST /accounts`
pub struct CreateAccount;

impl Operation for CreateAccount {
    const PERMISSION: Permission = Permission::CreateAccount;
    type Input = Body<AccountInput>;
    type Object = OwnOrganization;

    fn object(_: &Self::Input) {}
}

/// Makes an account.
#[endpoint(operation_id = "createAccount", tags("accounts"))]
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
pub struct GetAccount;

impl Operation for GetAccount {
    const PERMISSION: Permission = Permission::GetAccount;
    const HAS_ETAG: bool = true;
    type Input = PathId<AccountId>;
    type Object = Account;

    fn object(PathId(id): &Self::Input) -> Option<AccountId> {
        *id
    }
}

/// Reads an account.
#[endpoint(operation_id = "getAccount", tags("accounts"))]
pub async fn get(request: Authorized<GetAccount>) -> Result<Found<AccountBody>, ApiError> {
    request.found(etag(&request.object), (&request.object).into())
}

/// `PATCH /accounts/{id}`
pub struct UpdateAccount;

impl Operation for UpdateAccount {
    const PERMISSION: Permission = Permission::UpdateAccount;
    const HAS_ETAG: bool = true;
    type Input = (PathId<AccountId>, Body<AccountPatch>);
    type Object = Account;

    fn object((PathId(id), _): &Self::Input) -> Option<AccountId> {
        *id
    }
}

/// Changes an account, as a JSON Merge Patch (RFC 7396). Re-activating it brings its service
/// accounts to life: policy is asked for every role and permission that they have.
#[endpoint(operation_id = "updateAccount", tags("accounts"))]
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

/// What a POST says.
#[derive(Debug, Clone)]
pub struct AccountInput {
    name: Name,
    metadata: Metadata,
}

impl BodyInput for AccountInput {
    type Schema = NewAccountBody;

    fn read(fields: &mut Fields) -> Option<Self> {
        let name = fields.required("name", parse::name);
        let metadata = fields.optional("metadata", parse::metadata);
        Some(Self {
            name: name?,
            metadata: metadata.unwrap_or_default(),
        })
    }
}

/// What a PATCH may say.
#[derive(Debug, Clone)]
pub struct AccountPatch {
    name: Option<Name>,
    metadata: Option<MetadataPatch>,
    is_active: Option<bool>,
}

impl AccountPatch {
    fn apply(&self, account: &mut Account) -> Result<(), ApiError> {
        if let Some(name) = &self.name {
            account.name = name.clone();
        }
        if let Some(patch) = &self.metadata {
            account.metadata = parse::merged(&account.metadata, patch)?;
        }
        if let Some(is_active) = self.is_active {
            if account.is_default && !is_active {
                return Err(parse::broken(
                    "/is_active",
                    "the default account cannot go inactive",
                ));
            }
            account.is_active = is_active;
        }
        Ok(())
    }
}

impl BodyInput for AccountPatch {
    type Schema = AccountPatchBody;
    const MERGE_PATCH: bool = true;

    fn read(fields: &mut Fields) -> Option<Self> {
        Some(Self {
            name: fields.optional("name", parse::name),
            metadata: parse::metadata_patch(fields.nullable("metadata", parse::object)),
            is_active: fields.optional("is_active", parse::boolean),
        })
    }
}

/// The members of a POST.
#[derive(ToSchema)]
#[salvo(schema(name = "NewAccount"))]
#[expect(dead_code, reason = "describes a request body, which `Fields` reads")]
pub struct NewAccountBody {
    /// 1 to 200 characters, at most 800 bytes.
    #[salvo(schema(
        min_length = 1,
        max_length = 200,
        pattern = "^[^\\u0000-\\u001f\\u007f-\\u009f\\u061c\\u200e\\u200f\\u2028-\\u202e\\u2066-\\u2069]*[^\\s\\u0000-\\u001f\\u007f-\\u009f\\u061c\\u200e\\u200f\\u2028-\\u202e\\u2066-\\u2069][^\\u0000-\\u001f\\u007f-\\u009f\\u061c\\u200e\\u200f\\u2028-\\u202e\\u2066-\\u2069]*$",
        example = "Production"
    ))]
    name: String,
    #[salvo(schema(value_type = Option<MetadataSchema>, nullable = false))]
    metadata: Option<Map<String, Value>>,
}

/// The members of a PATCH; each may be left out.
#[derive(ToSchema)]
#[salvo(schema(name = "AccountPatch"))]
#[expect(dead_code, reason = "describes a request body, which `Fields` reads")]
pub struct AccountPatchBody {
    /// 1 to 200 characters, at most 800 bytes.
    #[salvo(schema(
        min_length = 1,
        max_length = 200,
        nullable = false,
        pattern = "^[^\\u0000-\\u001f\\u007f-\\u009f\\u061c\\u200e\\u200f\\u2028-\\u202e\\u2066-\\u2069]*[^\\s\\u0000-\\u001f\\u007f-\\u009f\\u061c\\u200e\\u200f\\u2028-\\u202e\\u2066-\\u2069][^\\u0000-\\u001f\\u007f-\\u009f\\u061c\\u200e\\u200f\\u2028-\\u202e\\u2066-\\u2069]*$",
        example = "Production"
    ))]
    name: Option<String>,
    /// Null empties it.
    #[salvo(schema(value_type = Option<MetadataPatchSchema>))]
    metadata: Option<Map<String, Value>>,
    /// False refuses its service accounts' requests; the default account cannot go inactive. True
    /// again asks policy for all that its service accounts have.
    #[salvo(schema(nullable = false))]
    is_active: Option<bool>,
}

/// An account as the API shows it.
#[derive(Serialize, ToSchema)]
#[salvo(schema(name = "Account"))]
pub struct AccountBody {
    /// `acc-…`
    #[salvo(schema(
        pattern = "^acc-[0-7][0-9a-hjkmnp-tv-z]{25}$",
        example = "acc-01k6dyspfte23tskdzn1kqd65k"
    ))]
    id: String,
    /// Six characters that never change.
    #[salvo(schema(example = "d4e5f6"))]
    code: String,
    /// Its name.
    #[salvo(schema(example = "Production"))]
    name: String,
    /// The tenant.
    #[salvo(schema(
        pattern = "^org-[0-7][0-9a-hjkmnp-tv-z]{25}$",
        example = "org-01k6dyspfte23tskdzn1kqd65k"
    ))]
    organization_id: String,
    /// The one that service accounts land in unless told otherwise.
    is_default: bool,
    /// False refuses its service accounts' requests.
    is_active: bool,
    #[salvo(schema(value_type = MetadataSchema))]
    metadata: Map<String, Value>,
    /// When it was made.
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
