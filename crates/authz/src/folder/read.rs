//! Reads the files of a policy folder within size limits and within the folder.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::{self, Read};
use std::path::{self, Path, PathBuf};
use std::sync::Arc;

use miette::NamedSource;

use super::layout::{
    ENTITIES, INVARIANTS, MANIFEST, ROUTES, SCHEMA, TESTS, custom_domain_name, is_policy,
    name_below_domains,
};
use super::stray;
use crate::fault::FolderFault;

pub(super) const MAX_SCHEMA_BYTES: u64 = 100_000;
pub(super) const MAX_FILE_BYTES: u64 = 1024 * 1024;
pub(super) const MAX_TOTAL_BYTES: usize = 16 * 1024 * 1024;

/// The files of a folder: text by name.
pub type Files = BTreeMap<String, Arc<str>>;

/// What was found in a folder.
pub(super) struct ReadFolder {
    pub(super) files: Files,
    /// What is said of each file that is not read, and looks as if it were meant to be.
    pub(super) unread: Vec<String>,
}

/// The policy files that can be read, whatever else cannot; a manifest that is there is among them.
pub(super) fn readable_policies(dir: &Path) -> Files {
    let (Ok(root), Ok(entries)) = (root_of(dir, fs::canonicalize(dir)), fs::read_dir(dir)) else {
        return Files::new();
    };
    let is_policy = |name: &String| !name.starts_with('.') && is_policy(name);
    let names = entries
        .filter_map(|entry| entry.ok()?.file_name().into_string().ok())
        .filter(is_policy);
    let mut reader = Reader::new(dir, &root);
    reader.read_all("", names.collect());
    let mut files = reader.files;
    if fs::symlink_metadata(dir.join(MANIFEST)).is_ok() {
        files.insert(MANIFEST.to_owned(), "".into());
    }
    files
}

/// The folder itself; a domain's may be no link to another, and none out of the policy folder.
fn root_of(dir: &Path, resolved: io::Result<PathBuf>) -> Result<PathBuf, Vec<FolderFault>> {
    let place = path::absolute(dir).unwrap_or_else(|_| dir.to_owned());
    let domain = name_below_domains(&place);
    let root = resolved.map_err(|error| {
        let fault = FolderFault::new(format!(
            "cannot open the policy folder `{}`: {error}",
            dir.display()
        ));
        vec![fault.help(match &domain {
            Some(_) => "put the domain's folder back into `domains` of the policy folder",
            None => "name an existing folder with the setting `policies.dir`",
        })]
    })?;
    // The policy folder itself, and what is mounted within it, may be links.
    let policies = place.parent().and_then(Path::parent);
    let policies = policies.and_then(|policies| fs::canonicalize(policies).ok());
    let is_within = policies.is_some_and(|policies| root.starts_with(policies));
    if domain.is_some() && !(is_within && domain == name_below_domains(&root)) {
        let fault = FolderFault::new(format!(
            "`{}` is a link, to `{}`",
            dir.display(),
            root.display()
        ));
        return Err(vec![
            fault.help("put the domain's folder itself into `domains`"),
        ]);
    }
    Ok(root)
}

/// Where a path leads that need not exist. A link that leads nowhere is an error.
fn resolved(path: &Path) -> io::Result<PathBuf> {
    match (path.parent(), path.file_name()) {
        (Some(parent), Some(name)) if is_absent(path) => Ok(resolved(parent)?.join(name)),
        _ => fs::canonicalize(path),
    }
}

fn is_absent(path: &Path) -> bool {
    fs::symlink_metadata(path).is_err_and(|error| error.kind() == io::ErrorKind::NotFound)
}

/// The files of a folder to be written anew: it may lack some, or be absent.
pub(super) fn read_incomplete(dir: &Path) -> Result<Files, Vec<FolderFault>> {
    let root = root_of(dir, path::absolute(dir).and_then(|place| resolved(&place)))?;
    if is_absent(dir) {
        return Ok(Files::new());
    }
    let mut reader = Reader::new(dir, &root);
    reader.read_parts(&[])?;
    if reader.faults.is_empty() {
        Ok(reader.files)
    } else {
        Err(reader.faults)
    }
}

pub(super) fn read(dir: &Path) -> Result<ReadFolder, Vec<FolderFault>> {
    let root = root_of(dir, fs::canonicalize(dir))?;
    let mut reader = Reader::new(dir, &root);
    reader.read_parts(&[SCHEMA])?;
    let stray = stray::look(dir);
    reader.faults.extend(stray.faults);
    if reader.faults.is_empty() {
        Ok(ReadFolder {
            files: reader.files,
            unread: stray.warnings,
        })
    } else {
        Err(reader.faults)
    }
}

/// Reads files up to a total size.
struct Reader<'a> {
    dir: &'a Path,
    root: &'a Path,
    total: usize,
    files: Files,
    faults: Vec<FolderFault>,
}

impl<'a> Reader<'a> {
    const fn new(dir: &'a Path, root: &'a Path) -> Self {
        Self {
            dir,
            root,
            total: 0,
            files: Files::new(),
            faults: Vec::new(),
        }
    }

