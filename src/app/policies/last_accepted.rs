//! The policies that were in force last.

use charter_authz::folder::Files;
use charter_domain::timestamp::Timestamp;
use charter_store::{LastRevision, TakenAs};

/// What was in force last.
#[derive(Debug, Clone)]
pub(super) struct LastAccepted {
    /// Sequence number of the revision, to which approvals refer; `None` until it is written.
    pub(super) base: Option<i64>,
    pub(super) what: LastRevisionState,
}

#[derive(Debug, Clone)]
pub(super) enum LastRevisionState {
    /// Nothing: the installation is new.
    None,
    /// The record is missing or not authentic.
    Unknown,
    Revision(AcceptedRevision),
}

/// A revision of the policies that was put in force.
#[derive(Debug, Clone)]
pub(super) struct AcceptedRevision {
    /// Version of its manifest, if any.
    pub(super) version: Option<u64>,
    /// Digest of the whole folder.
    pub(super) digest: String,
    /// Time since which it is in force.
    pub(super) since: Timestamp,
    /// Whether it is an emergency stop, which may fail some gates.
    pub(super) is_stop: bool,
    pub(super) files: Files,
}

impl From<LastRevision> for LastAccepted {
    fn from(last: LastRevision) -> Self {
        Self {
            base: Some(last.sequence()),
            what: match last {
                LastRevision::None => LastRevisionState::None,
                LastRevision::Unknown(_) => LastRevisionState::Unknown,
                LastRevision::Known(revision, files) => {
                    LastRevisionState::Revision(AcceptedRevision {
                        version: revision.manifest_version,
                        digest: revision.whole_digest,
                        since: revision.in_force_from,
                        is_stop: revision.taken_as == TakenAs::Stop,
                        files,
                    })
                }
            },
        }
    }
}

impl LastAccepted {
    /// Where nothing is recorded.
    pub(super) const fn none() -> Self {
        Self {
            base: None,
            what: LastRevisionState::None,
        }
    }

    /// The revision, if it is known.
    pub(super) const fn revision(&self) -> Option<&AcceptedRevision> {
        match &self.what {
            LastRevisionState::Revision(accepted) => Some(accepted),
            LastRevisionState::None | LastRevisionState::Unknown => None,
        }
    }

    pub(super) const fn is_lost(&self) -> bool {
        matches!(self.what, LastRevisionState::Unknown)
    }

    /// Checks that a folder's manifest version is not lower than the last one, and not the same
    /// with other files.
    pub(super) fn check_version(&self, digest: &str, version: Option<u64>) -> Result<(), String> {
        let Some(last) = self.revision() else {
            return Ok(());
        };
        let Some(before) = last.version else {
            return Ok(());
        };
        let held = format!(
            "write a newer one with `charter policy manifest --version {}` (of a domain, with `--domain NAME`); to go \
             back, restore the older files and list them under a newer version, as `charter policy rollback` does",
            before.saturating_add(1)
        );
        match version {
            Some(version) if version < before => Err(format!(
                "the manifest has version {version}, but version {before} was in force: {held}"
            )),
            Some(version) if version == before && digest != last.digest => Err(format!(
                "the manifest still has version {version}, but the files differ: {held}"
            )),
            Some(_) => Ok(()),
            None => Err(format!(
                "the manifest is missing, but version {before} was in force: {held}"
            )),
        }
    }
}
