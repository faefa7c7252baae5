//! Shows whether the configured keys belong to this database: by a value of each key that was in use, or, for
//! databases older than these values, by data that a key has made.

use std::collections::BTreeMap;

use sea_orm::ActiveValue::Set;
use sea_orm::prelude::Uuid;
use sea_orm::sea_query::OnConflict;
use sea_orm::{
    ColumnTrait, Condition, ConnectionTrait as _, EntityTrait, PaginatorTrait, QueryFilter,
    QueryOrder, QuerySelect, Select,
};

use super::access_keys::is_active;
use super::audit_mac::ORIGIN;
use super::audit_rows::{EventRow, representable};
use super::entity::{access_key, audit_event, job, key_check, stored_time};
use super::{Error, Store};
use charter_domain::access_key::SealedSecret;
use charter_domain::id::{AccessKeyId, OrganizationId};

/// A value that only one key produces, and that reveals nothing of the key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeyCheck {
    pub purpose: String,
    pub key_id: String,
    pub value: [u8; 32],
}

/// How much a sealing key has sealed.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct SealedCount {
    pub access_keys: i64,
    pub mails: i64,
}

impl Store {
    /// The values of all keys in use since they are recorded.
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

    /// Records keys that are now in use.
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

    pub async fn has_secrets(&self) -> Result<bool, Error> {
        let secrets = access_key::Entity::find().limit(1).count(&self.reader);
        Ok(secrets.await? > 0)
    }

    /// A secret that this sealing key has sealed, and the key and organization that it is bound to. Reads nothing
    /// else of the row, because one tenant's corrupt row must not keep the service from starting.
    pub async fn sealed_by(
        &self,
        key: &str,
    ) -> Result<Option<(AccessKeyId, OrganizationId, SealedSecret)>, Error> {
        use access_key::Column;
        let row: Option<(Uuid, Uuid, Vec<u8>)> = access_key::Entity::find()
            .select_only()
            .columns([Column::Id, Column::OrganizationId, Column::SealedSecret])
            .filter(Column::SealingKeyId.eq(key))
            .order_by_desc(Column::Id)
            .into_tuple()
            .one(&self.reader)
            .await?;
        Ok(row.map(|(id, organization, bytes)| {
            let secret = SealedSecret {
                sealing_key_id: key.to_owned(),
                bytes,
            };
            let organization = OrganizationId::from_uuid(organization);
            (AccessKeyId::from_uuid(id), organization, secret)
        }))
    }

    /// What other sealing keys than these have sealed and is still needed, by the key's id: active access keys and
    /// queued mails.
    pub async fn sealed_by_others(
        &self,
        keys: &[String],
    ) -> Result<BTreeMap<String, SealedCount>, Error> {
        let now = self.clock.now();
        let sealed_by = access_key::Column::SealingKeyId;
        let others = self.others::<access_key::Entity>(sealed_by, keys).await?;
        let access_keys = access_key::Entity::find().filter(is_active(now));
        let access_keys = self.count_by(access_keys, sealed_by, others).await?;
        let sealed_by = job::Column::SealingKeyId;
        let others = self.others::<job::Entity>(sealed_by, keys).await?;
        let mails = job::Entity::find().filter(job::Column::ExpiresAt.gt(stored_time(now)));
        let mails = self.count_by(mails, sealed_by, others).await?;
        let mut found = BTreeMap::<String, SealedCount>::new();
        for (key, count) in access_keys {
            found.entry(key).or_default().access_keys = count;
        }
        for (key, count) in mails {
            found.entry(key).or_default().mails = count;
        }
        Ok(found)
    }

    /// The values of an indexed column but these. They are few, and found one by one, whatever the number of rows.
    async fn others<E: EntityTrait>(
        &self,
        column: E::Column,
        known: &[String],
    ) -> Result<Vec<String>, Error> {
        let (mut others, mut last) = (Vec::new(), None::<String>);
        loop {
            let next = E::find()
                .select_only()
                .column_as(column.min(), "next")
                .filter(Condition::all().add_option(last.map(|last| column.gt(last))));
            let next: Vec<Option<String>> = next.into_tuple().all(&self.reader).await?;
            let Some(next) = next.into_iter().next().flatten() else {
                return Ok(others);
            };
            if !known.contains(&next) {
                others.push(next.clone());
            }
            last = Some(next);
        }
    }

    /// The number of rows with each of these values.
    async fn count_by<E: EntityTrait>(
        &self,
        rows: Select<E>,
        column: E::Column,
        values: Vec<String>,
    ) -> Result<Vec<(String, i64)>, Error> {
        if values.is_empty() {
            return Ok(Vec::new());
        }
        let counted = rows
            .select_only()
            .column(column)
            .column_as(column.count(), "sealed")
            .filter(column.is_in(values))
            .group_by(column);
        Ok(counted.into_tuple().all(&self.reader).await?)
    }

    pub async fn has_audit_events(&self) -> Result<bool, Error> {
        let events = audit_event::Entity::find().limit(1).count(&self.reader);
        Ok(events.await? > 0)
    }

    /// Whether an audit event under this key id verifies with the configured key; `None` if there is no such event
    /// or key.
    pub async fn audit_key_fits(&self, key: &str) -> Result<Option<bool>, Error> {
        use audit_event::Column;
        // One that cannot be read must not keep the service from starting.
        let backend = self.reader.get_database_backend();
        let events = audit_event::Entity::find().filter(Column::KeyId.eq(key));
        let events = representable(events, backend)
            .limit(100)
            .into_model::<EventRow<audit_event::Model>>()
            .all(&self.reader)
            .await?;
        let Some(event) = events.into_iter().find_map(|row| row.event.ok()) else {
            return Ok(None);
        };
        let before = audit_event::Entity::find()
            .filter(Column::OrganizationId.eq(event.organization_id))
            .filter(Column::Sequence.eq(event.sequence.saturating_sub(1)));
        let before = representable(before, backend)
            .into_model::<EventRow<audit_event::Model>>()
            .one(&self.reader)
            .await?;
        let Some(previous) = before.map_or(Some(ORIGIN), |before| before.mac) else {
            return Ok(None);
        };
        let expected = self.audit.recompute(&previous, &event)?;
        Ok(expected.map(|expected| event.mac == expected))
    }
}
