//! Table `access_keys`.

use sea_orm::ActiveValue::Set;
use sea_orm::entity::prelude::*;

use super::Texts;
use crate::domain::access_key::{AccessKey, SealedSecret};
use crate::domain::id::{AccessKeyId, OrganizationId, ServiceAccountId};
use crate::domain::ip_allowlist::IpAllowlist;
use crate::domain::text::Description;
use crate::store::Error;

#[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
#[sea_orm(table_name = "access_keys")]
pub(in crate::store) struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub(in crate::store) id: Uuid,
    pub(in crate::store) organization_id: Uuid,
    pub(in crate::store) service_account_id: Uuid,
    pub(in crate::store) access_key: String,
    pub(in crate::store) sealed_secret: Vec<u8>,
    pub(in crate::store) sealing_key_id: String,
    pub(in crate::store) description: String,
    pub(in crate::store) ip_allowlist: Texts,
    pub(in crate::store) expires_at: Option<ChronoDateTimeUtc>,
    pub(in crate::store) rotated_at: Option<ChronoDateTimeUtc>,
    pub(in crate::store) revoked_at: Option<ChronoDateTimeUtc>,
    pub(in crate::store) last_used_at: Option<ChronoDateTimeUtc>,
    pub(in crate::store) created_at: ChronoDateTimeUtc,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub(in crate::store) enum Relation {}

impl ActiveModelBehavior for ActiveModel {}

impl TryFrom<Model> for (AccessKey, SealedSecret) {
    type Error = Error;

    fn try_from(row: Model) -> Result<Self, Error> {
        let key = AccessKey {
            id: AccessKeyId::from_uuid(row.id),
            organization_id: OrganizationId::from_uuid(row.organization_id),
            service_account_id: ServiceAccountId::from_uuid(row.service_account_id),
            access_key: row.access_key,
            description: Description::from_stored(row.description),
            ip_allowlist: IpAllowlist::parse(&row.ip_allowlist.0)
                .map_err(|(_, error)| Error::corrupt("access_keys.ip_allowlist", error))?,
            expires_at: row.expires_at,
            rotated_at: row.rotated_at,
            revoked_at: row.revoked_at,
            last_used_at: row.last_used_at,
            created_at: row.created_at,
        };
        let secret = SealedSecret {
            sealing_key_id: row.sealing_key_id,
            bytes: row.sealed_secret,
        };
        Ok((key, secret))
    }
}

impl TryFrom<Model> for AccessKey {
    type Error = Error;

    fn try_from(row: Model) -> Result<Self, Error> {
        <(Self, SealedSecret)>::try_from(row).map(|(key, _)| key)
    }
}

/// The row of a new key.
pub(in crate::store) fn insertable(key: &AccessKey, secret: SealedSecret) -> ActiveModel {
    ActiveModel {
        id: Set(key.id.uuid()),
        organization_id: Set(key.organization_id.uuid()),
        service_account_id: Set(key.service_account_id.uuid()),
        access_key: Set(key.access_key.clone()),
        sealed_secret: Set(secret.bytes),
        sealing_key_id: Set(secret.sealing_key_id),
        description: Set(key.description.as_str().to_owned()),
        ip_allowlist: Set(Texts(key.ip_allowlist.to_texts())),
        expires_at: Set(key.expires_at),
        rotated_at: Set(key.rotated_at),
        revoked_at: Set(key.revoked_at),
        last_used_at: Set(key.last_used_at),
        created_at: Set(key.created_at),
    }
}

/// The columns that rotation and revocation write.
pub(in crate::store) fn changeable(key: &AccessKey) -> ActiveModel {
    ActiveModel {
        expires_at: Set(key.expires_at),
        rotated_at: Set(key.rotated_at),
        revoked_at: Set(key.revoked_at),
        ..Default::default()
    }
}

/// What revoking several keys at once writes.
pub(in crate::store) fn revoked(at: ChronoDateTimeUtc) -> ActiveModel {
    ActiveModel {
        revoked_at: Set(Some(at)),
        ..Default::default()
    }
}

/// What sealing anew writes.
pub(in crate::store) fn resealed(secret: SealedSecret) -> ActiveModel {
    ActiveModel {
        sealed_secret: Set(secret.bytes),
        sealing_key_id: Set(secret.sealing_key_id),
        ..Default::default()
    }
}
