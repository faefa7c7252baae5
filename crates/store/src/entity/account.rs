//! Table `accounts`.

use sea_orm::ActiveValue::Set;
use sea_orm::entity::prelude::*;
use serde_json::json;

use super::StoredObject;
use crate::Error;
use charter_domain::account::Account;
use charter_domain::id::{AccountId, OrganizationId};
use charter_domain::text::Name;

#[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
#[sea_orm(table_name = "accounts")]
pub(crate) struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub(crate) id: Uuid,
    pub(crate) organization_id: Uuid,
    pub(crate) code: String,
    pub(crate) name: String,
    pub(crate) is_default: bool,
    pub(crate) is_active: bool,
    pub(crate) metadata: StoredObject,
    pub(crate) version: i64,
    pub(crate) created_at: ChronoDateTimeUtc,
    pub(crate) updated_at: ChronoDateTimeUtc,
}

without_relations!();

impl TryFrom<Model> for Account {
    type Error = Error;

    fn try_from(row: Model) -> Result<Self, Error> {
        Ok(Self {
            id: AccountId::from_uuid(row.id),
            organization_id: OrganizationId::from_uuid(row.organization_id),
            code: row
                .code
                .parse()
                .map_err(|error| Error::corrupt("accounts.code", error))?,
            name: Name::from_stored(row.name),
            is_default: row.is_default,
            is_active: row.is_active,
            metadata: row.metadata.into(),
            version: row.version,
            created_at: row.created_at,
            updated_at: row.updated_at,
        })
    }
}

impl From<&Account> for ActiveModel {
    fn from(account: &Account) -> Self {
        Self {
            id: Set(account.id.uuid()),
            organization_id: Set(account.organization_id.uuid()),
            code: Set(account.code.as_str().to_owned()),
            is_default: Set(account.is_default),
            created_at: Set(account.created_at),
            ..changeable(account)
        }
    }
}

audited!(Account of organization_id, |account| json!({
    "code": account.code.as_str(),
    "name": account.name.as_str(),
    "is_default": account.is_default,
    "is_active": account.is_active,
    "metadata": account.metadata.as_object(),
    "version": account.version,
}));

versioned!(Account of organization_id in OrganizationId: name, is_active, metadata);

fn changeable(account: &Account) -> ActiveModel {
    ActiveModel {
        name: Set(account.name.as_str().to_owned()),
        is_active: Set(account.is_active),
        metadata: Set((&account.metadata).into()),
        version: Set(account.version),
        updated_at: Set(account.updated_at),
        ..Default::default()
    }
}
