//! What requests about service accounts say.

use std::collections::BTreeSet;

use salvo::oapi::{BasicType, Components, Object, Operation as OpenApiOperation, ToSchema};
use serde_json::{Map, Value};

use crate::extract::fields::Fields;
use crate::extract::input::{Input, RequestInput};
use crate::extract::json_body::BodyInput;
use crate::extract::list_query::ListQuery;
use crate::extract::path::id_schema;
use crate::extract::query::describe_query;
use crate::machine::parse;
use crate::machine::schemas::{MetadataPatchSchema, MetadataSchema};
use crate::respond::ApiError;
use charter_domain::id::AccountId;
use charter_domain::metadata::{Metadata, MetadataPatch};
use charter_domain::page::ResourceOrder;
use charter_domain::service_account::ServiceAccount;
use charter_domain::text::{Description, Name};

/// The query of the list.
#[derive(Debug, Clone)]
pub struct ServiceAccountsQuery {
    pub(super) list: ListQuery<ResourceOrder>,
    /// `Some(None)` for a malformed id, which is answered like a missing one.
    pub(super) account_id: Option<Option<AccountId>>,
    pub(super) include_deleted: bool,
}

impl Input for ServiceAccountsQuery {
    fn read(request: &mut RequestInput<'_>) -> Result<Self, ApiError> {
        Ok(Self {
            list: ListQuery::read(request)?,
            account_id: request
                .query
                .text("account_id")
                .map(|text| text.parse().ok()),
            include_deleted: request.query.boolean("include_deleted")?,
        })
    }

    fn describe(components: &mut Components, operation: &mut OpenApiOperation) {
        ListQuery::<ResourceOrder>::describe(components, operation);
        describe_query(
            operation,
            "account_id",
            "Only the service accounts of this account.",
            id_schema::<AccountId>(),
        );
        describe_query(
            operation,
            "include_deleted",
            "`true` lists deleted ones too; needs `service-accounts:ListDeleted`.",
            Object::with_type(BasicType::Boolean).default_value(false.into()),
        );
    }
}

/// What a POST says.
#[derive(Debug, Clone)]
pub struct ServiceAccountInput {
    pub(super) account_id: Option<Option<AccountId>>,
    pub(super) name: Name,
    pub(super) description: Description,
    pub(super) roles: Vec<String>,
    pub(super) permissions: Vec<String>,
    pub(super) metadata: Metadata,
}

impl BodyInput for ServiceAccountInput {
    type Schema = NewServiceAccountBody;

    fn read(fields: &mut Fields) -> Option<Self> {
        let name = fields.required("name", parse::name);
        let account_id = fields.optional("account_id", parse::maybe_id);
        let description = fields.optional("description", parse::description);
        let roles = fields.optional("roles", parse::grants);
        let permissions = fields.optional("permissions", parse::grants);
        let metadata = fields.optional("metadata", parse::metadata);
        Some(Self {
            account_id,
            name: name?,
            description: description.unwrap_or_default(),
            roles: roles.unwrap_or_default(),
            permissions: permissions.unwrap_or_default(),
            metadata: metadata.unwrap_or_default(),
        })
    }
}

/// What a PATCH may say.
#[derive(Debug, Clone)]
pub struct ServiceAccountPatch {
    name: Option<Name>,
    description: Option<Description>,
    is_active: Option<bool>,
    roles: Option<Vec<String>>,
    permissions: Option<Vec<String>>,
    metadata: Option<MetadataPatch>,
}

impl ServiceAccountPatch {
    pub(super) fn apply(&self, service_account: &mut ServiceAccount) -> Result<(), ApiError> {
        if let Some(name) = &self.name {
            service_account.name = name.clone();
        }
        if let Some(description) = &self.description {
            service_account.description = description.clone();
        }
        if let Some(is_active) = self.is_active {
            service_account.is_active = is_active;
        }
        if let Some(roles) = &self.roles {
            service_account.roles.clone_from(roles);
        }
        if let Some(permissions) = &self.permissions {
            service_account.permissions.clone_from(permissions);
        }
        if let Some(patch) = &self.metadata {
            service_account.metadata = parse::merged(&service_account.metadata, patch)?;
        }
        Ok(())
    }
}

impl BodyInput for ServiceAccountPatch {
    type Schema = ServiceAccountPatchBody;
    const MERGE_PATCH: bool = true;

