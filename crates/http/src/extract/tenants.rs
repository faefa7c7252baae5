//! Access to the store for requests: only this directory can open a caller's tenant.

use std::sync::Arc;

use charter_domain::audit::AuditContext;
use charter_store::{Scope, Store, TenantReader, TenantWriter};

/// Opens the tenants of callers.
pub struct Tenants(Arc<Store>);

impl Tenants {
    pub const fn new(store: Arc<Store>) -> Self {
        Self(store)
    }

    pub(super) fn reader(&self, of: impl Into<Scope>) -> TenantReader<'_> {
        self.0.within(of)
    }

    pub(super) fn writer(&self, of: impl Into<Scope>, by: AuditContext) -> TenantWriter<'_> {
        self.0.write_within(of, by)
    }
}
