//! The policy domains of other services that are in force.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use parking_lot::RwLock;

use charter_authz::custom_domain::CustomDomain;
use charter_authz::policy_health::{PolicyHealth, RefusedFolder};

#[derive(Debug, Default)]
pub struct Domains(RwLock<BTreeMap<String, DomainState>>);

/// A folder below `domains/`.
#[derive(Debug, Clone, Default)]
pub struct DomainState {
    /// `None` if no version of it could be loaded.
    pub in_force: Option<Arc<CustomDomain>>,
    /// The same as of the built-in policies; nothing is said of a shadow.
    pub health: Arc<PolicyHealth>,
}

impl Domains {
    #[must_use]
    pub fn get(&self, name: &str) -> Option<DomainState> {
        self.0.read().get(name).cloned()
    }

    #[must_use]
    pub fn all(&self) -> BTreeMap<String, DomainState> {
        self.0.read().clone()
    }

    /// Puts a version in force for new requests.
    pub fn take(&self, name: &str, domain: CustomDomain, mut health: PolicyHealth) {
        let mut domains = self.0.write();
        if let Some(before) = domains.get(name) {
            let newer = std::mem::take(&mut health.refusals);
            health.refusals.clone_from(&before.health.refusals);
            health.refusals.extend(newer);
        }
        let state = DomainState {
            in_force: Some(Arc::new(domain)),
            health: Arc::new(health),
        };
        domains.insert(name.to_owned(), state);
    }

    /// Replaces the version in force and returns it; what is reported stays.
    pub fn replace(&self, name: &str, domain: CustomDomain) -> Option<Arc<CustomDomain>> {
        let mut domains = self.0.write();
        let state = domains.get_mut(name)?;
        state.in_force.replace(Arc::new(domain))
    }

    /// Replaces what is reported of a domain.
    pub fn report(&self, name: &str, health: PolicyHealth) {
        self.update(name, |reported| *reported = health);
    }

    /// Keeps the version in force and records why the new one was refused.
    pub fn refuse(&self, name: &str, refused: RefusedFolder) {
        let mut domains = self.0.write();
        let state = domains.entry(name.to_owned()).or_default();
        Arc::make_mut(&mut state.health).refuse(refused);
    }

    /// Changes what is reported of a domain.
    pub fn update(&self, name: &str, change: impl FnOnce(&mut PolicyHealth)) {
        if let Some(state) = self.0.write().get_mut(name) {
            change(Arc::make_mut(&mut state.health));
        }
    }

    /// Removes all others.
    pub fn keep_only(&self, names: &BTreeSet<String>) {
        self.0.write().retain(|name, _| names.contains(name));
    }
}
