//! Table `service_accounts`.

use sea_orm::ActiveValue::Set;
use sea_orm::entity::prelude::*;
use serde_json::json;

use super::{StoredObject, Texts, stored_time};
use crate::Error;
use charter_domain::id::{AccountId, OrganizationId, ServiceAccountId};
use charter_domain::service_account::ServiceAccount;
use charter_domain::text::{Description, Name};
use charter_domain::timestamp;

#[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
#[sea_orm(table_name = "service_accounts")]
pub(crate) struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub(crate) id: Uuid,
    pub(crate) organization_id: Uuid,
    pub(crate) account_id: Uuid,
    pub(crate) name: String,
    pub(crate) description: String,
    pub(crate) is_active: bool,
    pub(crate) roles: Texts,
    pub(crate) permissions: Texts,
    pub(crate) metadata: StoredObject,
    pub(crate) deleted_at: Option<ChronoDateTimeUtc>,
    pub(crate) last_used_at: Option<ChronoDateTimeUtc>,
    pub(crate) version: i64,
    pub(crate) created_at: ChronoDateTimeUtc,
    pub(crate) updated_at: ChronoDateTimeUtc,
}

without_relations!();

impl TryFrom<Model> for ServiceAccount {
    type Error = Error;

    fn try_from(row: Model) -> Result<Self, Error> {
        Ok(Self {
            id: ServiceAccountId::from_uuid(row.id),
            organization_id: OrganizationId::from_uuid(row.organization_id),
            account_id: AccountId::from_uuid(row.account_id),
            name: Name::from_stored(row.name),
            description: Description::from_stored(row.description),
            is_active: row.is_active,
            roles: row.roles.0.into(),
            permissions: row.permissions.0.into(),
            metadata: row.metadata.into(),
            deleted_at: row.deleted_at,
            last_used_at: row.last_used_at,
            version: row.version,
            created_at: row.created_at,
            updated_at: row.updated_at,
        })
    }
}

impl From<&ServiceAccount> for ActiveModel {
    fn from(service_account: &ServiceAccount) -> Self {
        Self {
            id: Set(service_account.id.uuid()),
            organization_id: Set(service_account.organization_id.uuid()),
            account_id: Set(service_account.account_id.uuid()),
            last_used_at: Set(service_account.last_used_at),
            created_at: Set(service_account.created_at),
            ..changeable(service_account)
        }
    }
}

audited!(ServiceAccount of organization_id, |service_account| json!({
    "account_id": service_account.account_id.to_string(),
    "name": service_account.name.as_str(),
    "description": service_account.description.as_str(),
    "is_active": service_account.is_active,
    "roles": service_account.roles,
    "permissions": service_account.permissions,
    "metadata": service_account.metadata.as_object(),
    "deleted_at": service_account.deleted_at.map(|at| timestamp::format(stored_time(at))),
    "version": service_account.version,
}));

versioned!(ServiceAccount of organization_id in OrganizationId:
    name, description, is_active, roles, permissions, metadata, deleted_at
);

/// Not `last_used_at`, which is written in batches.
fn changeable(service_account: &ServiceAccount) -> ActiveModel {
    ActiveModel {
        name: Set(service_account.name.as_str().to_owned()),
        description: Set(service_account.description.as_str().to_owned()),
        is_active: Set(service_account.is_active),
        roles: Set(Texts(service_account.roles.to_vec())),
        permissions: Set(Texts(service_account.permissions.to_vec())),
        metadata: Set((&service_account.metadata).into()),
        deleted_at: Set(service_account.deleted_at),
        version: Set(service_account.version),
        updated_at: Set(service_account.updated_at),
        ..Default::default()
    }
}
