//! Takes what only forbids more, before any other check and whatever else is in the folder.

use std::collections::BTreeSet;
use std::sync::Arc;

use charter_authz::folder::{Files, Folder};
use charter_authz::snapshot::Snapshot;
use charter_policy::manifest;
use charter_policy::stop::StopJob;
use charter_store::TakenAs;

use super::read::{Read, beside};
use super::reload::Reloader;

impl Reloader {
    /// Takes the files that only forbid more. `read` and `again` are two looks at the folder: a file
    /// that is the same in both is written to its end.
    pub(super) async fn take_stops(&mut self, read: &Read, again: &Read) {
        let (Some(one), Some(other)) = (read.files(), again.files()) else {
            return;
        };
        let mut resting = other.clone();
        resting.retain(|name, text| one.get(name) == Some(text));
        let dir = self.policies.dir.clone();
        let Some(job) = StopJob::between(dir, &self.live, &resting) else {
            return;
        };
        if self.no_stops.as_ref() == Some(&job.now) {
            return;
        }
        let Some(version) = self.version_with_stops(one, again) else {
            return;
        };
        let names = match self.policies.checker.stops(&job).await {
            Ok(names) => names,
            Err(reason) => {
                tracing::error!(
                    "it is not known whether an edit of the policies only forbids more: {reason}"
                );
                BTreeSet::new()
            }
        };
        if let Some((folder, snapshot)) = self.with_stops(&job.now, names, other).await {
            let is_whole = folder.files() == other;
            let version = if is_whole {
                version
            } else {
                Self::version_in_force(again)
            };
            tracing::info!(
                digest = %snapshot.digest(),
                "policies that only forbid more are in force; their checks follow"
            );
            self.checked = false;
            self.judged = None;
            self.put_in_force(&folder, snapshot, TakenAs::Stop, version)
                .await;
        } else {
            self.no_stops = Some(job.now);
        }
    }

    /// The version of the folder's manifest. Where there is one, or one is demanded, the folder must
    /// be as it lists; `None` if it is not.
    fn version_with_stops(&self, before: &Files, again: &Read) -> Option<Option<u64>> {
        let is_listed = again
            .files()
            .is_some_and(|files| files.contains_key(manifest::NAME))
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

    fn version_in_force(read: &Read) -> Option<u64> {
        read.last.revision().and_then(|last| last.version)
    }

    /// What is in force, with these files as they are now; without those of them that do not fit.
    async fn with_stops(
        &mut self,
        now: &Files,
        names: BTreeSet<String>,
        whole: &Files,
    ) -> Option<(Folder, Snapshot)> {
        if names.is_empty() {
            return None;
        }
        let (dir, live, now) = (self.policies.dir.clone(), self.live.clone(), now.clone());
        let (whole, current) = (whole.clone(), self.state.engine.snapshot());
        let load = move || {
            let with = |names: &BTreeSet<String>| {
                let mut files = live.clone();
                let chosen = now.iter().filter(|(name, _)| names.contains(*name));
                files.extend(chosen.map(|(name, text)| (name.clone(), Arc::clone(text))));
                if is_all(&files, &whole) {
                    files.clone_from(&whole);
                }
                let folder = Folder::of_files(&dir, files)?;
                Snapshot::after(&current, &folder).map(|snapshot| (folder, snapshot))
            };
            let all = with(&names);
            if let Ok(all) = all {
                return Some(all);
            }
            // One of them has an id that another file has, and is no stop.
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
        beside(load).await.flatten()
    }
}

/// Whether the folder holds nothing but these files and its manifest.
fn is_all(files: &Files, whole: &Files) -> bool {
    let listed = |files: &Files| {
        let mut files = files.clone();
        files.remove(manifest::NAME);
        files
    };
    listed(files) == listed(whole)
}
