//! The files of a folder in a git revision. Links are followed within the folder, as on disk.

use std::collections::BTreeMap;
use std::path::Path;

/// The mode that `git ls-tree` shows for a symbolic link.
const LINK: &str = "120000";
/// The longest chain of links.
const MAX_LINKS: usize = 16;

/// The folder's entries by path.
#[derive(Debug, Default)]
pub(super) struct GitTree {
    entries: BTreeMap<String, TreeEntry>,
}

/// A line of `git ls-tree -l`.
#[derive(Debug, Clone)]
pub(super) struct TreeEntry {
    mode: String,
    /// Id of the blob.
    pub(super) object: String,
    /// In bytes.
    pub(super) size: u64,
    /// Target of a link.
    target: Option<String>,
}

impl GitTree {
    /// Parses the output of `git ls-tree -r -z -l`.
    pub(super) fn parse(listed: &str) -> Self {
        let entry = |line: &str| {
            let (entry, path) = line.split_once('\t')?;
            let mut fields = entry.split_whitespace();
            let (mode, kind) = (fields.next()?, fields.next()?);
            let entry = TreeEntry {
                mode: mode.to_owned(),
                object: fields.next()?.to_owned(),
                size: fields.next()?.parse().ok()?,
                target: None,
            };
            (kind == "blob").then(|| (path.to_owned(), entry))
        };
        Self {
            entries: listed.split('\0').filter_map(entry).collect(),
        }
    }

    /// The links, whose targets the caller fills in.
    pub(super) fn links(&mut self) -> impl Iterator<Item = (&str, &mut Option<String>)> {
        self.entries
            .values_mut()
            .filter(|entry| entry.mode == LINK)
            .map(|entry| (entry.object.as_str(), &mut entry.target))
    }

    /// The files that belong to a policy folder or look as if they should; `Err` names a link that
    /// leads out of the folder or nowhere.
    pub(super) fn files(&self) -> Result<Vec<(String, &TreeEntry)>, String> {
        let mut files = Vec::new();
        for (name, entry) in &self.entries {
            let is_folder = ["invariants", "tests"].contains(&name.as_str());
            if entry.mode == LINK && is_folder {
                let dir = self.real(name).ok_or_else(|| name.clone())?;
                let below = format!("{dir}/");
                for inner in self
                    .entries
                    .keys()
                    .filter_map(|key| key.strip_prefix(&below))
                {
                    let name = format!("{name}/{inner}");
                    if is_policy_file(&name) {
                        let entry = self.follow(&name).ok_or_else(|| name.clone())?;
                        files.push((name, entry));
                    }
                }
            } else if is_policy_file(name) {
                let entry = self.follow(name).ok_or_else(|| name.clone())?;
                files.push((name.clone(), entry));
            }
        }
        Ok(files)
    }

    /// The file at a path, with links followed.
    fn follow(&self, path: &str) -> Option<&TreeEntry> {
        self.entries.get(&self.real(path)?)
    }

    /// The path with links resolved; `None` if it leads out of the folder.
    fn real(&self, path: &str) -> Option<String> {
        let mut path = path.to_owned();
        for _ in 0..MAX_LINKS {
            let ends = path
                .match_indices('/')
                .map(|(at, _)| at)
                .chain([path.len()]);
            let link = ends.into_iter().find_map(|end| {
                let start = path.get(..end)?;
                let target = self.entries.get(start)?.target.as_ref()?;
                Some((
                    start.to_owned(),
                    target.clone(),
                    path.get(end..)?.to_owned(),
                ))
            });
            let Some((start, target, rest)) = link else {
                return Some(path);
            };
            let parent = start.rsplit_once('/').map_or("", |(parent, _)| parent);
            path = normalised(&format!("{parent}/{target}{rest}"), &target)?;
        }
        None
    }
}

/// Resolves `.` and `..`; `None` if the path leads out of the folder.
fn normalised(path: &str, target: &str) -> Option<String> {
    if target.starts_with('/') {
        return None;
    }
    let mut parts: Vec<&str> = Vec::new();
    for part in path.split('/') {
        match part {
            "" | "." => {}
            ".." => drop(parts.pop()?),
            part => parts.push(part),
        }
    }
    Some(parts.join("/"))
}

/// Includes policies that lie too deep to be read, so that loading reports them.
fn is_policy_file(name: &str) -> bool {
    let parts: Vec<&str> = name.split('/').collect();
    let extension = Path::new(name).extension().and_then(|e| e.to_str());
    let extension = extension.unwrap_or_default().to_ascii_lowercase();
    let is_hidden = parts.iter().any(|part| part.starts_with('.'));
    !is_hidden
        && match extension.as_str() {
            "cedar" => true,
            "cedarschema" | "json" => parts.len() <= 2,
            _ => false,
        }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tree(entries: &[(&str, Option<&str>)]) -> GitTree {
        let entry = |target: Option<&str>| TreeEntry {
            mode: if target.is_some() { LINK } else { "100644" }.to_owned(),
            object: "0".to_owned(),
            size: 1,
            target: target.map(str::to_owned),
        };
        GitTree {
            entries: entries
                .iter()
                .map(|(name, target)| ((*name).to_owned(), entry(*target)))
                .collect(),
        }
    }

    fn names(tree: &GitTree) -> Result<Vec<String>, String> {
        let files = tree.files()?;
        Ok(files.into_iter().map(|(name, _)| name).collect())
    }

    #[test]
    fn links_are_followed_within_the_folder() {
        let mounted = tree(&[
            ("..2026/a.cedar", None),
            ("..2026/schema.cedarschema", None),
            ("..data", Some("..2026")),
            ("a.cedar", Some("..data/a.cedar")),
            ("schema.cedarschema", Some("./..data/schema.cedarschema")),
            ("invariants", Some("shared/invariants")),
            ("shared/invariants/b.cedar", None),
            ("notes.txt", Some("/etc/passwd")),
        ]);
        let all = [
            "a.cedar",
            "invariants/b.cedar",
            "schema.cedarschema",
            "shared/invariants/b.cedar",
        ];
        assert_eq!(names(&mounted), Ok(all.map(str::to_owned).to_vec()));
    }

    #[test]
    fn links_that_lead_out_or_nowhere_are_named() {
        for target in ["../a.cedar", "/a.cedar", "b.cedar", "a.cedar"] {
            let folder = tree(&[("a.cedar", Some(target))]);
            assert_eq!(names(&folder), Err("a.cedar".to_owned()), "{target}");
        }
    }
}
