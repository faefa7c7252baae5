//! `/keys`: every key of the organization with its service account (contract section 4).

use std::time::Duration;

use charter_macros::boxed;
use salvo::Writer;
use salvo::oapi::{
    BasicType, Components, Object as SchemaObject, Operation as OpenApiOperation, ToSchema,
    endpoint,
};
use serde::Serialize;

use crate::extract::authorized::Authorized;
use crate::extract::input::{Input, RequestInput};
use crate::extract::list_query::ListQuery;
use crate::extract::operation::Operation;
use crate::extract::query::describe_query;
use crate::extract::values::{IdSchema, id_schema};
use crate::machine::objects::KeysIn;
use crate::respond::ApiError;
use crate::respond::listed::Listed;
use charter_domain::id::{AccountId, ServiceAccountId};
use charter_domain::page::KeyOrder;
use charter_domain::permission::Permission;
use charter_store::{KeyFilter, KeyOwner, OwnedKey};

use super::key_body::AccessKeyBody;

/// A hundred years.
const MAX_DAYS: u64 = 36_500;

/// `GET /keys`
pub(crate) struct ListAllKeys;

impl Operation for ListAllKeys {
    const PERMISSION: Permission = Permission::ListKeys;
    type Input = KeysQuery;
    type Object = KeysIn;

    fn object(query: &Self::Input) -> Option<Option<AccountId>> {
        query.account_id
    }
}

/// Lists the keys of the whole organization, each with its service account, for access reviews: for example
/// keys that are unused, old, or expire soon. Keys must meet every given condition. Keys of deleted service
/// accounts are revoked and not listed.
#[endpoint(operation_id = "listAllKeys", tags("keys"))]
#[boxed]
pub async fn list(request: Authorized<ListAllKeys>) -> Result<Listed<OwnedKeyBody>, ApiError> {
    let (query, now) = (&request.input, request.authorizer.now());
    let filter = KeyFilter {
        account: request.object.0.account(),
        include_inactive: query.list.include_inactive,
        unused_since: query.unused_for.map(|days| now - days),
        made_by: query.older_than.map(|days| now - days),
        expires_by: query.expires_within.map(|days| now + days),
    };
    let page = request
        .tenant()
        .list_all_keys(query.list.page, filter)
        .await?;
    let last_used = &request.state.last_used;
    let show = |OwnedKey { key, owner }| OwnedKeyBody {
        key: AccessKeyBody::new(&key, now, last_used),
        service_account: owner.into(),
    };
    Listed::new(&query.list.page, page, show).await
}

/// The query of the list.
#[derive(Debug, Clone)]
pub(crate) struct KeysQuery {
    list: ListQuery<KeyOrder>,
    /// `Some(None)` for a malformed id, which counts as missing.
    account_id: Option<Option<AccountId>>,
    unused_for: Option<Duration>,
    older_than: Option<Duration>,
    expires_within: Option<Duration>,
}

impl Input for KeysQuery {
    fn read(request: &mut RequestInput<'_>) -> Result<Self, ApiError> {
        let paging = ListQuery::read(request)?;
        let query = &mut request.query;
        let account_id = query.text("account_id").map(|text| text.parse().ok());
        let mut days = |name: &str| -> Result<Option<Duration>, ApiError> {
            let days = query.integer(name, MAX_DAYS)?;
            Ok(days.map(|days| Duration::from_hours(24 * days)))
        };
        Ok(Self {
            list: paging,
            account_id,
            unused_for: days("unused_for_days")?,
            older_than: days("older_than_days")?,
            expires_within: days("expires_within_days")?,
        })
    }

    fn describe(components: &mut Components, operation: &mut OpenApiOperation) {
        ListQuery::<KeyOrder>::describe(components, operation);
        describe_query(
            operation,
            "account_id",
            "Only keys of this account's service accounts.",
            id_schema::<AccountId>(),
        );
        for (name, description) in [
            (
                "unused_for_days",
                "Only keys that have not signed an accepted request for so many days; a key that was never used counts from its creation.",
            ),
            (
                "older_than_days",
                "Only keys created so many days ago, or earlier.",
            ),
            (
                "expires_within_days",
                "Only keys that expire in so many days, or earlier; with `include_inactive` also those that have expired.",
            ),
        ] {
            let days = SchemaObject::with_type(BasicType::Integer).minimum(1);
            describe_query(operation, name, description, days.maximum(MAX_DAYS));
        }
    }
}

/// An access key with its service account.
#[derive(Serialize, ToSchema)]
#[salvo(schema(name = "AccessKeyWithServiceAccount"))]
pub(crate) struct OwnedKeyBody {
    /// The key.
    #[serde(flatten)]
    key: AccessKeyBody,
    service_account: KeyOwnerBody,
}

/// The service account of a key; `GET /service-accounts/{id}` returns all members.
#[derive(Serialize, ToSchema)]
#[salvo(schema(name = "KeyOwner"))]
struct KeyOwnerBody {
    /// `sa-…`
    #[salvo(schema(value_type = IdSchema<ServiceAccountId>))]
    id: String,
    #[salvo(schema(example = "Billing export"))]
    name: String,
    /// The account it belongs to.
    #[salvo(schema(value_type = IdSchema<AccountId>))]
    account_id: String,
    /// If false, its requests are refused, whatever the key.
    is_active: bool,
}

impl From<KeyOwner> for KeyOwnerBody {
    fn from(owner: KeyOwner) -> Self {
        Self {
            id: owner.id.to_string(),
            name: owner.name,
            account_id: owner.account_id.to_string(),
            is_active: owner.is_active,
        }
    }
}
