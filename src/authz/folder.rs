//! Reads a policy folder: the schema, and every policy file at its top level.

use std::fmt::Write;
use std::fs::{self, File};
use std::io::Read;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use miette::NamedSource;
use sha2::{Digest, Sha256};

use super::fault::{Fault, Source};

/// The schema's file name.
pub(super) const SCHEMA: &str = "schema.cedarschema";

const MAX_SCHEMA_BYTES: u64 = 100_000;
const MAX_FILE_BYTES: u64 = 1024 * 1024;
const MAX_TOTAL_BYTES: usize = 16 * 1024 * 1024;

/// What the folder holds.
pub(super) struct Folder {
    pub(super) schema: Source,
    /// Sorted by name.
    pub(super) policies: Vec<Source>,
    /// SHA-256 over the sorted names and contents, in lowercase hex.
    pub(super) digest: Arc<str>,
}

/// Reads the whole folder.
///
/// # Errors
///
/// Every file that cannot be read, is too large or is not the folder's own.
pub(super) fn read(dir: &Path) -> Result<Folder, Vec<Fault>> {
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
    let names = list(dir)?;
    let mut faults = Vec::new();
    let mut files = Vec::new();
    let mut total = 0_usize;
    for name in names {
        match read_file(dir, &root, &name) {
            Ok(text) => {
                total = total.saturating_add(text.len());
                files.push((name, text));
            }
            Err(fault) => faults.push(fault),
        }
        if total > MAX_TOTAL_BYTES {
            faults.push(Fault::new(format!(
                "the files of `{}` have more than {MAX_TOTAL_BYTES} bytes together",
                dir.display()
            )));
            break;
        }
    }
    if !files.iter().any(|(name, _)| name != SCHEMA) && faults.is_empty() {
        faults.push(
            Fault::new(format!("`{}` holds no policy file", dir.display())).help(
                "policies are read from its `*.cedar` files; without any, nothing is allowed",
            ),
        );
    }
    if !faults.is_empty() {
        return Err(faults);
    }
    let digest = digest(&files);
    let source = |name: &str, text: &str| -> Source {
        let path = dir.join(name).display().to_string();
        Arc::new(NamedSource::new(path, Arc::from(text)))
    };
    let mut schema = None;
    let mut policies = Vec::new();
    for (name, text) in &files {
        if name == SCHEMA {
            schema = Some(source(name, text));
        } else {
            policies.push(source(name, text));
        }
    }
    schema
        .map(|schema| Folder {
            schema,
            policies,
            digest: digest.into(),
        })
        .ok_or_else(|| vec![Fault::new(format!("`{}` has no `{SCHEMA}`", dir.display()))])
}

/// The schema and the policy files, sorted. Hidden files and other names are not looked at.
fn list(dir: &Path) -> Result<Vec<String>, Vec<Fault>> {
    let unreadable = |error: std::io::Error| {
        vec![Fault::new(format!(
            "cannot list the policy folder `{}`: {error}",
            dir.display()
        ))]
    };
    let mut names = vec![SCHEMA.to_owned()];
    for entry in fs::read_dir(dir).map_err(unreadable)? {
        let name = entry.map_err(unreadable)?.file_name();
        let is_policy = Path::new(&name)
            .extension()
            .is_some_and(|extension| extension == "cedar");
        if !is_policy {
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
    names.sort_unstable();
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
fn digest(files: &[(String, String)]) -> String {
    let mut hash = Sha256::new();
    for part in files.iter().flat_map(|(name, text)| [name, text]) {
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
