//! A folder that passed the validation gate.

use std::collections::BTreeMap;

use cedar_policy::Effect;

use super::request::CheckRequest;
use crate::{emergency_stop, manifest};
use charter_authz::fault::LoadError;
use charter_authz::folder::{self, Files, Folder};
use charter_authz::snapshot::Snapshot;

pub(super) struct LoadedFolder {
    pub(super) folder: Folder,
    pub(super) snapshot: Snapshot,
}

impl LoadedFolder {
    /// Policies in force were checked when they were taken, so they are only parsed.
    pub(super) fn accepted(request: &CheckRequest, files: &Files) -> Result<Self, LoadError> {
        let folder = Folder::from_files(&request.dir, files.clone())?;
        let snapshot = Snapshot::from_accepted(&folder)?;
        Ok(Self { folder, snapshot })
    }

    /// Files that did not change are not checked again.
    pub(super) fn after(
        before: Option<&Self>,
        request: &CheckRequest,
        files: &Files,
    ) -> Result<Self, LoadError> {
        let folder = Folder::from_files(&request.dir, files.clone())?;
        let snapshot = match before {
            Some(before) => Snapshot::updated_from(&before.snapshot, &folder)?,
            None => Snapshot::from_folder(&folder)?,
        };
        Ok(Self { folder, snapshot })
    }

    /// Whether all files in force are unchanged, examples included, and only forbids are added.
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
                .map(|policy| {
                    (
                        policy.id().to_string(),
                        emergency_stop::effect_and_text(policy),
                    )
                })
                .collect()
        };
        emergency_stop::only_adds_forbids(&policies(live), &policies(self))
            && beside_policies(live) == beside_policies(self)
    }
}
