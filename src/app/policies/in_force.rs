//! Where the policies of a folder are in force, and what is reported of them.

use std::future::{Future, ready};
use std::sync::Arc;

use charter_authz::custom_domain::CustomDomain;
use charter_authz::policy_health::PolicyHealth;
use charter_authz::snapshot::Snapshot;
use charter_http::state::State;
use charter_store::Store;

use super::folder_reading::FromFolder;
use super::report::warn_of_unknown_names;

/// The built-in policies, or a domain of one's own.
pub(super) trait InForce: Send + Sync + 'static {
    type Loaded: FromFolder;

    /// `None` if the domain was removed.
    fn current(&self) -> Option<Arc<Self::Loaded>>;

    /// Returns the previous policies, which are dropped in the background.
    fn replace(&self, loaded: Self::Loaded) -> Option<Arc<Self::Loaded>>;

    fn health(&self) -> Arc<PolicyHealth>;

    fn report(&self, health: PolicyHealth);

    fn update(&self, change: impl Fn(&mut PolicyHealth));

    /// Warnings of granted names that the policies do not have; `None` if they cannot be read now.
    fn unknown_names(&self) -> impl Future<Output = Option<Vec<String>>> + Send {
        ready(None)
    }
}

pub(super) struct BuiltIn {
    pub(super) state: Arc<State>,
    pub(super) store: Arc<Store>,
}

impl InForce for BuiltIn {
    type Loaded = Snapshot;

    fn current(&self) -> Option<Arc<Snapshot>> {
        Some(self.state.engine.snapshot())
    }

    fn replace(&self, loaded: Snapshot) -> Option<Arc<Snapshot>> {
        Some(self.state.engine.replace(loaded))
    }

    fn health(&self) -> Arc<PolicyHealth> {
        self.state.engine.health()
    }

    fn report(&self, health: PolicyHealth) {
        self.state.engine.report(health);
    }

    fn update(&self, change: impl Fn(&mut PolicyHealth)) {
        self.state.engine.update(change);
    }

    async fn unknown_names(&self) -> Option<Vec<String>> {
        warn_of_unknown_names(&self.store, &self.state.engine.snapshot()).await
    }
}

pub(super) struct OfDomain {
    pub(super) state: Arc<State>,
    pub(super) name: String,
}

impl InForce for OfDomain {
    type Loaded = CustomDomain;

    fn current(&self) -> Option<Arc<CustomDomain>> {
        self.state.domains.get(&self.name)?.in_force
    }

    fn replace(&self, loaded: CustomDomain) -> Option<Arc<CustomDomain>> {
        self.state.domains.replace(&self.name, loaded)
    }

    fn health(&self) -> Arc<PolicyHealth> {
        let found = self.state.domains.get(&self.name);
        found.map(|found| found.health).unwrap_or_default()
    }

    fn report(&self, health: PolicyHealth) {
        self.state.domains.report(&self.name, health);
    }

    fn update(&self, change: impl Fn(&mut PolicyHealth)) {
        self.state.domains.update(&self.name, change);
    }
}
