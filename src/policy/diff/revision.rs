//! Reads a policy folder as it is on disk, or as it was in a git revision.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::authz::folder::Folder;
use crate::authz::snapshot::Snapshot;
use crate::domain::entropy::Entropy;

/// Where a bare revision has the folder.
const USUAL_PATH: &str = "policies";
/// What a policy folder consists of.
const EXTENSIONS: [&str; 3] = ["cedar", "cedarschema", "json"];
const MAX_FILES: usize = 10_000;
const MAX_TOTAL_BYTES: u64 = 16 * 1024 * 1024;

/// Why a folder or revision could not be read.
#[derive(Debug, thiserror::Error)]
pub enum RevisionError {
    /// `git` could not be started.
    #[error("cannot run `git`: {0}")]
    NoGit(io::Error),
    /// It is neither a folder nor a revision.
    #[error(
        "`{spec}` is neither a folder nor a revision that git knows here: write a folder, `REVISION` or `REVISION:FOLDER`; git says: {git}"
    )]
    Unknown {
        /// As it was given.
        spec: String,
        /// What git said.
        git: String,
    },
    /// The revision does not have it, or not as files.
    #[error("revision `{revision}` {what}")]
    Unusable {
        /// The revision.
        revision: String,
        /// What is wrong.
        what: String,
    },
    /// The temporary copy could not be written.
    #[error("cannot write a temporary copy: {0}")]
    Copy(#[from] io::Error),
    /// What was read is no good policy folder; the text is the whole report.
    #[error("{0}")]
    Policies(String),
}

/// Loads `FOLDER`, `REVISION:FOLDER` or `REVISION`, which has it at `policies`. A folder that is
/// there goes first.
///
/// # Errors
///
/// It cannot be found or read, or is no good policy folder.
pub fn load(spec: &str, entropy: &dyn Entropy) -> Result<Snapshot, RevisionError> {
    let on_disk = Path::new(spec);
    if on_disk.is_dir() {
        return of(on_disk, spec);
    }
    let (revision, path) = spec.split_once(':').unwrap_or((spec, USUAL_PATH));
    let path = path.trim_end_matches('/');
    let copy = TemporaryFolder::new(entropy)?;
    check_out(spec, revision, path, &copy.path)?;
    of(&copy.path, &format!("{revision}:{path}"))
}

/// Faults name the files as the caller knows them.
fn of(dir: &Path, title: &str) -> Result<Snapshot, RevisionError> {
    Folder::read(dir)
        .and_then(|folder| Snapshot::of(&folder))
        .map_err(|error| {
            let report = error.report();
            RevisionError::Policies(report.replace(&dir.display().to_string(), title))
        })
}

fn check_out(spec: &str, revision: &str, path: &str, to: &Path) -> Result<(), RevisionError> {
    let unusable = |what: String| RevisionError::Unusable {
        revision: revision.to_owned(),
        what,
    };
    if revision.is_empty() || revision.starts_with('-') {
        return Err(RevisionError::Unknown {
            spec: spec.to_owned(),
            git: "not a revision".to_owned(),
        });
    }
    let commit = format!("{revision}^{{commit}}");
    let commit =
        git(&["rev-parse", "--verify", &commit])?.map_err(|git| RevisionError::Unknown {
            spec: spec.to_owned(),
            git,
        })?;
    let commit = String::from_utf8_lossy(&commit).trim().to_owned();
    let below = format!("{path}/");
    let tree = [
        "ls-tree",
        "-r",
        "-z",
        "-l",
        "--full-tree",
        &commit,
        "--",
        &below,
    ];
    let tree = git(&tree)?.map_err(unusable)?;
    let tree = String::from_utf8(tree)
        .map_err(|_| unusable(format!("has names that are not UTF-8 in `{path}`")))?;
    let (mut files, mut bytes) = (0, 0);
    for entry in tree.split('\0').filter(|entry| !entry.is_empty()) {
        let Some((Entry { mode, object, size }, name)) = Entry::parse(entry, &below) else {
            continue;
        };
        if mode == "120000" {
            return Err(unusable(format!(
                "has a link at `{below}{name}`, not a file"
            )));
        }
        files += 1;
        bytes += size;
        if files > MAX_FILES || bytes > MAX_TOTAL_BYTES {
            return Err(unusable(format!("has too much in `{path}`")));
        }
        let text = git(&["cat-file", "blob", object])?.map_err(unusable)?;
        let file = to.join(name);
        if let Some(parent) = file.parent() {
            fs::create_dir_all(parent)?;
        }
        fs::write(file, text)?;
    }
    if files == 0 {
        return Err(unusable(format!("has no policy folder `{path}`")));
    }
    Ok(())
}

/// A line of `git ls-tree -l`.
struct Entry<'t> {
    mode: &'t str,
    object: &'t str,
    size: u64,
}

impl<'t> Entry<'t> {
    /// With its name in the folder; `None` if it does not belong to a policy folder.
    fn parse(line: &'t str, below: &str) -> Option<(Self, &'t str)> {
        let (entry, path) = line.split_once('\t')?;
        let mut fields = entry.split_whitespace();
        let (mode, kind) = (fields.next()?, fields.next()?);
        let object = fields.next()?;
        let size = fields.next()?.parse().ok()?;
        let name = path.strip_prefix(below)?;
        let extension = Path::new(name).extension()?.to_str()?;
        let belongs = kind == "blob"
            && EXTENSIONS.contains(&extension)
            && name.split('/').count() <= 2
            && name.split('/').all(|part| !part.starts_with('.'));
        belongs.then_some((Self { mode, object, size }, name))
    }
}

/// What git prints, or what it complains about.
fn git(arguments: &[&str]) -> Result<Result<Vec<u8>, String>, RevisionError> {
    let output = Command::new("git")
        .args(arguments)
        .env("GIT_OPTIONAL_LOCKS", "0")
        .output()
        .map_err(RevisionError::NoGit)?;
    if output.status.success() {
        return Ok(Ok(output.stdout));
    }
    Ok(Err(String::from_utf8_lossy(&output.stderr)
        .trim()
        .trim_start_matches("fatal: ")
        .to_owned()))
}

/// A directory that nobody else can read, gone when this is dropped.
struct TemporaryFolder {
    path: PathBuf,
}

impl TemporaryFolder {
    fn new(entropy: &dyn Entropy) -> io::Result<Self> {
        let mut name = [0; 16];
        entropy.fill(&mut name);
        let name = u128::from_be_bytes(name);
        let path = std::env::temp_dir().join(format!("charter-{name:032x}"));
        let mut builder = fs::DirBuilder::new();
        #[cfg(unix)]
        std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
        // It must not be there yet: somebody else's would be theirs to write.
        builder.create(&path)?;
        Ok(Self { path })
    }
}

impl Drop for TemporaryFolder {
    fn drop(&mut self) {
        if let Err(error) = fs::remove_dir_all(&self.path) {
            tracing::warn!(
                path = %self.path.display(),
                error = &error as &dyn std::error::Error,
                "a temporary copy of policies could not be removed"
            );
        }
    }
}
