//! One tenant's part of the store.

use super::contention::OrganizationPermit;
use super::error::Error;
use super::store::Store;
use charter_domain::caller::Scope;

/// Every query it runs carries the organization's id.
#[derive(Debug, Clone, Copy)]
pub struct Tenant<'a> {
    pub(super) store: &'a Store,
    pub(super) scope: Scope,
}

impl Store {
    /// The part of the store that one tenant may see.
    #[must_use]
    pub fn within(&self, scope: Scope) -> Tenant<'_> {
        Tenant { store: self, scope }
    }
}

impl Tenant<'_> {
    /// Waits until few enough lists of this tenant are being read: who asks for a thousand at once
    /// leaves the connections to others.
    ///
    /// # Errors
    ///
    /// [`Error::Unavailable`] if its turn does not come in time.
    pub(super) async fn wait_for_list(&self) -> Result<OrganizationPermit, Error> {
        let organization = self.scope.organization_id();
        self.store
            .lists
            .enter(organization, self.store.wait_timeout)
            .await
    }
}
