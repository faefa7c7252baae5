//! Reads a policy folder whole: the schema, the policy files at its top level, the invariants and
//! the examples. Everything that is said of a folder is said of what was read here, once.

use std::fmt::Write;
use std::fs::{self, File};
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use miette::NamedSource;
use sha2::{Digest, Sha256};

use super::fault::{Fault, LoadError, Source};

/// The schema's file name.
pub(super) const SCHEMA: &str = "schema.cedarschema";

const MAX_SCHEMA_BYTES: u64 = 100_000;
const MAX_FILE_BYTES: u64 = 1024 * 1024;
const MAX_TOTAL_BYTES: usize = 16 * 1024 * 1024;

/// Below the folder: what must hold whatever anybody edits.
const INVARIANTS: &str = "invariants";
/// Below the folder: requests with the answer that is expected.
const TESTS: &str = "tests";

/// What the folder holds, as it was read; later changes to the files do not show.
#[derive(Debug, Clone)]
pub struct Folder {
    /// The schema.
    pub(super) schema: Source,
    /// The policies in force, sorted by file name.
    pub(super) policies: Vec<Source>,
    /// `invariants/*.cedar`, sorted by file name.
    pub(super) invariants: Vec<Source>,
    /// `tests/*.json`, sorted by file name.
    pub(super) tests: Vec<Source>,
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
        read(dir).map_err(LoadError::new)
    }

    /// The policies in force and the invariants.
    pub fn policy_files(&self) -> impl Iterator<Item = &Source> {
        self.policies.iter().chain(&self.invariants)
    }

    /// `tests/*.json`, sorted by file name.
    #[must_use]
    pub fn tests(&self) -> &[Source] {
        &self.tests
    }

    /// SHA-256 over the sorted names and contents of schema and policies, in lowercase hex: what
    /// decisions name.
    #[must_use]
    pub const fn digest(&self) -> &Arc<str> {
        &self.digest
    }

    /// The same over invariants and examples, too: what a verdict about the folder is about.
    #[must_use]
    pub const fn whole_digest(&self) -> &Arc<str> {
        &self.whole_digest
    }
}

fn read(dir: &Path) -> Result<Folder, Vec<Fault>> {
    let root = fs::canonicalize(dir).map_err(|error| {
        vec![
            Fault::new(format!(
                "cannot open the policy folder `{}`: {error}",
                dir.display()
            ))
            .help("name an existing folder with the setting `policies.dir`"),
        ]
    })?;
    warn_if_anybody_may_write(&root);
    let mut reader = Reader {
        dir,
        root: &root,
        total: 0,
        faults: Vec::new(),
    };
    let mut in_force = vec![SCHEMA.to_owned()];
    in_force.extend(list(dir, "cedar")?);
    in_force.sort_unstable();
    let in_force = reader.read_all("", in_force);
    let invariants = reader.read_below(INVARIANTS, "cedar");
    let tests = reader.read_below(TESTS, "json");
    let mut faults = reader.faults;
    if !in_force.iter().any(|(name, _)| name != SCHEMA) && faults.is_empty() {
        faults.push(
            Fault::new(format!("`{}` holds no policy file", dir.display())).help(
                "policies are read from its `*.cedar` files; without any, nothing is allowed",
            ),
        );
    }
    if !faults.is_empty() {
        return Err(faults);
    }
    let digest_of_policies = digest(&in_force);
    let whole = [&in_force, &invariants, &tests];
    let whole_digest = digest(whole.into_iter().flatten());
    let sources = |files: &[(String, String)]| -> Vec<Source> {
        files
            .iter()
            .map(|(name, text)| source(dir, name, text))
            .collect()
    };
    let (schema, policies): (Vec<_>, Vec<_>) =
        in_force.into_iter().partition(|(name, _)| name == SCHEMA);
    let schema = sources(&schema).pop();
    schema
        .map(|schema| Folder {
            schema,
            policies: sources(&policies),
            invariants: sources(&invariants),
            tests: sources(&tests),
            digest: digest_of_policies.into(),
            whole_digest: whole_digest.into(),
        })
        .ok_or_else(|| vec![Fault::new(format!("`{}` has no `{SCHEMA}`", dir.display()))])
}

fn source(dir: &Path, name: &str, text: &str) -> Source {
    let path = dir.join(name).display().to_string();
    Arc::new(NamedSource::new(path, Arc::from(text)))
}

/// Reads files as long as they are not too much together.
struct Reader<'a> {
    dir: &'a Path,
    root: &'a Path,
    total: usize,
    faults: Vec<Fault>,
}

impl Reader<'_> {
    /// The files of a folder in the folder, which may be missing.
    fn read_below(&mut self, below: &str, extension: &str) -> Vec<(String, String)> {
        let dir = self.dir.join(below);
        match fs::symlink_metadata(&dir) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Vec::new(),
            _ => {}
        }
        match list(&dir, extension) {
            Ok(mut names) => {
                names.sort_unstable();
                self.read_all(below, names)
            }
            Err(faults) => {
                self.faults.extend(faults);
                Vec::new()
            }
        }
    }

    /// Names in the result are relative to the policy folder.
    fn read_all(&mut self, below: &str, names: Vec<String>) -> Vec<(String, String)> {
        let mut files = Vec::new();
        for name in names {
            let name = if below.is_empty() {
                name
            } else {
                format!("{below}/{name}")
            };
            match read_file(self.dir, self.root, &name) {
                Ok(text) => {
                    self.total = self.total.saturating_add(text.len());
                    files.push((name, text));
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
        files
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

fn read_file(dir: &Path, root: &Path, name: &str) -> Result<String, Fault> {
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
    warn_if_anybody_may_write(&real);
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
        .map_err(|error| Fault::new(format!("`{}` is not UTF-8: {error}", path.display())))
}

/// Whoever may write here decides who may do what.
#[cfg(unix)]
fn warn_if_anybody_may_write(path: &Path) {
    use std::os::unix::fs::PermissionsExt;

    let anybody = fs::metadata(path).is_ok_and(|found| found.permissions().mode() & 0o002 != 0);
    if anybody {
        tracing::warn!(
            path = %path.display(),
            "every user of this machine may change the policies, take that right away"
        );
    }
}

#[cfg(not(unix))]
const fn warn_if_anybody_may_write(_: &Path) {}

/// Lengths go in front, so that no two folders have the same bytes to hash.
fn digest<'a>(files: impl IntoIterator<Item = &'a (String, String)>) -> String {
    let mut hash = Sha256::new();
    for part in files.into_iter().flat_map(|(name, text)| [name, text]) {
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
