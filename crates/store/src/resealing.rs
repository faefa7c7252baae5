//! Reseals secrets under a new key-encryption key while the service runs. For operators.

use sea_orm::{ColumnTrait, EntityTrait, QueryFilter, QueryOrder, QuerySelect};

use super::entity::{MaybeReadable, access_key};
use super::{Error, Store};
use charter_domain::access_key::{AccessKey, SealedSecret};
use charter_domain::id::AccessKeyId;

impl Store {
    /// Keys of all tenants whose secrets are not sealed under `current`, by id, at most `limit`. Includes revoked
    /// keys, because their secrets are kept.
    pub async fn list_keys_to_reseal(
        &self,
        current: &str,
        limit: u64,
    ) -> Result<Vec<(AccessKey, SealedSecret)>, Error> {
        let rows = access_key::Entity::find()
            .filter(access_key::Column::SealingKeyId.ne(current))
            .order_by_asc(access_key::Column::Id)
            .limit(limit)
            .into_model::<MaybeReadable<access_key::Model>>()
            .all(&self.reader)
            .await?;
        let read = |MaybeReadable { id, row }: MaybeReadable<access_key::Model>| {
            row.and_then(<(AccessKey, SealedSecret)>::try_from)
                .inspect_err(|error| {
                    tracing::error!(key = %id, %error, "a key cannot be read, so it is not resealed");
                })
                .ok()
        };
        Ok(rows.into_iter().filter_map(read).collect())
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
