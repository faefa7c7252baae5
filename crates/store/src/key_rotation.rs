//! Key rotation: a new key replaces the old one, which remains valid during the overlap.

use std::time::Duration;

use super::access_keys::{KeyToMake, NewKey, insert, update};
use super::audit::Action;
use super::entity::stored_time;
use super::{Error, TenantWriter};
use charter_domain::access_key::AccessKey;
use charter_domain::id::{AccessKeyId, ServiceAccountId};
use charter_domain::permission::Permission;
use charter_domain::timestamp::Timestamp;

/// The times of a rotation.
#[derive(Debug, Clone, Copy)]
pub struct RotationTimes {
    /// How long the old key stays valid.
    pub overlap: Duration,
    /// When the new key expires; `None` for the lifetime of the old one again.
    pub expires_at: Option<Option<Timestamp>>,
}

impl TenantWriter<'_> {
    /// Creates a successor of a key. The old key expires at the earlier of the overlap's end and its own expiry. The
    /// new one inherits description and allowlist, and has the expiry of `times`, whatever `new` says. An error of
    /// `check` rolls back.
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
        times: RotationTimes,
        check: impl FnOnce(&KeyToMake<'_>) -> Result<(), E> + Send,
    ) -> Result<AccessKey, E> {
        let (mut write, _) = self.begin().await?;
        let owner = self
            .tenant
            .lock_service_account(&write, service_account)
            .await?;
        let before = self.tenant.lock_key(&write, service_account, id).await?;
        // What was rotated by another replica is rotated, though that one's clock may be ahead.
        let now = before
            .rotated_at
            .map_or(write.at(), |at| at.max(write.at()));
        let expires_at = times
            .expires_at
            .unwrap_or_else(|| before.successor_expiry(now));
        let expires_at = expires_at.map(stored_time);
        let signer = self.tenant.signing_key(&write).await?;
        check(&KeyToMake {
            owner: &owner,
            signer: signer.as_ref(),
            ip_allowlist: &before.ip_allowlist,
            expires_at,
        })?;
        if !before.is_active(now) {
            return Err(Error::KeyNotActive.into());
        }
        self.tenant
            .check_room(&write, service_account, Some(id))
            .await?;
        let after = before.rotated(now, stored_time(now + times.overlap));
        let action = Action::Permission(Permission::RotateKey);
        update(&mut write, action, &before, &after).await?;
        let new = NewKey {
            description: before.description,
            ip_allowlist: before.ip_allowlist,
            expires_at,
            ..new
        };
        let key = insert(&mut write, &owner, new, Permission::RotateKey).await?;
        write.commit().await?;
        Ok(key)
    }
}
