//! The domains of one's own that are in force, each by itself.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use parking_lot::RwLock;

use charter_authz::own_domain::OwnDomain;

/// The domains by name.
#[derive(Debug, Default)]
pub struct Domains(RwLock<BTreeMap<String, DomainState>>);

/// A folder below `domains/`.
#[derive(Debug, Clone, Default)]
pub struct DomainState {
    /// `None` if no version of it could be loaded.
    pub in_force: Option<Arc<OwnDomain>>,
    /// Why the folder as it is now was not taken.
    pub refused: Option<String>,
}

impl Domains {
    #[must_use]
    pub fn get(&self, name: &str) -> Option<DomainState> {
        self.0.read().get(name).cloned()
    }

    /// All of them, by name.
    #[must_use]
    pub fn all(&self) -> BTreeMap<String, DomainState> {
        self.0.read().clone()
    }

    /// Puts a version in force for requests that start from now on.
    pub fn take(&self, name: &str, domain: OwnDomain) {
        let state = DomainState {
            in_force: Some(Arc::new(domain)),
            refused: None,
        };
        self.0.write().insert(name.to_owned(), state);
    }

    /// Keeps what is in force and notes why a newer version is not.
    pub fn refuse(&self, name: &str, reason: String) {
        self.0.write().entry(name.to_owned()).or_default().refused = Some(reason);
    }

    /// Drops all others.
    pub fn keep_only(&self, names: &BTreeSet<String>) {
        self.0.write().retain(|name, _| names.contains(name));
    }
}
