//! A folder that is put in force, or why it is not.

use std::sync::Arc;

use charter_authz::folder::Folder;
use charter_authz::gate_outcome::GateOutcome;
use charter_authz::policy_health::{PolicyHealth, RefusedFolder};
use charter_authz::snapshot::Snapshot;
use charter_domain::timestamp::Timestamp;
use charter_store::NewPolicyRevision;

use super::folder_reading::CheckInput;
use super::report::shortened;

/// Policies to put in force.
pub(in crate::app) struct Started<L = Snapshot> {
    pub(in crate::app) loaded: L,
    pub(in crate::app) health: PolicyHealth,
    pub(in crate::app) taken: TakenFolder,
}

/// The folder that was put in force at start.
pub(in crate::app) struct TakenFolder {
    pub(super) folder: Folder,
    /// Whether the invariants were proved.
    pub(super) proved: bool,
    /// Whether every gate has run.
    pub(super) is_checked: bool,
    /// The folder is refused for now, since its check did not finish.
    pub(super) is_unfinished: bool,
    /// Inputs of the check; `None` if the folder could not be read.
    pub(super) last_checked: Option<CheckInput>,
    /// The revision to record, if it was not in force before.
    pub(super) new: Option<NewPolicyRevision>,
}

/// Why the folder is refused.
pub(super) struct UnfitFolder {
    pub(super) digest: Option<Arc<str>>,
    pub(super) reason: String,
    pub(super) gates: Vec<GateOutcome>,
    pub(super) last_checked: Option<CheckInput>,
    /// The check did not finish.
    pub(super) is_unfinished: bool,
}

impl UnfitFolder {
    pub(super) fn refused_at(self, now: Timestamp) -> RefusedFolder {
        let read = self.last_checked.and_then(|input| input.read.ok());
        RefusedFolder {
            digest: self.digest,
            reason: shortened(self.reason),
            since: now,
            gates: self.gates,
            files: read.map(Arc::new),
        }
    }
}
