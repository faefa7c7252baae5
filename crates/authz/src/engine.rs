//! Holds the snapshot that is in force.

use std::sync::Arc;

use arc_swap::ArcSwap;

use charter_domain::caller::Caller;
use charter_domain::timestamp::Timestamp;

use super::principal::Principal;
use super::principals::Principals;
use super::snapshot::Snapshot;

/// How it stands with the policies, beside what is in force.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Health {
    /// Of the whole folder that is in force, invariants and examples included.
    pub whole_digest: Option<Arc<str>>,
    /// Since when.
    pub since: Option<Timestamp>,
    /// What is in force and does not pass these checks: an emergency stop, which is taken first.
    pub failed_checks: Vec<String>,
    /// Why the folder that is asked beside it cannot be used as it is now.
    pub shadow: Option<String>,
    /// A newer folder that was not taken; the older one serves.
    pub refused: Option<Refused>,
    /// What should be looked at, one paragraph each.
    pub warnings: Vec<String>,
    /// Checks that this machine could not run, and why.
    pub not_run: Vec<String>,
}

impl Health {
    /// Whether somebody should look at the policies.
    #[must_use]
    pub const fn is_degraded(&self) -> bool {
        self.refused.is_some() || !self.failed_checks.is_empty() || self.shadow.is_some()
    }
}

/// A folder that was not taken.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refused {
    /// Its digest with invariants and examples; `None` if it could not be read.
    pub digest: Option<Arc<str>>,
    /// The report: what is wrong and what to do.
    pub reason: String,
    /// Since when.
    pub since: Timestamp,
}

/// Gives each request the snapshot it keeps from its start to its end.
#[derive(Debug)]
pub struct Engine {
    current: ArcSwap<Snapshot>,
    health: ArcSwap<Health>,
    principals: Principals,
}

impl Engine {
    /// An engine that answers by this snapshot.
    #[must_use]
    pub fn new(snapshot: Snapshot) -> Self {
        Self {
            current: ArcSwap::from_pointee(snapshot),
            health: ArcSwap::default(),
            principals: Principals::default(),
        }
    }

    /// The snapshot in force now. Take it once for each request: two questions of one request must
    /// not be answered by two policy sets.
    #[must_use]
    pub fn snapshot(&self) -> Arc<Snapshot> {
        self.current.load_full()
    }

    /// A caller, prepared for the questions of one request.
    #[must_use]
    pub fn prepare(&self, caller: &Caller, snapshot: &Snapshot) -> Arc<Principal> {
        self.principals.get(caller, snapshot)
    }

    /// Puts another snapshot in force, for requests that start from now on. The earlier one comes
    /// back, to be dropped where nobody waits for it.
    pub fn replace(&self, snapshot: Snapshot) -> Arc<Snapshot> {
        self.current.swap(Arc::new(snapshot))
    }

    /// How it stands with the policies.
    #[must_use]
    pub fn health(&self) -> Arc<Health> {
        self.health.load_full()
    }

    /// Notes what has changed.
    pub fn update(&self, change: impl Fn(&mut Health)) {
        let mut health = (*self.health.load_full()).clone();
        change(&mut health);
        self.report(health);
    }

    /// Notes how it stands.
    pub fn report(&self, health: Health) {
        metrics::gauge!("charter_policies_degraded").set(f64::from(u8::from(health.is_degraded())));
        metrics::gauge!("charter_policies_warnings")
            .set(u32::try_from(health.warnings.len()).map_or(f64::INFINITY, f64::from));
        self.health.store(Arc::new(health));
    }
}
