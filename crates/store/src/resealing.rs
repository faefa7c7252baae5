//! Reseals secrets under a new key-encryption key while the service runs. For operators.

use sea_orm::{ColumnTrait, Condition, EntityTrait, QueryFilter, QueryOrder, QuerySelect};

use super::entity::{MaybeReadable, access_key};
use super::{Error, Store};
use charter_domain::access_key::{AccessKey, SealedSecret};
use charter_domain::id::AccessKeyId;

impl Store {
    /// Keys of all tenants whose secrets are not sealed under `current`, by id, at most `limit` after `after`, or the
    /// reason why a row cannot be read. Includes revoked keys, because their secrets are kept.
    pub async fn list_keys_to_reseal(
        &self,
        current: &str,
        after: Option<AccessKeyId>,
        limit: u64,
    ) -> Result<Vec<(AccessKeyId, Result<(AccessKey, SealedSecret), Error>)>, Error> {
        let mut others = Condition::all().add(access_key::Column::SealingKeyId.ne(current));
        if let Some(after) = after {
            others = others.add(access_key::Column::Id.gt(after.uuid()));
        }
        let rows = access_key::Entity::find()
            .filter(others)
            .order_by_asc(access_key::Column::Id)
            .limit(limit)
            .into_model::<MaybeReadable<access_key::Model>>()
            .all(&self.reader)
            .await?;
        let read = |MaybeReadable { id, row }: MaybeReadable<access_key::Model>| {
            let read = row.and_then(<(AccessKey, SealedSecret)>::try_from);
            (AccessKeyId::from_uuid(id), read)
        };
        Ok(rows.into_iter().map(read).collect())
    }

    /// Replaces a key's sealed secret. The secret itself is unchanged, so there is no audit event.
    ///
    /// # Errors
    ///
    /// [`Error::Stale`] if the stored form is no longer `before`.
    pub async fn reseal_key(
        &self,
        id: AccessKeyId,
        before: &SealedSecret,
        after: SealedSecret,
    ) -> Result<(), Error> {
        let write = self.writer.begin().await?;
        let updated = access_key::Entity::update_many()
            .set(access_key::resealed(after))
            .filter(access_key::Column::Id.eq(id.uuid()))
            .filter(access_key::Column::SealedSecret.eq(before.bytes.clone()))
            .exec(&write)
            .await?;
        super::write::one_row(updated.rows_affected)?;
        write.commit().await?;
        Ok(())
    }
}
