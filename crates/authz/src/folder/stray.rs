//! Files that look like policies and would not be read: nobody should believe that they are in force.

use std::fs;
use std::path::Path;

use super::layout::{INVARIANTS, SCHEMA, TESTS};
use crate::fault::Fault;

/// Deeper folders are not looked into.
const MAX_DEPTH: usize = 4;
/// Bigger folders are somebody else's.
const MAX_ENTRIES: usize = 10_000;

/// A fault for each file that is not where, or not named as, it would be read.
pub(super) fn faults(dir: &Path) -> Vec<Fault> {
    let mut stray = Stray {
        dir,
        seen: 0,
        faults: Vec::new(),
    };
    stray.look("", 0);
    stray.faults
}

struct Stray<'a> {
    dir: &'a Path,
    seen: usize,
    faults: Vec<Fault>,
}

impl Stray<'_> {
    /// `below` is empty, or the folder's name within the policy folder with a `/` at its end.
    fn look(&mut self, below: &str, depth: usize) {
        // What cannot be listed here is told where it is read.
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
                let fault = Fault::new(format!("`{}` is not read", path.display()));
                self.faults.push(fault.help(help));
            }
        }
    }
}

/// What to do about a file that is not read though it looks as if it were.
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
