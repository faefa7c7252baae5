//! Inputs of requests about service accounts.

use salvo::oapi::{BasicType, Components, Object, Operation as OpenApiOperation};

use crate::extract::body_value::Lenient;
use crate::extract::input::{Input, RequestInput};
use crate::extract::json_body::request_body;
use crate::extract::list_query::ListQuery;
use crate::extract::query::describe_query;
use crate::extract::values::id_schema;
use crate::respond::ApiError;
use charter_domain::id::AccountId;
use charter_domain::metadata::{Metadata, MetadataPatch};
use charter_domain::page::ResourceOrder;
use charter_domain::service_account::{GrantNames, ServiceAccount};
use charter_domain::text::{Description, Name};

/// The query of the list.
#[derive(Debug, Clone)]
pub(crate) struct ServiceAccountsQuery {
    pub(super) list: ListQuery<ResourceOrder>,
    /// `Some(None)` for a malformed id, which counts as missing.
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
            "`true` includes deleted ones; requires `service-accounts:ListDeleted`.",
            Object::with_type(BasicType::Boolean).default_value(false.into()),
        );
    }
}

request_body! {
    /// A new service account.
    pub struct ServiceAccountInput as "NewServiceAccount" {
        required name: Name = "Billing export",
        /// The account of the service account; by default the default account.
        optional account_id: Lenient<AccountId>,
        default description: Description,
        /// Role names, at most 200; the caller must be allowed to assign each (`service-accounts:AssignRole`).
        default roles: GrantNames,
        /// Permission names, at most 200; the caller must be allowed to grant each
        /// (`service-accounts:GrantPermission`).
        default permissions: GrantNames = ["organizations:GetOrganization"],
        default metadata: Metadata,
    }
}

request_body! {
    /// Absent members stay; arrays are replaced.
    pub struct ServiceAccountPatch as "ServiceAccountPatch" {
        optional name: Name = "Billing export",
        optional description: Description,
        /// If false, its requests are refused. To reactivate it, the caller must be allowed to grant everything
        /// that it has.
        optional is_active: bool,
        /// Role names, at most 200; the caller must be allowed to assign each added one
        /// (`service-accounts:AssignRole`).
        optional roles: GrantNames,
        /// Permission names, at most 200; the caller must be allowed to grant each added one
        /// (`service-accounts:GrantPermission`).
        optional permissions: GrantNames = ["organizations:GetOrganization"],
        optional metadata: MetadataPatch,
    }
    const MERGE_PATCH: bool = true;
}

impl ServiceAccountPatch {
    /// Whether it disables the service account, or takes roles or permissions from it, and does nothing else. Another
    /// order of the same names is a change like others.
    pub(super) fn only_removes(&self, before: &ServiceAccount) -> bool {
        let Self {
            name: None,
            description: None,
            metadata: None,
            is_active: None | Some(false),
            roles,
            permissions,
        } = self
        else {
            return false;
        };
        let adds_none = |names: &Option<GrantNames>, held: &[String]| {
            names
                .as_ref()
                .map(GrantNames::as_slice)
                .is_none_or(|names| {
                    names == held
                        || names.len() < held.len() && names.iter().all(|name| held.contains(name))
                })
        };
        adds_none(roles, &before.roles) && adds_none(permissions, &before.permissions)
    }

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
            service_account.roles = roles.as_slice().to_vec().into();
        }
        if let Some(permissions) = &self.permissions {
            service_account.permissions = permissions.as_slice().to_vec().into();
        }
        if let Some(patch) = &self.metadata {
            service_account.metadata = service_account.metadata.merged(patch)?;
        }
        Ok(())
    }
}
