//! A folder that can be read and is valid.

use std::collections::BTreeMap;

use cedar_policy::Effect;

use super::request::CheckRequest;
use crate::{manifest, stop};
use charter_authz::fault::LoadError;
use charter_authz::folder::{self, Files, Folder};
use charter_authz::snapshot::Snapshot;

/// A folder that passed the first gate.
pub(super) struct Loaded {
    pub(super) folder: Folder,
    pub(super) snapshot: Snapshot,
}

impl Loaded {
    /// What was in force is only parsed: it was checked when it was taken.
    pub(super) fn accepted(request: &CheckRequest, files: &Files) -> Result<Self, LoadError> {
        let folder = Folder::of_files(&request.dir, files.clone())?;
        let snapshot = Snapshot::of_accepted(&folder)?;
        Ok(Self { folder, snapshot })
    }

    /// What is as it was is not checked again.
    pub(super) fn after(
        before: Option<&Self>,
        request: &CheckRequest,
        files: &Files,
    ) -> Result<Self, LoadError> {
        let folder = Folder::of_files(&request.dir, files.clone())?;
        let snapshot = match before {
            Some(before) => Snapshot::after(&before.snapshot, &folder)?,
            None => Snapshot::of(&folder)?,
        };
        Ok(Self { folder, snapshot })
    }

    /// Whether all that is in force stays as it is, down to the examples, and what is new forbids.
    pub(super) fn only_adds_forbids_to(&self, live: &Self) -> bool {
        let beside_policies = |loaded: &Self| -> Files {
            let is_policy = |name: &str| folder::is_policy(name) || name == manifest::NAME;
            let mut files = loaded.folder.files().clone();
            files.retain(|name, _| !is_policy(name));
            files
        };
        let policies = |loaded: &Self| -> BTreeMap<String, (Effect, String)> {
            let policies = loaded.snapshot.policies().policies();
            policies
                .map(|policy| (policy.id().to_string(), stop::text(policy)))
                .collect()
        };
        stop::only_adds_forbids(&policies(live), &policies(self))
            && beside_policies(live) == beside_policies(self)
    }
}
