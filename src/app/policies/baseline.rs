//! The invariants that edits must keep: those in force at start, and those added since.

use std::path::Path;

use charter_authz::folder::{Files, Folder};
use charter_authz::snapshot::Snapshot;

const INVARIANTS: &str = "invariants/";

/// Marks the names of invariants that are kept although the folder no longer has them.
const BASELINE_MARK: &str = "-promised-";

/// The name of an invariant in its folder.
fn original_name(name: &str) -> String {
    name.rsplit_once(BASELINE_MARK)
        .map_or_else(|| name.to_owned(), |(stem, _)| format!("{stem}.cedar"))
}

/// A folder whose invariants and action groups every candidate must keep.
#[derive(Debug, Clone)]
pub(super) struct InvariantBaseline {
    files: Files,
}

impl InvariantBaseline {
    pub(super) const fn new(files: Files) -> Self {
        Self { files }
    }

    pub(super) const fn files(&self) -> &Files {
        &self.files
    }

    /// The names of the invariants that a folder lacks or has changed.
    pub(super) fn missing_from(&self, files: &Files) -> Vec<String> {
        let promised = self.files.iter().filter(|(name, _)| is_invariant(name));
        promised
            .filter(|(name, text)| files.get(*name) != Some(*text) && !has_text(files, text))
            .map(|(name, _)| name.clone())
            .collect()
    }

    /// The warning for `/readyz` while the folder in force lacks some of them.
    pub(super) fn warnings(&self, files: &Files) -> Option<String> {
        let missing = self.missing_from(files);
        let lost: Vec<_> = missing.iter().map(|name| original_name(name)).collect();
        (!lost.is_empty()).then(|| {
            format!(
                "invariants: {} are missing from the folder or changed; edits must keep them until the next restart",
                lost.join(", ")
            )
        })
    }

    /// An approved folder replaces the baseline.
    pub(super) fn replace(&mut self, files: Files) {
        self.files = files;
    }

    /// Adds the invariants of files that kept the whole baseline.
    pub(super) fn extend(&mut self, dir: &Path, files: &Files) {
        let mut grown = files.clone();
        for name in self.missing_from(files) {
            if let Some(text) = self.files.get(&name) {
                let stem = name.trim_end_matches(".cedar");
                let free = (1..=u32::MAX)
                    .map(|number| format!("{stem}{BASELINE_MARK}{number}.cedar"))
                    .find(|name| !grown.contains_key(name));
                grown.extend(free.map(|name| (name, text.clone())));
            }
        }
        // An older invariant may refer to names that the schema no longer has.
        let is_sound = |files: &Files| {
            Folder::from_files(dir, files.clone())
                .and_then(|folder| Snapshot::from_accepted(&folder))
                .is_ok()
        };
        if grown.len() == files.len() || is_sound(&grown) {
            self.files = grown;
        } else {
            tracing::warn!(
                "an invariant that edits must keep refers to names that the schema no longer has; invariants added since are enforced only while the folder has them"
            );
        }
    }
}

fn is_invariant(name: &str) -> bool {
    name.starts_with(INVARIANTS)
}

fn has_text(files: &Files, text: &str) -> bool {
    files
        .iter()
        .any(|(name, found)| is_invariant(name) && **found == *text)
}
