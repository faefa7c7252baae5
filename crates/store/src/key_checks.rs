//! What shows that the service's keys are this database's: a value of each key that was ever in use
//! with it, and, for databases from before these were kept, something that each key has made.

use sea_orm::ActiveValue::Set;
use sea_orm::sea_query::OnConflict;
use sea_orm::{ColumnTrait, EntityTrait, PaginatorTrait, QueryFilter, QueryOrder, QuerySelect};

use super::audit_mac::{ORIGIN, to_mac};
use super::entity::{access_key, audit_event, key_check};
use super::{Error, Store};
use charter_domain::access_key::{AccessKey, SealedSecret};

/// A value that only one key makes, and that tells nothing of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeyCheck {
    /// What the key is for.
    pub purpose: String,
    /// Which key.
    pub key_id: String,
    /// The value.
    pub value: [u8; 32],
}

impl Store {
    /// Of every key that was in use with this database since these are kept.
    ///
    /// # Errors
    ///
    /// Those of the database.
    pub async fn key_checks(&self) -> Result<Vec<KeyCheck>, Error> {
        let rows = key_check::Entity::find().all(&self.reader).await?;
        let checks = rows.into_iter().map(|row| {
            let value = row.value.try_into();
            Ok(KeyCheck {
                purpose: row.purpose,
                key_id: row.key_id,
                value: value.map_err(|_| Error::corrupt("key_checks.value", "not 32 bytes"))?,
            })
        });
        checks.collect()
    }

    /// Remembers keys that are in use from now on.
    ///
    /// # Errors
    ///
    /// Those of the database.
    pub async fn note_keys(&self, checks: Vec<KeyCheck>) -> Result<(), Error> {
        use key_check::Column;
        let rows = checks.into_iter().map(|check| key_check::ActiveModel {
            purpose: Set(check.purpose),
            key_id: Set(check.key_id),
            value: Set(check.value.to_vec()),
        });
        let known = OnConflict::columns([Column::Purpose, Column::KeyId])
            .do_nothing()
            .to_owned();
        key_check::Entity::insert_many(rows)
            .on_conflict(known)
            .try_insert()
            .exec_without_returning(&self.writer)
            .await?;
        Ok(())
    }

    /// Whether any secret was sealed.
    ///
    /// # Errors
    ///
    /// Those of the database.
    pub async fn has_secrets(&self) -> Result<bool, Error> {
        let secrets = access_key::Entity::find().limit(1).count(&self.reader);
        Ok(secrets.await? > 0)
    }

    /// A secret that the sealing key of that id has sealed.
    ///
    /// # Errors
    ///
    /// Those of the database.
    pub async fn sealed_by(&self, key: &str) -> Result<Option<(AccessKey, SealedSecret)>, Error> {
        access_key::Entity::find()
            .filter(access_key::Column::SealingKeyId.eq(key))
            .order_by_desc(access_key::Column::Id)
            .one(&self.reader)
            .await?
            .map(<(AccessKey, SealedSecret)>::try_from)
            .transpose()
    }

    /// Whether any audit event was written.
    ///
    /// # Errors
    ///
    /// Those of the database.
    pub async fn has_audit_events(&self) -> Result<bool, Error> {
        let events = audit_event::Entity::find().limit(1).count(&self.reader);
        Ok(events.await? > 0)
    }

    /// Whether an audit event of the key of that id is what the configured one makes; `None` if there
    /// is no such event or no such key.
    ///
    /// # Errors
    ///
    /// Those of the database.
    pub async fn audit_key_fits(&self, key: &str) -> Result<Option<bool>, Error> {
        use audit_event::Column;
        let event = audit_event::Entity::find()
            .filter(Column::KeyId.eq(key))
            .one(&self.reader)
            .await?;
        let Some(event) = event else {
            return Ok(None);
        };
        let before = audit_event::Entity::find()
            .filter(Column::OrganizationId.eq(event.organization_id))
            .filter(Column::Sequence.eq(event.sequence.saturating_sub(1)))
            .one(&self.reader)
            .await?;
        let previous = match before {
            Some(before) => to_mac(&before.mac)?,
            None => ORIGIN,
        };
        let expected = self.audit.recompute(&previous, &event)?;
        Ok(expected.map(|expected| event.mac == expected))
    }
}
