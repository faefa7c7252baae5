//! Revokes a key whose secret somebody has shown.

use std::time::Duration;

use sea_orm::{ColumnTrait, QueryFilter};

use super::access_keys::update;
use super::audit::Action;
use super::credentials::Credential;
use super::entity::access_key;
use super::lookup::lock;
use super::{Error, Scope, Store};
use charter_domain::access_key::AccessKey;
use charter_domain::audit::AuditContext;

const ACTION: Action = Action::User("ReportLeakedKey");

/// For its turn among the organization's removals. Longer than each of them waits, so that however many there are, its
/// turn comes.
const WAIT_TIMEOUT: Duration = Duration::from_mins(1);

impl Store {
    /// Revokes that key permanently, whatever the state of its service account, account and organization. Does
    /// nothing if it is revoked already.
    ///
    /// # Errors
    ///
    /// [`Error::NotFound`] if it is gone.
    pub async fn revoke_leaked_key(
        &self,
        credential: &Credential,
        by: &AuditContext,
    ) -> Result<(), Error> {
        let organization = credential.caller.organization().id;
        let (mut write, _) = self.begin_removal(organization, by, WAIT_TIMEOUT).await?;
        let keys = self.within(Scope::of(organization)).keys_of_all();
        let key = keys.filter(access_key::Column::Id.eq(credential.access_key.id.uuid()));
        let before: AccessKey = lock(key, &write.transaction).await?;
        if before.revoked_at.is_some() {
            return write.confirm().await;
        }
        let after = AccessKey {
            revoked_at: Some(write.at()),
            ..before.clone()
        };
        update(&mut write, ACTION, &before, &after).await?;
        write.commit().await
    }
}
