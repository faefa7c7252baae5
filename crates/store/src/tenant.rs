//! Access to one tenant: a reader for queries, a writer for changes.

use super::contention::OrganizationPermit;
use super::error::Error;
use super::store::Store;
use charter_domain::audit::AuditContext;
use charter_domain::caller::{Caller, UserCaller};
use charter_domain::id::OrganizationId;

/// A tenant. Only the store creates one: for a caller, or for what an operator names (`Store::locate`).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Scope(OrganizationId);

impl Scope {
    pub(super) const fn of(organization: OrganizationId) -> Self {
        Self(organization)
    }

    pub const fn organization_id(self) -> OrganizationId {
        self.0
    }
}

impl From<&Caller> for Scope {
    fn from(caller: &Caller) -> Self {
        Self(caller.organization().id)
    }
}

impl From<&UserCaller> for Scope {
    fn from(caller: &UserCaller) -> Self {
        Self(caller.organization().id)
    }
}

/// Queries within one organization: all filter by its id.
#[derive(Debug, Clone, Copy)]
pub struct TenantReader<'a> {
    pub(super) store: &'a Store,
    pub(super) scope: Scope,
}

/// Changes within one organization, with their audit events. Handlers get it from `http`, which runs writes
/// detached from the request.
#[derive(Debug)]
pub struct TenantWriter<'a> {
    pub(super) tenant: TenantReader<'a>,
    pub(super) by: AuditContext,
    pub(super) only_removes: bool,
}

impl Store {
    pub fn within(&self, scope: impl Into<Scope>) -> TenantReader<'_> {
        TenantReader {
            store: self,
            scope: scope.into(),
        }
    }

    /// Changes are audited as made by `by` at `by.at`.
    pub fn write_within(&self, scope: impl Into<Scope>, by: AuditContext) -> TenantWriter<'_> {
        TenantWriter {
            tenant: self.within(scope),
            by,
            only_removes: false,
        }
    }
}

impl TenantWriter<'_> {
    /// Whether its changes only take something away: they have no budget and pass ahead of the organization's others.
    #[must_use]
    pub fn only_removing(self, only_removes: bool) -> Self {
        Self {
            only_removes,
            ..self
        }
    }
}

impl TenantReader<'_> {
    /// Waits while too many lists of this tenant are being read, so that others get connections.
    ///
    /// # Errors
    ///
    /// [`Error::Unavailable`] on a timeout.
    pub(super) async fn wait_for_list(&self) -> Result<OrganizationPermit, Error> {
        let organization = self.scope.organization_id();
        self.store
            .lists
            .enter(organization, self.store.wait_timeout)
            .await
    }
}
