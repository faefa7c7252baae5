//! A key as verification needs it.

use std::sync::Arc;

use charter_domain::access_key::AccessKey;
use charter_domain::caller::ServiceAccountCaller;
use charter_domain::id::OrganizationId;
use charter_store::record_cache::Record;

use super::last_used::NotedMinute;

/// A key's row with its secret opened and made ready.
pub(super) struct KnownKey {
    pub(super) caller: Arc<ServiceAccountCaller>,
    pub(super) access_key: AccessKey,
    pub(super) key: signing::Key,
    pub(super) noted: NotedMinute,
}

impl Record for KnownKey {
    fn organization(&self) -> OrganizationId {
        self.caller.organization().id
    }

    fn bytes(&self) -> usize {
        size_of::<Self>() + self.caller.bytes()
    }
}
