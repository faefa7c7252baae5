//! The store's part of readiness.

use std::sync::Arc;

use charter_store::{Error, Store};

pub struct StoreHealth(Arc<Store>);

impl StoreHealth {
    pub const fn new(store: Arc<Store>) -> Self {
        Self(store)
    }

    pub(crate) async fn ping(&self) -> Result<(), Error> {
        self.0.ping().await
    }

    pub(crate) fn fault(&self) -> Option<String> {
        self.0.fault()
    }

    pub(crate) fn audit_heads_fault(&self) -> Option<String> {
        self.0.audit_heads_fault()
    }
}
