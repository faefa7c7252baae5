//! Holds the snapshot in force.

use std::sync::Arc;

use arc_swap::ArcSwap;

use charter_domain::caller::Caller;
use charter_domain::timestamp::Timestamp;

use super::folder::Files;
use super::gate_outcome::GateOutcome;
use super::principal::Principal;
use super::principal_cache::PrincipalCache;
use super::snapshot::Snapshot;

/// State of the policies besides the snapshot in force, as readiness reports it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct PolicyHealth {
    /// Digest of the whole folder in force, invariants and examples included.
    pub whole_digest: Option<Arc<str>>,
    /// Since when it is in force.
    pub since: Option<Timestamp>,
    /// Checks that the policies in force do not pass: emergency stops take effect before their
    /// checks.
    pub failed_checks: Vec<String>,
    /// Why the shadow folder cannot be used.
    pub shadow: Option<String>,
    /// The shadow folder in use.
    pub shadow_in_use: Option<ShadowInUse>,
    /// A newer folder that was refused.
    pub refused: Option<RefusedFolder>,
    /// One paragraph each.
    pub warnings: Vec<String>,
    /// Checks that could not run on this machine, with the reason.
    pub not_run: Vec<String>,
    /// What each gate found in the folder in force; empty until they have run.
    pub gates: Vec<GateOutcome>,
    /// The files of the folder in force.
    pub files: Arc<Files>,
}

impl PolicyHealth {
    /// Whether an operator should act.
    #[must_use]
    pub const fn is_degraded(&self) -> bool {
        self.refused.is_some() || !self.failed_checks.is_empty() || self.shadow.is_some()
    }
}

/// A folder that was refused.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RefusedFolder {
    /// Digest of the whole folder; `None` if it could not be read.
    pub digest: Option<Arc<str>>,
    /// What is wrong and what to do.
    pub reason: String,
    pub since: Timestamp,
    /// What each gate found.
    pub gates: Vec<GateOutcome>,
    /// `None` if it could not be read.
    pub files: Option<Arc<Files>>,
}

/// The shadow folder in use.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ShadowInUse {
    /// Digest of the whole folder.
    pub whole_digest: Arc<str>,
    pub since: Timestamp,
    pub files: Arc<Files>,
}

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
