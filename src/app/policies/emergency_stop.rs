//! Emergency stops: files that only add forbids take effect before any other check.

use std::collections::BTreeSet;
use std::sync::Arc;

use charter_authz::folder::{Files, Folder};
use charter_policy::emergency_stop::StopCheckRequest;
use charter_policy::manifest;
use charter_store::TakenAs;

use super::folder_reading::{FolderReading, FromFolder as _, run_on_thread};
use super::folder_reloader::FolderReloader;
use super::in_force::InForce;

impl<P: InForce> FolderReloader<P> {
    /// Puts files in force that only add forbids. `read` and `again` are two consecutive readings:
    /// a file that is the same in both is written completely.
    pub(super) async fn take_stops(&mut self, read: &FolderReading, again: &FolderReading) {
        let (one, other) = (read.readable(), again.readable());
        let mut resting = other.clone();
        resting.retain(|name, text| one.get(name) == Some(text));
        let dir = self.policies.dir.clone();
        let Some(request) = StopCheckRequest::between(dir, &self.live, &resting) else {
            return;
        };
        if self.no_stops.as_ref() == Some(&request.now) {
            return;
        }
        let Some(version) = self.version_with_stops(one, again) else {
            return;
        };
        let names = match self.policies.checker.stops(&request).await {
            Ok(names) => names,
            Err(reason) => {
                tracing::error!(
                    domain = self.domain(),
                    "cannot tell whether an edit of the policies is an emergency stop: {reason}"
                );
                BTreeSet::new()
            }
        };
        if let Some((folder, loaded)) = self.apply_stops(&request.now, names, other).await {
            let is_whole = folder.files() == other;
            let version = if is_whole {
                version
            } else {
                Self::version_in_force(again)
            };
            tracing::info!(
                domain = self.domain(),
                digest = %folder.digest(),
                "an emergency stop is in force; its checks follow"
            );
            self.checked = false;
            self.last_checked = None;
            self.put_in_force(&folder, loaded, TakenAs::Stop, version)
                .await;
        } else {
            self.no_stops = Some(request.now);
        }
    }

    /// The version of the folder's manifest. If there is one, or one is required or in force, the
    /// folder must match it; `None` if it does not.
    fn version_with_stops(&self, before: &Files, again: &FolderReading) -> Option<Option<u64>> {
        let is_listed = again.readable().contains_key(manifest::NAME)
            || Self::version_in_force(again).is_some()
            || self.policies.rules.manifest;
        if !is_listed {
            return Some(None);
        }
        let folder = again.folder.as_ref().ok()?;
        let rests = folder.files() == before;
        let version = self.policies.check_version(folder, &again.last);
        version.ok().filter(|_| rests)
    }

    fn version_in_force(read: &FolderReading) -> Option<u64> {
        read.last.revision().and_then(|last| last.version)
    }

    /// The policies in force with the current versions of these files, except those that do not
    /// fit.
    async fn apply_stops(
        &mut self,
        now: &Files,
        names: BTreeSet<String>,
        whole: &Files,
    ) -> Option<(Folder, P::Loaded)> {
        if names.is_empty() {
            return None;
        }
        let (dir, live, now) = (self.policies.dir.clone(), self.live.clone(), now.clone());
        let (whole, current) = (whole.clone(), self.place.current());
        let load = move || {
            let with = |names: &BTreeSet<String>| {
                let mut files = live.clone();
                let chosen = now.iter().filter(|(name, _)| names.contains(*name));
                files.extend(chosen.map(|(name, text)| (name.clone(), Arc::clone(text))));
                if covers_folder(&files, &whole) {
                    files.clone_from(&whole);
                }
                let folder = Folder::from_files(&dir, files)?;
                P::Loaded::after(current.as_deref(), &folder).map(|loaded| (folder, loaded))
            };
            let all = with(&names);
            if let Ok(all) = all {
                return Some(all);
            }
            // A file that repeats an `@id` of another file is no stop.
            let mut fitting = BTreeSet::new();
            let mut taken = None;
            for name in names {
                let more: BTreeSet<String> = fitting.iter().cloned().chain([name]).collect();
                if let Ok(found) = with(&more) {
                    (fitting, taken) = (more, Some(found));
                }
            }
            taken
        };
        run_on_thread(load).await.flatten()
    }
}

/// Whether the folder holds nothing but these files and its manifest.
fn covers_folder(files: &Files, whole: &Files) -> bool {
    let listed = |files: &Files| {
        let mut files = files.clone();
        files.remove(manifest::NAME);
        files
    };
    listed(files) == listed(whole)
}
