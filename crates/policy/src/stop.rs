//! Finds the part of an edit that only forbids more, so that it need not wait for the rest.
//!
//! The unit is a file: one that keeps every policy it has, word for word, and adds only forbids, or
//! that is new and only forbids. What belongs together stands in one file.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::sync::Arc;

use cedar_policy::{Effect, Policy};
use serde::{Deserialize, Serialize};

use charter_authz::folder::{self, Files, Folder, SCHEMA};
use charter_authz::snapshot::Snapshot;

/// Files that are looked at one by one when they are not sound together. Each costs a reading of the
/// schema; an emergency is a few files.
const MOST_ALONE: usize = 32;

/// Which files to look at.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct StopJob {
    /// Where the folder was read.
    pub dir: PathBuf,
    /// The schema that is in force.
    pub schema: Arc<str>,
    /// The policy files that are in force, among those that changed.
    pub before: Files,
    /// The policy files that changed or are new, as they are now.
    pub now: Files,
}

impl StopJob {
    /// What differs between the files in force and those of a candidate; `None` where nothing can be
    /// a stop.
    #[must_use]
    pub fn between(dir: PathBuf, live: &Files, candidate: &Files) -> Option<Self> {
        let schema = live.get(SCHEMA)?;
        let now: Files = candidate
            .iter()
            .filter(|(name, text)| folder::is_policy(name) && live.get(*name) != Some(*text))
            .map(|(name, text)| (name.clone(), Arc::clone(text)))
            .collect();
        let before = live
            .iter()
            .filter(|(name, _)| now.contains_key(*name))
            .map(|(name, text)| (name.clone(), Arc::clone(text)))
            .collect();
        (!now.is_empty()).then(|| Self {
            dir,
            schema: Arc::clone(schema),
            before,
            now,
        })
    }

    /// The names of the files that only forbid more than before, and are valid under the schema in
    /// force.
    #[must_use]
    pub fn stops(&self) -> BTreeSet<String> {
        let all: Vec<&String> = self.now.keys().collect();
        if let Some(stops) = self.look(&all) {
            return stops;
        }
        // One of them is broken; the others may be an emergency all the same.
        let alone = self.now.keys().take(MOST_ALONE);
        alone
            .filter_map(|name| self.look(&[name]))
            .flatten()
            .collect()
    }

    /// `None` if these files are not sound together.
    fn look(&self, names: &[&String]) -> Option<BTreeSet<String>> {
        let part = |files: &Files| -> Files {
            let chosen = names.iter().filter_map(|name| files.get_key_value(*name));
            chosen
                .map(|(name, text)| (name.clone(), Arc::clone(text)))
                .chain([(SCHEMA.to_owned(), Arc::clone(&self.schema))])
                .collect()
        };
        let folder = |files| Folder::of_files(&self.dir, files);
        let known = folder(part(&self.before))
            .and_then(|before| Snapshot::of_accepted(&before))
            .ok();
        let now = folder(part(&self.now)).ok()?;
        let now = match &known {
            Some(before) => Snapshot::after(before, &now),
            None => Snapshot::of(&now),
        };
        let (before, now) = (by_file(known.as_ref()), now.ok()?);
        let now = by_file(Some(&now));
        let is_stop = |name: &String| {
            let nothing = BTreeMap::new();
            let before = before.get(name).unwrap_or(&nothing);
            // What could not be read before cannot be held against what is there now.
            (self.before.contains_key(name) != before.is_empty())
                && now
                    .get(name)
                    .is_some_and(|now| only_adds_forbids(before, now))
        };
        Some(
            names
                .iter()
                .filter(|name| is_stop(name))
                .map(|name| (*name).clone())
                .collect(),
        )
    }
}

/// A policy's effect and text.
type Policies = BTreeMap<String, (Effect, String)>;

/// The policies of each file.
fn by_file(snapshot: Option<&Snapshot>) -> BTreeMap<String, Policies> {
    let mut files: BTreeMap<String, Policies> = BTreeMap::new();
    let policies = snapshot.into_iter().flat_map(|it| {
        let policies = it.policies().policies();
        policies.map(move |policy| (it.file_of(policy.id().as_ref()), policy))
    });
    for (file, policy) in policies {
        if let Some(file) = file {
            let of_file = files.entry(file.to_owned()).or_default();
            of_file.insert(policy.id().to_string(), text(policy));
        }
    }
    files
}

/// A policy's effect, and its text without comments and layout.
pub(super) fn text(policy: &Policy) -> (Effect, String) {
    (policy.effect(), policy.to_string())
}

/// Whether every policy stays as it is, and what is new forbids.
pub(super) fn only_adds_forbids(before: &Policies, now: &Policies) -> bool {
    let kept = before
        .iter()
        .all(|(id, policy)| now.get(id) == Some(policy));
    let mut added = now
        .iter()
        .filter(|(id, _)| !before.contains_key(*id))
        .peekable();
    kept && added.peek().is_some() && added.all(|(_, (effect, _))| *effect == Effect::Forbid)
}
