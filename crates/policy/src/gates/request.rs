//! What is checked, and against what.

use std::path::PathBuf;
use std::time::Duration;

use charter_authz::folder::Files;
use serde::{Deserialize, Serialize};

/// Whether a gate is required.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum GateRequirement {
    /// The gate must run and pass.
    Required,
    /// Run if possible; report if not.
    #[default]
    IfPossible,
    /// Not run.
    Off,
}

/// A candidate, and what to check it against.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct CheckRequest {
    /// Directory that the candidate was read from, for reports.
    pub dir: PathBuf,
    /// The candidate's files.
    pub candidate: Files,
    /// The files in force; `None` at start.
    pub live: Option<Files>,
    /// The files that were in force at start or were approved since: their invariants must hold,
    /// too.
    pub baseline: Option<Files>,
    /// Whether the examples are run.
    pub tests: GateRequirement,
    /// The least coverage of the examples, in percent.
    pub min_coverage: u8,
    /// Whether the invariants are proved.
    pub proofs: GateRequirement,
    /// The solver's program, if it is not on the search path.
    pub solver: Option<PathBuf>,
    /// Where proofs are cached.
    pub proof_cache: Option<ProofCacheConfig>,
    /// Whether a candidate that allows more needs an approval.
    pub hold_widening: bool,
    /// Whether this folder is in force as an emergency stop already.
    pub is_stop: bool,
    /// Time for the whole check.
    pub time: Duration,
}

/// Where proofs are cached, and the key that authenticates them.
#[derive(Clone, Serialize, Deserialize)]
pub struct ProofCacheConfig {
    /// The directory.
    pub dir: PathBuf,
    /// The key.
    pub key: [u8; 32],
    /// Whether the cache is only read.
    pub read_only: bool,
}

impl std::fmt::Debug for ProofCacheConfig {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ProofCacheConfig")
            .field("dir", &self.dir)
            .finish_non_exhaustive()
    }
}