    fn read(fields: &mut Fields) -> Option<Self> {
        Some(Self {
            name: fields.optional("name", parse::name),
            description: fields.optional("description", parse::description),
            is_active: fields.optional("is_active", parse::boolean),
            roles: fields.optional("roles", parse::grants),
            permissions: fields.optional("permissions", parse::grants),
            metadata: parse::metadata_patch(fields.nullable("metadata", parse::object)),
        })
    }
}

/// The members of a POST.
#[derive(ToSchema)]
#[salvo(schema(name = "NewServiceAccount"))]
#[expect(dead_code, reason = "describes a request body, which `Fields` reads")]
pub struct NewServiceAccountBody {
    /// 1 to 200 characters, at most 800 bytes.
    #[salvo(schema(
        min_length = 1,
        max_length = 200,
        pattern = "^[^\\u0000-\\u001f\\u007f-\\u009f\\u061c\\u200e\\u200f\\u2028-\\u202e\\u2066-\\u2069]*[^\\s\\u0000-\\u001f\\u007f-\\u009f\\u061c\\u200e\\u200f\\u2028-\\u202e\\u2066-\\u2069][^\\u0000-\\u001f\\u007f-\\u009f\\u061c\\u200e\\u200f\\u2028-\\u202e\\u2066-\\u2069]*$",
        example = "Billing export"
    ))]
    name: String,
    /// The account it is to belong to; the default account if left out.
    #[salvo(schema(nullable = false, pattern = "^acc-[0-7][0-9a-hjkmnp-tv-z]{25}$"))]
    account_id: Option<String>,
    /// At most 1,000 characters.
    #[salvo(schema(
        nullable = false,
        max_length = 1000,
        pattern = "^[^\\u0000-\\u001f\\u007f-\\u009f\\u061c\\u200e\\u200f\\u2028-\\u202e\\u2066-\\u2069]*$",
        example = "Reads the organization every night"
    ))]
    description: Option<String>,
    /// Role names, at most 200; each is asked of policy (`service-accounts:AssignRole`).
    #[salvo(schema(nullable = false))]
    roles: Option<BTreeSet<String>>,
    /// Permission names, at most 200; each is asked of policy (`service-accounts:GrantPermission`).
    #[salvo(schema(nullable = false, example = json!(["organizations:GetOrganization"])))]
    permissions: Option<BTreeSet<String>>,
    #[salvo(schema(value_type = Option<MetadataSchema>, nullable = false))]
    metadata: Option<Map<String, Value>>,
}

/// The members of a PATCH; each may be left out, arrays replace.
#[derive(ToSchema)]
#[salvo(schema(name = "ServiceAccountPatch"))]
#[expect(dead_code, reason = "describes a request body, which `Fields` reads")]
pub struct ServiceAccountPatchBody {
    /// 1 to 200 characters, at most 800 bytes.
    #[salvo(schema(
        min_length = 1,
        max_length = 200,
        nullable = false,
        pattern = "^[^\\u0000-\\u001f\\u007f-\\u009f\\u061c\\u200e\\u200f\\u2028-\\u202e\\u2066-\\u2069]*[^\\s\\u0000-\\u001f\\u007f-\\u009f\\u061c\\u200e\\u200f\\u2028-\\u202e\\u2066-\\u2069][^\\u0000-\\u001f\\u007f-\\u009f\\u061c\\u200e\\u200f\\u2028-\\u202e\\u2066-\\u2069]*$",
        example = "Billing export"
    ))]
    name: Option<String>,
    /// At most 1,000 characters.
    #[salvo(schema(
        nullable = false,
        max_length = 1000,
        pattern = "^[^\\u0000-\\u001f\\u007f-\\u009f\\u061c\\u200e\\u200f\\u2028-\\u202e\\u2066-\\u2069]*$",
        example = "Reads the organization every night"
    ))]
    description: Option<String>,
    /// False refuses its requests; true again asks policy for all that it has.
    #[salvo(schema(nullable = false))]
    is_active: Option<bool>,
    /// Role names, at most 200; each added one is asked of policy (`service-accounts:AssignRole`).
    #[salvo(schema(nullable = false))]
    roles: Option<BTreeSet<String>>,
    /// Permission names, at most 200; each added one is asked of policy (`service-accounts:GrantPermission`).
    #[salvo(schema(nullable = false, example = json!(["organizations:GetOrganization"])))]
    permissions: Option<BTreeSet<String>>,
    /// Null empties it.
    #[salvo(schema(value_type = Option<MetadataPatchSchema>))]
    metadata: Option<Map<String, Value>>,
}
