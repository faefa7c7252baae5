//! One tenant's part of the store.

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
