//! Table `access_keys`.

use sea_orm::ActiveValue::Set;
use sea_orm::entity::prelude::*;
use serde_json::json;

use super::Texts;
use crate::Error;
use charter_domain::access_key::{AccessKey, SealedSecret};
use charter_domain::id::{AccessKeyId, OrganizationId, ServiceAccountId};
use charter_domain::ip_allowlist::IpAllowlist;
use charter_domain::text::Description;
use charter_domain::timestamp::{self, Timestamp};

#[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
#[sea_orm(table_name = "access_keys")]
pub(crate) struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub(crate) id: Uuid,
    pub(crate) organization_id: Uuid,
    pub(crate) service_account_id: Uuid,
    pub(crate) access_key: String,
    pub(crate) sealed_secret: Vec<u8>,
    pub(crate) sealing_key_id: String,
    pub(crate) description: String,
    pub(crate) ip_allowlist: Texts,
    pub(crate) expires_at: Option<ChronoDateTimeUtc>,
    pub(crate) rotated_at: Option<ChronoDateTimeUtc>,
    pub(crate) revoked_at: Option<ChronoDateTimeUtc>,
    pub(crate) last_used_at: Option<ChronoDateTimeUtc>,
    pub(crate) created_at: ChronoDateTimeUtc,
    pub(crate) expiry_before_rotation: Option<ChronoDateTimeUtc>,
}

without_relations!();

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
            expiry_before_rotation: row.expiry_before_rotation,
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

audited!(AccessKey of organization_id, |key| {
let time = |at: Option<Timestamp>| at.map(timestamp::format);
        json!({
            "service_account_id": key.service_account_id.to_string(),
            "access_key": key.access_key,
            "description": key.description.as_str(),
            "ip_allowlist": key.ip_allowlist.to_texts(),
            "expires_at": time(key.expires_at),
            "rotated_at": time(key.rotated_at),
            "revoked_at": time(key.revoked_at),
        })
});

pub(crate) fn insertable(key: &AccessKey, secret: SealedSecret) -> ActiveModel {
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
        expiry_before_rotation: Set(key.expiry_before_rotation),
        revoked_at: Set(key.revoked_at),
        last_used_at: Set(key.last_used_at),
        created_at: Set(key.created_at),
    }
}

/// The columns that rotation and revocation write.
pub(crate) fn changeable(key: &AccessKey) -> ActiveModel {
    ActiveModel {
        expires_at: Set(key.expires_at),
        rotated_at: Set(key.rotated_at),
        expiry_before_rotation: Set(key.expiry_before_rotation),
        revoked_at: Set(key.revoked_at),
        ..Default::default()
    }
}

/// The columns that a revocation of several keys writes.
pub(crate) fn revoked(at: ChronoDateTimeUtc) -> ActiveModel {
    ActiveModel {
        revoked_at: Set(Some(at)),
        ..Default::default()
    }
}

/// The columns that resealing writes.
pub(crate) fn resealed(secret: SealedSecret) -> ActiveModel {
    ActiveModel {
        sealed_secret: Set(secret.bytes),
        sealing_key_id: Set(secret.sealing_key_id),
        ..Default::default()
    }
}
