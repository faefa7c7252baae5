//! Finds the part of an edit that only adds forbids, so that it can take effect before the other
//! checks.
//!
//! The unit is a file: one that keeps its policies unchanged and only adds forbids, or a new file
//! with forbids only.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::sync::Arc;

use cedar_policy::{Effect, Policy};
use serde::{Deserialize, Serialize};

use charter_authz::folder::{self, Files, Folder, SCHEMA};
use charter_authz::snapshot::Snapshot;

/// Files that are checked one by one if they are not valid together. Each check parses the schema
/// again.
const MAX_SINGLE_CHECKS: usize = 32;

/// The files to check.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct StopCheckRequest {
    /// Directory that the folder was read from.
    pub dir: PathBuf,
    /// The schema in force.
    pub schema: Arc<str>,
    /// The versions in force of the policy files that changed.
    pub before: Files,
    /// The policy files that changed or are new.
    pub now: Files,
}

impl StopCheckRequest {
    /// The changed policy files of a candidate; `None` if there are none.
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

    /// Names of the files that only add forbids and are valid under the schema in force.
    #[must_use]
    pub fn stop_files(&self) -> BTreeSet<String> {
        let all: Vec<&String> = self.now.keys().collect();
        if let Some(stops) = self.check_together(&all) {
            return stops;
        }
        // One of them is invalid; the others may still be an emergency stop.
        let alone = self.now.keys().take(MAX_SINGLE_CHECKS);
        alone
            .filter_map(|name| self.check_together(&[name]))
            .flatten()
            .collect()
    }

    /// `None` if these files are not valid together.
    fn check_together(&self, names: &[&String]) -> Option<BTreeSet<String>> {
        let part = |files: &Files| -> Files {
            let chosen = names.iter().filter_map(|name| files.get_key_value(*name));
            chosen
                .map(|(name, text)| (name.clone(), Arc::clone(text)))
                .chain([(SCHEMA.to_owned(), Arc::clone(&self.schema))])
                .collect()
        };
        let folder = |files| Folder::from_files(&self.dir, files);
        let known = folder(part(&self.before))
            .and_then(|before| Snapshot::from_accepted(&before))
            .ok();
        let now = folder(part(&self.now)).ok()?;
        let now = match &known {
            Some(before) => Snapshot::updated_from(before, &now),
            None => Snapshot::from_folder(&now),
        };
        let (before, now) = (policies_by_file(known.as_ref()), now.ok()?);
        let now = policies_by_file(Some(&now));
        let is_stop = |name: &String| {
            let nothing = BTreeMap::new();
            let before = before.get(name).unwrap_or(&nothing);
            // Without the earlier version of a file there is nothing to compare with.
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

/// Effect and text of each policy by `@id`.
type Policies = BTreeMap<String, (Effect, String)>;

/// The policies of each file.
fn policies_by_file(snapshot: Option<&Snapshot>) -> BTreeMap<String, Policies> {
    let mut files: BTreeMap<String, Policies> = BTreeMap::new();
    let policies = snapshot.into_iter().flat_map(|it| {
        let policies = it.policies().policies();
        policies.map(move |policy| (it.file_of(policy.id().as_ref()), policy))
    });
    for (file, policy) in policies {
        if let Some(file) = file {
            let of_file = files.entry(file.to_owned()).or_default();
            of_file.insert(policy.id().to_string(), effect_and_text(policy));
        }
    }
    files
}

/// A policy's effect, and its text without comments and layout.
pub(super) fn effect_and_text(policy: &Policy) -> (Effect, String) {
    (policy.effect(), policy.to_string())
}

/// Whether every policy is unchanged and only forbids are new.
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
