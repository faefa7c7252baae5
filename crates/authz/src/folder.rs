//! Reads a policy folder whole: the schema, the policy files at its top level, the invariants and
//! the examples. Everything that is said of a folder is said of what was read here, once.

use std::collections::BTreeMap;
use std::fmt::Write;
use std::fs::{self, File};
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use miette::NamedSource;
use sha2::{Digest, Sha256};

use super::fault::{Fault, LoadError, Source};
use super::stray;

/// The schema's file name.
pub const SCHEMA: &str = "schema.cedarschema";

const MAX_SCHEMA_BYTES: u64 = 100_000;
const MAX_FILE_BYTES: u64 = 1024 * 1024;
const MAX_TOTAL_BYTES: usize = 16 * 1024 * 1024;

/// Below the folder: what must hold whatever anybody edits.
pub(super) const INVARIANTS: &str = "invariants";
/// Below the folder: requests with the answer that is expected.
pub(super) const TESTS: &str = "tests";

/// Whoever wants to be sure that a folder is whole puts a list of its files in.
const MANIFEST: &str = "manifest.json";

/// What a folder holds: each file's text by its name within the folder.
pub type Files = BTreeMap<String, Arc<str>>;

/// What the folder holds, as it was read; later changes to the files do not show.
#[derive(Debug, Clone)]
pub struct Folder {
    files: Files,
    /// What every user of the machine may write.
    open_to_all: Vec<PathBuf>,
    /// The schema.
    pub(super) schema: Source,
    /// The policies in force, sorted by file name.
    pub(super) policies: Vec<Source>,
    /// `invariants/*.cedar`, sorted by file name.
    pub(super) invariants: Vec<Source>,
    tests: Vec<Source>,
    manifest: Option<Source>,
    digest: Arc<str>,
    whole_digest: Arc<str>,
}

impl Folder {
    /// Reads the whole folder.
    ///
    /// # Errors
    ///
    /// Every file that cannot be read, is too large or is not the folder's own.
    pub fn read(dir: &Path) -> Result<Self, LoadError> {
        let (files, open_to_all) = read(dir).map_err(LoadError::new)?;
        let folder = Self::of_files(dir, files)?;
        Ok(Self {
            open_to_all,
            ..folder
        })
    }

    /// A folder of texts that were read before, from `dir`.
    ///
    /// # Errors
    ///
    /// There is no schema, or no policy.
    pub fn of_files(dir: &Path, files: Files) -> Result<Self, LoadError> {
        let fault = |fault| Err(LoadError::new(vec![fault]));
        let named = |(name, text): (&String, &Arc<str>)| -> Source {
            let path = dir.join(name).display().to_string();
            Arc::new(NamedSource::new(path, Arc::clone(text)))
        };
        let part = |wanted: &dyn Fn(&str) -> bool| -> Vec<Source> {
            let files = files.iter().filter(|(name, _)| wanted(name));
            files.map(named).collect()
        };
        let Some(schema) = files.get_key_value(SCHEMA).map(named) else {
            return fault(Fault::new(format!("`{}` has no `{SCHEMA}`", dir.display())));
        };
        let policies = part(&is_policy);
        if policies.is_empty() {
            return fault(
                Fault::new(format!("`{}` holds no policy file", dir.display())).help(
                    "policies are read from its `*.cedar` files; without any, nothing is allowed",
                ),
            );
        }
        let in_force = |name: &&String| *name == SCHEMA || is_policy(name);
        Ok(Self {
            schema,
            policies,
            invariants: part(&|name| is_below(name, INVARIANTS)),
            tests: part(&|name| is_below(name, TESTS)),
            manifest: part(&|name| name == MANIFEST).pop(),
            digest: digest(files.iter().filter(|(name, _)| in_force(name))).into(),
            whole_digest: digest(files.iter().filter(|(name, _)| *name != MANIFEST)).into(),
            files,
            open_to_all: Vec::new(),
        })
    }

    /// Logs what every user of this machine may change: who may write here decides who may do what.
    pub fn warn_if_anybody_may_write(&self) {
        for path in &self.open_to_all {
            tracing::warn!(
                path = %path.display(),
                "every user of this machine may change the policies, take that right away"
            );
        }
    }

    /// Every file that was read.
    #[must_use]
    pub const fn files(&self) -> &Files {
        &self.files
    }

    /// The policies in force and the invariants.
    pub fn policy_files(&self) -> impl Iterator<Item = &Source> {
        self.policies.iter().chain(&self.invariants)
    }

    /// About how many policies are in force, without parsing them: each has an `@id`.
    #[must_use]
    pub fn policy_count(&self) -> usize {
        let count = |source: &Source| source.inner().matches("@id(").count();
        self.policies.iter().map(count).sum()
    }

    /// `tests/*.json`, sorted by file name.
    #[must_use]
    pub fn tests(&self) -> &[Source] {
        &self.tests
    }

    /// `manifest.json`, if there is one.
    #[must_use]
    pub const fn manifest(&self) -> Option<&Source> {
        self.manifest.as_ref()
    }

    /// SHA-256 over the sorted names and contents of schema and policies, in lowercase hex: what
    /// decisions name.
    #[must_use]
    pub const fn digest(&self) -> &Arc<str> {
        &self.digest
    }

    /// The same over the schema alone.
    pub(super) fn schema_digest(&self) -> String {
        digest(self.files.get_key_value(SCHEMA).into_iter())
    }

    /// The same over invariants and examples, too: what a verdict about the folder is about.
    #[must_use]
    pub const fn whole_digest(&self) -> &Arc<str> {
        &self.whole_digest
    }
}

