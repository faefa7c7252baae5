//! Reads a policy folder as it is on disk, or as it was in a git revision.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::process::Command;

use super::tree::Tree;
use charter_authz::fault::LoadError;
use charter_authz::folder::Folder;
use charter_authz::snapshot::Snapshot;
use charter_domain::entropy::Entropy;

/// Where a bare revision has the folder.
const USUAL_PATH: &str = "policies";
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
    /// What was read is no good policy folder.
    #[error(transparent)]
    Policies(LoadError),
}

/// Loads `FOLDER`, `REVISION:FOLDER` or `REVISION`, which has it at `policies`. A folder that is
/// there goes first.
///
/// # Errors
///
/// It cannot be found or read, or is no good policy folder.
pub fn load(spec: &str, entropy: &dyn Entropy) -> Result<Snapshot, RevisionError> {
    load_from(Path::new("."), spec, entropy)
}

/// As [`load`], for somebody who works in this directory.
///
/// # Errors
///
/// As [`load`].
pub fn load_from(dir: &Path, spec: &str, entropy: &dyn Entropy) -> Result<Snapshot, RevisionError> {
    let on_disk = dir.join(spec);
    if on_disk.is_dir() {
        return of(&on_disk, spec);
    }
    let (revision, path) = spec.split_once(':').unwrap_or((spec, USUAL_PATH));
    // To git `./` is a path and `.` is none.
    let path = match path.strip_suffix('/') {
        Some(stripped) if !stripped.ends_with('.') => stripped,
        _ => path,
    };
    let copy = TemporaryFolder::new(entropy)?;
    check_out(dir, spec, revision, path, &copy.path)?;
    of(&copy.path, &format!("{revision}:{path}"))
}

/// Faults name the files as the caller knows them.
fn of(dir: &Path, title: &str) -> Result<Snapshot, RevisionError> {
    Folder::read(dir)
        .map_err(|error| error.renamed(&dir.display().to_string(), title))
        .and_then(|folder| Folder::of_files(Path::new(title), folder.files().clone()))
        .and_then(|folder| Snapshot::of(&folder))
        .map_err(RevisionError::Policies)
}

fn check_out(
    dir: &Path,
    spec: &str,
    revision: &str,
    path: &str,
    to: &Path,
) -> Result<(), RevisionError> {
    let git = |arguments: &[&str]| git(dir, arguments);
    let unusable = |what: String| RevisionError::Unusable {
        revision: revision.to_owned(),
        what,
    };
    let unknown = |git: String| RevisionError::Unknown {
        spec: spec.to_owned(),
        git,
    };
    if revision.is_empty() || revision.starts_with('-') {
        return Err(unknown("not a revision".to_owned()));
    }
    let verify = |name: &str| git(&["rev-parse", "--verify", "--end-of-options", name]);
    verify(&format!("{revision}^{{commit}}"))?.map_err(unknown)?;
    // Git's own rules: from the top, or from here if it begins with `./`; nothing is the top itself.
    let tree = verify(&format!("{revision}:{path}"))?
        .map_err(|git| unusable(format!("has no policy folder `{path}`; git says: {git}")))?;
    let tree = String::from_utf8_lossy(&tree).trim().to_owned();
    let listed = git(&["ls-tree", "-r", "-z", "-l", "--full-tree", &tree])?
        .map_err(|git| unusable(format!("has no folder at `{path}`; git says: {git}")))?;
    let listed = String::from_utf8(listed)
        .map_err(|_| unusable(format!("has names that are not UTF-8 in `{path}`")))?;
    let mut tree = Tree::parse(&listed);
    let text = |object: &str| git(&["cat-file", "blob", object])?.map_err(unusable);
    for (object, target) in tree.links() {
        *target = String::from_utf8(text(object)?).ok();
    }
    let files = tree.files().map_err(|link| {
        unusable(format!(
            "has a link at `{link}` in `{path}` that leads out of the folder, or nowhere"
        ))
    })?;
    if files.is_empty() {
        return Err(unusable(format!("has no policy folder `{path}`")));
    }
    let bytes: u64 = files.iter().map(|(_, entry)| entry.size).sum();
    if files.len() > MAX_FILES || bytes > MAX_TOTAL_BYTES {
        return Err(unusable(format!("has too much in `{path}`")));
    }
    for (name, entry) in files {
        let file = to.join(name);
        if let Some(parent) = file.parent() {
            fs::create_dir_all(parent)?;
        }
        fs::write(file, text(&entry.object)?)?;
    }
    Ok(())
}

/// What git prints, or what it complains about.
fn git(dir: &Path, arguments: &[&str]) -> Result<Result<Vec<u8>, String>, RevisionError> {
    let output = Command::new("git")
        .current_dir(dir)
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
