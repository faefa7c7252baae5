//! Holds the snapshot in force.

use std::sync::Arc;

use arc_swap::ArcSwap;

use charter_domain::caller::Caller;

use super::policy_health::PolicyHealth;
use super::principal::Principal;
use super::principal_cache::PrincipalCache;
use super::snapshot::Snapshot;

/// Provides each request with one snapshot for its whole duration.
#[derive(Debug)]
pub struct Engine {
    current: ArcSwap<Snapshot>,
    health: ArcSwap<PolicyHealth>,
    principals: PrincipalCache,
}

impl Engine {
    /// `memory`: about how many bytes prepared principals may take.
    #[must_use]
    pub fn new(snapshot: Snapshot, memory: u64) -> Self {
        Self {
            current: ArcSwap::from_pointee(snapshot),
            health: ArcSwap::default(),
            principals: PrincipalCache::new(memory),
        }
    }

    /// The snapshot in force. Load it once per request: all questions of a request must be decided
    /// by the same policies.
    #[must_use]
    pub fn snapshot(&self) -> Arc<Snapshot> {
        self.current.load_full()
    }

    /// Prepares a caller for the questions of one request.
    #[must_use]
    pub fn prepare(&self, caller: &Caller, snapshot: &Snapshot) -> Arc<Principal> {
        self.principals.get(caller, snapshot)
    }

    /// Puts a snapshot in force for requests that start from now on. Returns the previous one, so
    /// that the caller can drop it in the background.
    pub fn replace(&self, snapshot: Snapshot) -> Arc<Snapshot> {
        self.current.swap(Arc::new(snapshot))
    }

    #[must_use]
    pub fn health(&self) -> Arc<PolicyHealth> {
        self.health.load_full()
    }

    /// Changes the reported state.
    pub fn update(&self, change: impl Fn(&mut PolicyHealth)) {
        let mut health = (*self.health.load_full()).clone();
        change(&mut health);
        self.report(health);
    }

    /// Replaces the reported state.
    pub fn report(&self, health: PolicyHealth) {
        metrics::gauge!("charter_policies_degraded").set(f64::from(u8::from(health.is_degraded())));
        metrics::gauge!("charter_policies_warnings")
            .set(u32::try_from(health.warnings.len()).map_or(f64::INFINITY, f64::from));
        self.health.store(Arc::new(health));
    }
}