fn has_extension(name: impl AsRef<Path>, extension: &str) -> bool {
    name.as_ref()
        .extension()
        .is_some_and(|found| found == extension)
}

/// Whether a file of this name within the folder holds policies that are in force.
#[must_use]
pub fn is_policy(name: &str) -> bool {
    !name.contains('/') && has_extension(name, "cedar")
}

/// Whether a file of this name within the folder holds examples.
#[must_use]
pub fn is_test(name: &str) -> bool {
    is_below(name, TESTS)
}

fn is_below(name: &str, folder: &str) -> bool {
    name.strip_prefix(folder)
        .is_some_and(|rest| rest.starts_with('/'))
}

fn read(dir: &Path) -> Result<(Files, Vec<PathBuf>), Vec<Fault>> {
    let root = fs::canonicalize(dir).map_err(|error| {
        vec![
            Fault::new(format!(
                "cannot open the policy folder `{}`: {error}",
                dir.display()
            ))
            .help("name an existing folder with the setting `policies.dir`"),
        ]
    })?;
    let mut names = vec![SCHEMA.to_owned()];
    names.extend(list(dir, "cedar")?);
    if fs::symlink_metadata(dir.join(MANIFEST)).is_ok() {
        names.push(MANIFEST.to_owned());
    }
    let mut reader = Reader {
        dir,
        root: &root,
        total: 0,
        files: Files::new(),
        open_to_all: open_to_all(&root)
            .then(|| root.clone())
            .into_iter()
            .collect(),
        faults: Vec::new(),
    };
    reader.read_all("", names);
    reader.read_below(INVARIANTS, "cedar");
    reader.read_below(TESTS, "json");
    reader.faults.extend(stray::faults(dir));
    if reader.faults.is_empty() {
        Ok((reader.files, reader.open_to_all))
    } else {
        Err(reader.faults)
    }
}

/// Reads files as long as they are not too much together.
struct Reader<'a> {
    dir: &'a Path,
    root: &'a Path,
    total: usize,
    files: Files,
    open_to_all: Vec<PathBuf>,
    faults: Vec<Fault>,
}

impl Reader<'_> {
    /// The files of a folder in the folder, which may be missing.
    fn read_below(&mut self, below: &str, extension: &str) {
        let dir = self.dir.join(below);
        let found = fs::symlink_metadata(&dir);
        if found.is_err_and(|error| error.kind() == io::ErrorKind::NotFound) {
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
                Ok((text, real)) => {
                    self.total = self.total.saturating_add(text.len());
                    self.files.insert(name, text.into());
                    self.open_to_all.extend(open_to_all(&real).then_some(real));
                }
                Err(fault) => self.faults.push(fault),
            }
            if self.total > MAX_TOTAL_BYTES {
                self.faults.push(Fault::new(format!(
                    "the files of `{}` have more than {MAX_TOTAL_BYTES} bytes together",
                    self.dir.display()
                )));
                break;
            }
        }
    }
}

/// The names of a folder's files with this extension. Hidden files are not looked at.
fn list(dir: &Path, extension: &str) -> Result<Vec<String>, Vec<Fault>> {
    let unreadable = |error: std::io::Error| {
        vec![Fault::new(format!(
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
                return Err(vec![Fault::new(format!(
                    "the name of `{}` is not UTF-8",
                    dir.join(name).display()
                ))]);
            }
        }
    }
    Ok(names)
}

/// The text, and the file that it stands in.
fn read_file(dir: &Path, root: &Path, name: &str) -> Result<(String, PathBuf), Fault> {
    let path = dir.join(name);
    let unreadable =
        |error: std::io::Error| Fault::new(format!("cannot read `{}`: {error}", path.display()));
    let real: PathBuf = fs::canonicalize(&path).map_err(unreadable)?;
    // A mounted folder may link within itself; out of it, somebody else decides what is read.
    if !real.starts_with(root) {
        return Err(Fault::new(format!(
            "`{}` leads out of the policy folder, to `{}`",
            path.display(),
            real.display()
        ))
        .help("put the file itself into the folder"));
    }
    // Before it is opened: opening a pipe would wait for its writer.
    if !fs::metadata(&real).map_err(unreadable)?.is_file() {
        return Err(Fault::new(format!("`{}` is not a file", path.display())));
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
            Fault::new(format!("`{}` is larger than {limit} bytes", path.display()))
                .help("split it into several files"),
        );
    }
    String::from_utf8(bytes)
        .map(|text| (text, real))
        .map_err(|error| Fault::new(format!("`{}` is not UTF-8: {error}", path.display())))
}

#[cfg(unix)]
fn open_to_all(path: &Path) -> bool {
    use std::os::unix::fs::PermissionsExt;

    fs::metadata(path).is_ok_and(|found| found.permissions().mode() & 0o002 != 0)
}

#[cfg(not(unix))]
const fn open_to_all(_: &Path) -> bool {
    false
}

/// Lengths go in front, so that no two folders have the same bytes to hash.
fn digest<'a>(files: impl Iterator<Item = (&'a String, &'a Arc<str>)>) -> String {
    let mut hash = Sha256::new();
    for part in files.flat_map(|(name, text)| [name.as_str(), text]) {
        hash.update((part.len() as u64).to_be_bytes());
        hash.update(part.as_bytes());
    }
    let mut hex = String::with_capacity(64);
    for byte in hash.finalize() {
        // Writing to a string cannot fail.
        let _ = write!(hex, "{byte:02x}");
    }
    hex
}
