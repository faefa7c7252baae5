//! Service accounts in responses.

use salvo::oapi::ToSchema;
use serde::Serialize;
use serde_json::{Map, Value};

use crate::extract::values::{IdSchema, MetadataSchema};
use crate::respond::etag::EntityTag;
use charter_authn::signed::last_used::LastUsed;
use charter_domain::id::{AccountId, OrganizationId, ServiceAccountId};
use charter_domain::service_account::ServiceAccount;
use charter_domain::timestamp;

/// A service account.
#[derive(Serialize, ToSchema)]
#[salvo(schema(name = "ServiceAccount"))]
pub(crate) struct ServiceAccountBody {
    /// `sa-…`
    #[salvo(schema(value_type = IdSchema<ServiceAccountId>))]
    id: String,
    /// Its name.
    #[salvo(schema(example = "Billing export"))]
    name: String,
    /// Its purpose.
    #[salvo(schema(example = "Reads the organization every night"))]
    description: String,
    /// The account it belongs to.
    #[salvo(schema(value_type = IdSchema<AccountId>))]
    account_id: String,
    /// The organization it belongs to.
    #[salvo(schema(value_type = IdSchema<OrganizationId>))]
    organization_id: String,
    /// If false, its requests are refused.
    is_active: bool,
    /// Its roles.
    #[salvo(schema(example = json!([])))]
    roles: Vec<String>,
    /// Its direct permissions.
    #[salvo(schema(example = json!(["organizations:GetOrganization"])))]
    permissions: Vec<String>,
    #[salvo(schema(value_type = MetadataSchema))]
    metadata: Map<String, Value>,
    /// When it was created.
    #[salvo(schema(format = "date-time", example = "2025-09-30T12:00:00Z"))]
    created_at: String,
    /// When it last changed.
    #[salvo(schema(format = "date-time", example = "2025-09-30T12:00:00Z"))]
    updated_at: String,
    /// When one of its keys last signed an accepted request, to the minute; null if never.
    #[salvo(schema(
        format = "date-time",
        required = true,
        example = "2025-09-30T12:00:00Z"
    ))]
    last_used_at: Option<String>,
}

impl ServiceAccountBody {
    pub(super) fn new(service_account: &ServiceAccount, last_used: &LastUsed) -> Self {
        Self {
            id: service_account.id.to_string(),
            name: service_account.name.as_str().to_owned(),
            description: service_account.description.as_str().to_owned(),
            account_id: service_account.account_id.to_string(),
            organization_id: service_account.organization_id.to_string(),
            is_active: service_account.is_active,
            roles: service_account.roles.to_vec(),
            permissions: service_account.permissions.to_vec(),
            metadata: service_account.metadata.as_object().clone(),
            created_at: timestamp::format(service_account.created_at),
            updated_at: timestamp::format(service_account.updated_at),
            last_used_at: last_used
                .of_service_account(service_account.id, service_account.last_used_at)
                .map(timestamp::format),
        }
    }
}

/// The entity tag of the body above, which includes the time of last use.
pub(super) fn etag(service_account: &ServiceAccount, last_used: &LastUsed) -> EntityTag {
    let last_use = last_used.of_service_account(service_account.id, service_account.last_used_at);
    EntityTag::new(service_account.id, service_account.version).with_last_use(last_use)
}
