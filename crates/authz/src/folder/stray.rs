//! Reports files that look like policies and would not be read: as a fault what can only be a mistake, as a
//! warning what may be a copy, or somebody's own.

use std::fs;
use std::path::Path;

use super::layout::{
    DOMAINS, ENTITIES, INVARIANTS, MANIFEST, ROUTES, SCHEMA, TESTS, is_custom_domain,
};
use crate::fault::FolderFault;
use charter_domain::similar::is_like;

/// Deeper directories are not scanned.
const MAX_DEPTH: usize = 4;
/// Larger directories are not scanned to their end.
const MAX_ENTRIES: usize = 10_000;
/// More are counted only.
const MAX_WARNINGS: usize = 20;

pub(super) struct StrayFiles<'a> {
    dir: &'a Path,
    seen: usize,
    /// For each file that is not where, or not named as, it would be read.
    pub(super) faults: Vec<FolderFault>,
    /// For others that are not read.
    pub(super) warnings: Vec<String>,
}

pub(super) fn look(dir: &Path) -> StrayFiles<'_> {
    let mut stray = StrayFiles {
        dir,
        seen: 0,
        faults: Vec::new(),
        warnings: Vec::new(),
    };
    stray.look("", 0);
    let more = stray.warnings.len().saturating_sub(MAX_WARNINGS);
    stray.warnings.truncate(MAX_WARNINGS);
    let more = (more > 0).then(|| format!("files: {more} more are not read"));
    stray.warnings.extend(more);
    stray
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
                let is_read = below.is_empty()
                    && [INVARIANTS, TESTS]
                        .iter()
                        .any(|it| entry.file_name() == *it);
                // Mounted folders link to those that are read.
                let is_dir = match entry.file_type() {
                    Ok(kind) if kind.is_symlink() => is_read && entry.path().is_dir(),
                    kind => kind.is_ok_and(|kind| kind.is_dir()),
                };
                entry
                    .file_name()
                    .into_string()
                    .ok()
                    .map(|name| (name, is_dir))
            })
            .filter(|(name, is_dir)| !(*is_dir && name.starts_with('.')))
            .collect();
        names.sort_unstable();
        for (name, is_dir) in names {
            self.seen += 1;
            if self.seen > MAX_ENTRIES {
                return;
            }
            let path = format!("{below}{name}");
            if is_dir && depth < MAX_DEPTH {
                // Each in there is a folder of its own.
                let holds_domains = path == DOMAINS && !is_custom_domain(self.dir);
                let depth = if holds_domains { MAX_DEPTH } else { depth + 1 };
                self.look(&format!("{path}/"), depth);
            } else if !is_dir && let Some(help) = misplaced(below, &name) {
                let path = self.dir.join(path);
                let fault = FolderFault::new(format!("`{}` is not read", path.display()));
                self.faults.push(fault.help(help));
            } else if !is_dir && let Some(what) = self.doubt(below, &name) {
                let path = self.dir.join(path);
                let warning = format!("files: `{}` is not read: {what}", path.display());
                self.warnings.push(warning);
            }
        }
    }
}

impl StrayFiles<'_> {
    fn doubt(&self, below: &str, name: &str) -> Option<&'static str> {
        let single = || unread_single(name, is_custom_domain(self.dir));
        doubtful(below, name).or_else(|| single().filter(|_| below.is_empty()))
    }
}

/// The same of the files of which a folder has one.
fn unread_single(name: &str, is_of_domain: bool) -> Option<&'static str> {
    match name {
        MANIFEST => None,
        ENTITIES | ROUTES if is_of_domain => None,
        _ if is_like(name, MANIFEST) => Some("the manifest is `manifest.json`"),
        _ if ![ENTITIES, ROUTES].iter().any(|it| is_like(name, it)) => None,
        _ if !is_of_domain => Some("only a domain of one's own has entities and routes"),
        _ => Some("entities are in `entities.json`, routes in `routes.toml`"),
    }
}

/// Advice for a file that looks as if it were read and is not.
fn misplaced(below: &str, name: &str) -> Option<String> {
    if name.starts_with('.') {
        return None;
    }
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

/// What is read in the place of a file that may be meant to be: a copy, one that is hidden, one with
/// a slip in its name or its folder's.
fn doubtful(below: &str, name: &str) -> Option<&'static str> {
    let place = below.trim_end_matches('/');
    let top = place.split('/').next().unwrap_or_default();
    let (wanted, read) = match top {
        "" | INVARIANTS => ("cedar", "policies are the files `*.cedar`"),
        _ if is_like(top, TESTS) => ("json", "examples are the files `tests/*.json`"),
        _ => return None,
    };
    let is_in_place = ["", INVARIANTS, TESTS].contains(&place);
    let visible = name.trim_start_matches('.');
    let is_hidden = visible.len() < name.len();
    let extensions: Vec<&str> = visible.split('.').skip(1).collect();
    let ends_well = extensions.last() == Some(&wanted);
    let is_meant = if is_hidden {
        // Editors keep what is not saved yet under names such as `.x.cedar.swp` and `.#x.cedar`.
        !visible.starts_with('#') && ends_well
    } else {
        let is_read = is_in_place && ends_well;
        !is_read && extensions.iter().any(|it| is_like(it, wanted))
    };
    is_meant.then_some(if is_hidden {
        "hidden files are not"
    } else {
        read
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_files_that_look_like_policies_are_stray() {
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

    #[test]
    fn misnamed_policy_files_are_reported() {
        for (below, name) in [
            ("", "x.cedar.txt"),
            ("", "x.ceder"),
            ("", "x.cedar~"),
            ("", "x.cedar.bak"),
            ("", ".x.cedar"),
            ("invariants/", ".x.cedar"),
            ("invariants/", "x.cedr"),
            ("tests/", "x.json.orig"),
            ("tests/", "x.jsn"),
            ("tests/sub/", "a.json"),
            ("test/", "a.json"),
            ("Tests/", "a.json"),
        ] {
            assert_eq!(misplaced(below, name), None, "{below}{name}");
            assert!(doubtful(below, name).is_some(), "{below}{name}");
        }
        for (below, name) in [
            ("", "roles.cedar"),
            ("", "a.b.cedar"),
            ("", "schema.cedarschema"),
            ("", "manifest.json"),
            ("", "README.md"),
            ("", ".gitignore"),
            ("", "..data"),
            ("", ".x.cedar.swp"),
            ("", ".x.cedar.new"),
            ("", ".#x.cedar"),
            ("", "cedar"),
            ("invariants/", "grants.cedar"),
            ("tests/", "team.json"),
            ("tests/", "README.md"),
            ("docs/", "notes.json"),
        ] {
            assert_eq!(doubtful(below, name), None, "{below}{name}");
        }
    }

    #[test]
    fn misnamed_single_files_are_reported() {
        for name in [
            "Entities.json",
            "Routes.toml",
            "routes.tml",
            "manifets.json",
        ] {
            assert!(unread_single(name, true).is_some(), "{name}");
            assert!(unread_single(name, false).is_some(), "{name}");
        }
        for name in ["entities.json", "routes.toml"] {
            assert_eq!(unread_single(name, true), None, "{name}");
            assert!(unread_single(name, false).is_some(), "{name}");
        }
        for name in [
            "manifest.json",
            "README.md",
            "schema.cedarschema",
            "package.json",
        ] {
            assert_eq!(unread_single(name, true), None, "{name}");
            assert_eq!(unread_single(name, false), None, "{name}");
        }
    }
}
