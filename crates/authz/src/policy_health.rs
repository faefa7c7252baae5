//! What is reported of the policies of a folder, besides the policies.

use std::sync::Arc;

use charter_domain::timestamp::Timestamp;

use super::folder::Files;
use super::gate_outcome::{GateOutcome, GateResult};

/// How many refusals are remembered.
pub const MAX_REFUSALS: usize = 50;
/// Characters of a remembered reason.
const MAX_REASON: usize = 300;

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
    /// What was refused since the start, whatever became of it; oldest first, and not more than [`MAX_REFUSALS`].
    pub refusals: Vec<PastRefusal>,
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

    /// Records that a folder is refused. A check of the same folder that says the same is no new refusal.
    pub fn refuse(&mut self, refused: RefusedFolder) {
        let past = PastRefusal::of(&refused);
        let is_known = (self.refusals.last()).is_some_and(|last| last.is_as(&past));
        if !is_known {
            let surplus = (self.refusals.len() + 1).saturating_sub(MAX_REFUSALS);
            self.refusals.drain(..surplus);
            self.refusals.push(past);
        }
        self.refused = Some(refused);
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

/// What is remembered of a folder that was refused.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PastRefusal {
    pub at: Timestamp,
    /// Digest of the whole folder; `None` if it could not be read.
    pub digest: Option<Arc<str>>,
    /// The gates that refused it.
    pub gates: Vec<&'static str>,
    /// The first line of the reason, shortened.
    pub reason: String,
}

impl PastRefusal {
    fn of(refused: &RefusedFolder) -> Self {
        let gates = refused.gates.iter();
        let gates = gates.filter(|gate| gate.result == GateResult::Refused);
        let first = refused.reason.lines().next().unwrap_or_default();
        Self {
            at: refused.since,
            digest: refused.digest.clone(),
            gates: gates.map(|gate| gate.gate).collect(),
            reason: first.chars().take(MAX_REASON).collect(),
        }
    }

    /// Whether it says the same of the same folder.
    fn is_as(&self, other: &Self) -> bool {
        (&self.digest, &self.gates, &self.reason) == (&other.digest, &other.gates, &other.reason)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(digest: &str, reason: &str) -> RefusedFolder {
        RefusedFolder {
            digest: Some(digest.into()),
            reason: reason.to_owned(),
            since: Timestamp::UNIX_EPOCH,
            gates: Vec::new(),
            files: None,
        }
    }

    #[test]
    fn what_was_refused_is_remembered_once_and_not_for_ever() {
        let mut health = PolicyHealth::default();
        for reason in ["one", "one", "another\nand more", "one"] {
            health.refuse(refused("a", reason));
        }
        let reasons: Vec<_> = health.refusals.iter().map(|it| &*it.reason).collect();
        assert_eq!(reasons, ["one", "another", "one"]);
        for number in 0..MAX_REFUSALS {
            health.refuse(refused(&number.to_string(), &"é".repeat(1_000)));
        }
        assert_eq!(health.refusals.len(), MAX_REFUSALS);
        let first = health.refusals.first().expect("some");
        assert_eq!(first.digest.as_deref(), Some("0"));
        assert_eq!(first.reason.chars().count(), MAX_REASON);
    }
}
