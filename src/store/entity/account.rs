//! Table `accounts`.

use sea_orm::ActiveValue::Set;
use sea_orm::entity::prelude::*;

use super::StoredObject;
use crate::domain::account::Account;
use crate::domain::id::{AccountId, OrganizationId};
use crate::domain::text::Name;
use crate::store::Error;

#[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
#[sea_orm(table_name = "accounts")]
pub(in crate::store) struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub(in crate::store) id: Uuid,
    pub(in crate::store) organization_id: Uuid,
    pub(in crate::store) code: String,
    pub(in crate::store) name: String,
    pub(in crate::store) is_default: bool,
    pub(in crate::store) is_active: bool,
    pub(in crate::store) metadata: StoredObject,
    pub(in crate::store) version: i64,
    pub(in crate::store) created_at: ChronoDateTimeUtc,
    pub(in crate::store) updated_at: ChronoDateTimeUtc,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub(in crate::store) enum Relation {}

impl ActiveModelBehavior for ActiveModel {}

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

/// The columns that an update writes.
pub(in crate::store) fn changeable(account: &Account) -> ActiveModel {
    ActiveModel {
        name: Set(account.name.as_str().to_owned()),
        is_active: Set(account.is_active),
        metadata: Set((&account.metadata).into()),
        version: Set(account.version),
        updated_at: Set(account.updated_at),
        ..Default::default()
    }
}
