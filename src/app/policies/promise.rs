//! The invariants that edits are held against: those of the start, and those that came since.

use std::path::Path;

use charter_authz::folder::{Files, Folder};
use charter_authz::snapshot::Snapshot;

const INVARIANTS: &str = "invariants/";

/// Stands in the name of an invariant that is kept though its folder has it no longer.
const KEPT: &str = "-promised-";

/// The name that an invariant had in its folder.
fn original(name: &str) -> String {
    name.rsplit_once(KEPT)
        .map_or_else(|| name.to_owned(), |(stem, _)| format!("{stem}.cedar"))
}

/// A folder whose invariants, and whose groups of actions, every candidate must keep.
#[derive(Debug, Clone)]
pub(super) struct Promise {
    files: Files,
}

impl Promise {
    pub(super) const fn new(files: Files) -> Self {
        Self { files }
    }

    pub(super) const fn files(&self) -> &Files {
        &self.files
    }

    /// The names of the invariants that a folder does not have, or has otherwise.
    pub(super) fn missing_from(&self, files: &Files) -> Vec<String> {
        let promised = self.files.iter().filter(|(name, _)| is_invariant(name));
        promised
            .filter(|(name, text)| files.get(*name) != Some(*text) && !has_text(files, text))
            .map(|(name, _)| name.clone())
            .collect()
    }

    /// What `/readyz` says while a folder without some of it is in force.
    pub(super) fn warnings(&self, files: &Files) -> Option<String> {
        let missing = self.missing_from(files);
        let lost: Vec<_> = missing.iter().map(|name| original(name)).collect();
        (!lost.is_empty()).then(|| {
            format!(
                "invariants: {} were in force and are gone from the folder or changed; edits are held against \
                 them until the next restart",
                lost.join(", ")
            )
        })
    }

    /// An approval replaces it.
    pub(super) fn renew(&mut self, files: Files) {
        self.files = files;
    }

    /// What is promised from now on, when these files, which kept all of it, are in force: their
    /// own invariants too.
    pub(super) fn grow(&mut self, dir: &Path, files: &Files) {
        let mut grown = files.clone();
        for name in self.missing_from(files) {
            if let Some(text) = self.files.get(&name) {
                let stem = name.trim_end_matches(".cedar");
                let free = (1..=u32::MAX)
                    .map(|number| format!("{stem}{KEPT}{number}.cedar"))
                    .find(|name| !grown.contains_key(name));
                grown.extend(free.map(|name| (name, text.clone())));
            }
        }
        // An older invariant may speak of what the schema no longer has.
        let is_sound = |files: &Files| {
            Folder::of_files(dir, files.clone())
                .and_then(|folder| Snapshot::of_accepted(&folder))
                .is_ok()
        };
        if grown.len() == files.len() || is_sound(&grown) {
            self.files = grown;
        } else {
            tracing::warn!(
                "an invariant that edits are held against speaks of what the schema no longer has; \
                 those added since are held against edits only while the folder has them"
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
