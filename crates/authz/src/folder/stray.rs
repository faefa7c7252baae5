//! Reports files that look like policies and would not be read.

use std::fs;
use std::path::Path;

use super::layout::{INVARIANTS, SCHEMA, TESTS};
use crate::fault::FolderFault;

/// Deeper directories are not scanned.
const MAX_DEPTH: usize = 4;
/// Larger directories are not scanned to their end.
const MAX_ENTRIES: usize = 10_000;

/// A fault for each file that is misplaced or misnamed.
pub(super) fn faults(dir: &Path) -> Vec<FolderFault> {
    let mut stray = StrayFiles {
        dir,
        seen: 0,
        faults: Vec::new(),
    };
    stray.look("", 0);
    stray.faults
}

struct StrayFiles<'a> {
    dir: &'a Path,
    seen: usize,
    faults: Vec<FolderFault>,
}

impl StrayFiles<'_> {
    /// `below` is empty, or the subdirectory's name with a trailing `/`.
    fn look(&mut self, below: &str, depth: usize) {
        // Reading reports directories that cannot be listed.
        let Ok(entries) = fs::read_dir(self.dir.join(below)) else {
            return;
        };
        let mut names: Vec<(String, bool)> = entries
            .flatten()
            .filter_map(|entry| {
                let is_dir = entry.file_type().is_ok_and(|kind| kind.is_dir());
                entry
                    .file_name()
                    .into_string()
                    .ok()
                    .map(|name| (name, is_dir))
            })
            .filter(|(name, _)| !name.starts_with('.'))
            .collect();
        names.sort_unstable();
        for (name, is_dir) in names {
            self.seen += 1;
            if self.seen > MAX_ENTRIES {
                return;
            }
            let path = format!("{below}{name}");
            if is_dir && depth < MAX_DEPTH {
                self.look(&format!("{path}/"), depth + 1);
            } else if !is_dir && let Some(help) = misplaced(below, &name) {
                let path = self.dir.join(path);
                let fault = FolderFault::new(format!("`{}` is not read", path.display()));
                self.faults.push(fault.help(help));
            }
        }
    }
}

/// Advice for a file that looks as if it were read and is not.
fn misplaced(below: &str, name: &str) -> Option<String> {
    if below.is_empty() && name.eq_ignore_ascii_case(SCHEMA) {
        return (name != SCHEMA).then(|| format!("name it `{SCHEMA}`"));
    }
    let (stem, extension) = name.rsplit_once('.')?;
    let folder = below.strip_suffix('/').unwrap_or(below);
    let wanted = match folder {
        "" | INVARIANTS => "cedar",
        TESTS if extension.eq_ignore_ascii_case("json") => "json",
        _ if extension.eq_ignore_ascii_case("cedar") => {
            return Some(format!(
                "policies are read from the folder itself, invariants from `{INVARIANTS}/`; move it there"
            ));
        }
        _ => return None,
    };
    let is_meant = extension.eq_ignore_ascii_case(wanted);
    (is_meant && extension != wanted).then(|| format!("name it `{stem}.{wanted}`"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_read_is_not_stray_and_what_looks_like_it_is() {
        for (below, name) in [
            ("", "roles.cedar"),
            ("", "schema.cedarschema"),
            ("", "manifest.json"),
            ("", "README.md"),
            ("invariants/", "grants.cedar"),
            ("tests/", "team.json"),
            ("docs/", "notes.txt"),
        ] {
            assert_eq!(misplaced(below, name), None, "{below}{name}");
        }
        for (below, name) in [
            ("", "stop.CEDAR"),
            ("", "Schema.cedarschema"),
            ("team/", "roles.cedar"),
            ("tests/", "roles.cedar"),
            ("tests/", "team.JSON"),
            ("invariants/", "grants.Cedar"),
            ("invariants/more/", "grants.cedar"),
        ] {
            assert!(misplaced(below, name).is_some(), "{below}{name}");
        }
    }
}