    /// Reads all that a folder may have. An error only if it cannot be listed.
    fn read_parts(&mut self, required: &[&str]) -> Result<(), Vec<FolderFault>> {
        let mut names = list(self.dir, "cedar")?;
        let mut single = vec![SCHEMA, MANIFEST];
        if custom_domain_name(self.dir).is_some() {
            single.extend([ENTITIES, ROUTES]);
        }
        single.retain(|name| required.contains(name) || !is_absent(&self.dir.join(name)));
        names.extend(single.into_iter().map(str::to_owned));
        self.read_all("", names);
        self.read_below(INVARIANTS, "cedar");
        self.read_below(TESTS, "json");
        Ok(())
    }

    /// Reads the files of an optional subdirectory.
    fn read_below(&mut self, below: &str, extension: &str) {
        let dir = self.dir.join(below);
        if is_absent(&dir) {
            return;
        }
        // Without a file in it, too: what is written there would be outside.
        let real = fs::canonicalize(&dir).ok();
        if let Some(fault) = real.and_then(|real| leads_out(&dir, &real, self.root)) {
            self.faults.push(fault);
            return;
        }
        match list(&dir, extension) {
            Ok(names) => self.read_all(&format!("{below}/"), names),
            Err(faults) => self.faults.extend(faults),
        }
    }

    fn read_all(&mut self, prefix: &str, mut names: Vec<String>) {
        names.sort_unstable();
        for name in names {
            let name = format!("{prefix}{name}");
            match read_file(self.dir, self.root, &name) {
                Ok(text) => {
                    self.total = self.total.saturating_add(text.len());
                    self.files.insert(name, text.into());
                }
                Err(fault) => self.faults.push(fault),
            }
            if self.total > MAX_TOTAL_BYTES {
                self.faults.push(FolderFault::new(format!(
                    "the files of `{}` have more than {MAX_TOTAL_BYTES} bytes together",
                    self.dir.display()
                )));
                break;
            }
        }
    }
}

/// The names of the files with this extension, without hidden files.
fn list(dir: &Path, extension: &str) -> Result<Vec<String>, Vec<FolderFault>> {
    let unreadable = |error: std::io::Error| {
        vec![FolderFault::new(format!(
            "cannot list the policy folder `{}`: {error}",
            dir.display()
        ))]
    };
    let mut names = Vec::new();
    for entry in fs::read_dir(dir).map_err(unreadable)? {
        let name = entry.map_err(unreadable)?.file_name();
        if Path::new(&name)
            .extension()
            .is_none_or(|found| found != extension)
        {
            continue;
        }
        match name.into_string() {
            Ok(name) if name.starts_with('.') => {}
            Ok(name) => names.push(name),
            Err(name) => {
                return Err(vec![FolderFault::new(format!(
                    "the name of `{}` is not UTF-8",
                    dir.join(name).display()
                ))]);
            }
        }
    }
    Ok(names)
}

/// Links within a mounted folder are fine; outside of it, others control the content.
fn leads_out(path: &Path, real: &Path, root: &Path) -> Option<FolderFault> {
    if real.starts_with(root) {
        return None;
    }
    let fault = FolderFault::new(format!(
        "`{}` leads out of the policy folder, to `{}`",
        path.display(),
        real.display()
    ));
    Some(fault.help(if real.is_dir() {
        "put the files themselves into the folder"
    } else {
        "put the file itself into the folder"
    }))
}

fn read_file(dir: &Path, root: &Path, name: &str) -> Result<String, FolderFault> {
    let path = dir.join(name);
    let unreadable = |error: std::io::Error| {
        FolderFault::new(format!("cannot read `{}`: {error}", path.display()))
    };
    let real: PathBuf = fs::canonicalize(&path).map_err(unreadable)?;
    if let Some(fault) = leads_out(&path, &real, root) {
        return Err(fault);
    }
    // Checked before opening, which would block on a pipe.
    if !fs::metadata(&real).map_err(unreadable)?.is_file() {
        return Err(FolderFault::new(format!(
            "`{}` is not a file",
            path.display()
        )));
    }
    let limit = if name == SCHEMA {
        MAX_SCHEMA_BYTES
    } else {
        MAX_FILE_BYTES
    };
    let mut bytes = Vec::new();
    File::open(&real)
        .and_then(|file| file.take(limit + 1).read_to_end(&mut bytes))
        .map_err(unreadable)?;
    if bytes.len() as u64 > limit {
        return Err(
            FolderFault::new(format!("`{}` is larger than {limit} bytes", path.display()))
                .help(match name {
                    ENTITIES => "leave out entities that nobody asks about by group, or let questions say their attributes as properties",
                    ROUTES | SCHEMA | MANIFEST => "there can be one such file only: make it shorter",
                    _ => "split it into several files",
                }),
        );
    }
    String::from_utf8(bytes).map_err(|error| {
        let valid = error.utf8_error().valid_up_to();
        let byte = error.as_bytes().get(valid).copied().unwrap_or_default();
        // Up to there, offsets are those of the file.
        let shown: Arc<str> = String::from_utf8_lossy(error.as_bytes()).into();
        let source = Arc::new(NamedSource::new(path.display().to_string(), shown));
        FolderFault::new(format!(
            "the file is not UTF-8: here is the byte 0x{byte:02x}"
        ))
        .help("save it as UTF-8")
        .at(&source, valid, char::REPLACEMENT_CHARACTER.len_utf8())
    })
}
