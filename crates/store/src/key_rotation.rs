//! Key rotation: a new key replaces the old one, which remains valid during the overlap.

use super::access_keys::{KeyToMake, NewKey, insert, update};
use super::audit::Action;
use super::entity::stored_time;
use super::{Error, TenantWriter};
use charter_domain::access_key::AccessKey;
use charter_domain::id::{AccessKeyId, ServiceAccountId};
use charter_domain::permission::Permission;
use charter_domain::timestamp::Timestamp;

impl TenantWriter<'_> {
    /// Creates a successor of a key. The old key expires at the earlier of `overlap_until` and its own expiry. The
    /// new one inherits description and allowlist, whatever `new` says. An error of `check` rolls back.
    ///
    /// # Errors
    ///
    /// [`Error::NotFound`]; [`Error::KeyNotActive`] if the old key is revoked or expired; [`Error::TooManyKeys`]
    /// if it is in overlap already and the limit is reached; [`Error::OrganizationInactive`].
    pub async fn rotate_key<E: From<Error>>(
        &self,
        service_account: ServiceAccountId,
        id: AccessKeyId,
        new: NewKey,
        overlap_until: Timestamp,
        check: impl FnOnce(&KeyToMake<'_>) -> Result<(), E> + Send,
    ) -> Result<AccessKey, E> {
        let (mut write, _) = self.begin().await?;
        let owner = self
            .tenant
            .lock_service_account(&write, service_account)
            .await?;
        let before = self.tenant.lock_key(&write, service_account, id).await?;
        let signer = self.tenant.signing_key(&write).await?;
        check(&KeyToMake {
            owner: &owner,
            signer: signer.as_ref(),
            ip_allowlist: &before.ip_allowlist,
            expires_at: new.expires_at.map(stored_time),
        })?;
        if !before.is_active(write.at()) {
            return Err(Error::KeyNotActive.into());
        }
        self.tenant
            .check_room(&write, service_account, Some(id))
            .await?;
        let overlap_until = stored_time(overlap_until);
        let after = AccessKey {
            expires_at: Some(
                before
                    .expires_at
                    .map_or(overlap_until, |expires_at| expires_at.min(overlap_until)),
            ),
            rotated_at: before.rotated_at.or(Some(write.at())),
            ..before.clone()
        };
        let action = Action::Permission(Permission::RotateKey);
        update(&mut write, action, &before, &after).await?;
        let new = NewKey {
            description: before.description,
            ip_allowlist: before.ip_allowlist,
            ..new
        };
        let key = insert(&mut write, &owner, new, Permission::RotateKey).await?;
        write.commit().await?;
        Ok(key)
    }
}
