//! What a candidate is checked for, and against what.

use std::path::PathBuf;
use std::time::Duration;

use charter_authz::folder::Files;
use serde::{Deserialize, Serialize};

/// A gate that may be demanded.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Demand {
    /// What is not passed is refused; what cannot be run, too.
    Must,
    /// Run if this machine can; told if it cannot.
    IfPossible,
    /// Not run.
    No,
}

/// Which candidate to check, and against what.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct CheckRequest {
    /// Where the candidate was read, for reports.
    pub dir: PathBuf,
    /// The candidate.
    pub candidate: Files,
    /// What is in force; `None` at start.
    pub live: Option<Files>,
    /// What was in force at start, or was approved since: its invariants count, too.
    pub baseline: Option<Files>,
    /// Whether the examples are run.
    pub tests: Demand,
    /// The least share of policies that some example must exercise, in percent.
    pub min_coverage: u8,
    /// Whether the invariants are proved.
    pub proofs: Demand,
    /// The solver, where it is not on the path.
    pub solver: Option<PathBuf>,
    /// Where proofs are remembered.
    pub proofs_kept: Option<Kept>,
    /// Whether a candidate that allows more needs an approval.
    pub hold_widening: bool,
    /// Whether this very folder was taken as an emergency stop before.
    pub is_stop: bool,
    /// Time for proofs and comparison, each.
    pub time: Duration,
}

/// Where proofs are remembered, and the key that vouches for them.
#[derive(Clone, Serialize, Deserialize)]
pub struct Kept {
    /// The directory.
    pub dir: PathBuf,
    /// The key.
    pub key: [u8; 32],
    /// Whether they are only looked up, and nothing is added.
    pub read_only: bool,
}

impl std::fmt::Debug for Kept {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Kept")
            .field("dir", &self.dir)
            .finish_non_exhaustive()
    }
}
