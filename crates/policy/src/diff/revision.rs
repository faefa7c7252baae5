//! Reads a policy folder from disk or from a git revision.

use std::fs::{self, Permissions};
use std::io;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::process::Command;

use super::git_tree::GitTree;
use charter_authz::fault::LoadError;
use charter_authz::folder::{self, Files, Folder};
use charter_authz::snapshot::Snapshot;

/// Path of the folder if only a revision is named.
const USUAL_PATH: &str = "policies";
const MAX_FILES: usize = 10_000;
const MAX_TOTAL_BYTES: u64 = 16 * 1024 * 1024;

/// Why a folder or revision could not be read.
#[derive(Debug, thiserror::Error)]
pub enum RevisionError {
    /// `git` could not be started.
    #[error("cannot run `git`: {0}")]
    NoGit(io::Error),
    /// Neither a folder nor a revision.
    #[error(
        "`{spec}` is neither a folder nor a revision that git knows here: write a folder, `REVISION` or `REVISION:FOLDER`; git says: {git}"
    )]
    Unknown {
        /// The argument.
        spec: String,
        /// The message of git.
        git: String,
    },
    /// The revision has no such folder, or not as files.
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
    /// The folder has faults.
    #[error(transparent)]
    Policies(LoadError),
}

/// A folder's texts and what they mean.
#[derive(Debug)]
pub struct LoadedRevision {
    /// The texts, by name.
    pub files: Files,
    /// What they mean.
    pub snapshot: Snapshot,
}

/// Loads `FOLDER`, `REVISION:FOLDER` or `REVISION`, whose folder is `policies`. An existing folder
/// takes precedence.
///
/// # Errors
///
/// The folder cannot be found or read, or has faults.
pub fn load(spec: &str) -> Result<LoadedRevision, RevisionError> {
    load_from(Path::new("."), spec)
}

/// Like [`load`], relative to a directory.
///
/// # Errors
///
/// As [`load`].
pub fn load_from(dir: &Path, spec: &str) -> Result<LoadedRevision, RevisionError> {
    let on_disk = dir.join(spec);
    if on_disk.is_dir() {
        return of(&on_disk, spec);
    }
    let (revision, path) = spec.split_once(':').unwrap_or((spec, USUAL_PATH));
    // Git takes `./` as a path, but not `.`.
    let path = match path.strip_suffix('/') {
        Some(stripped) if !stripped.ends_with('.') => stripped,
        _ => path,
    };
    let copy = tempfile::Builder::new()
        .prefix("charter-")
        .permissions(Permissions::from_mode(0o700))
        .tempdir()?;
    // Git takes `./` from here.
    let is_custom_domain = if path.starts_with("./") {
        folder::is_custom_domain(&dir.join(path))
    } else {
        folder::is_custom_domain(Path::new(path))
    };
    let to = if is_custom_domain {
        copy.path().join(folder::DOMAINS).join("domain")
    } else {
        copy.path().to_owned()
    };
    fs::create_dir_all(&to)?;
    check_out(dir, spec, revision, path, &to)?;
    of(&to, &format!("{revision}:{path}"))
}

/// Faults name files as the caller named the folder.
fn of(dir: &Path, title: &str) -> Result<LoadedRevision, RevisionError> {
    Folder::read(dir)
        .map_err(|error| error.renamed(&dir.display().to_string(), title))
        .and_then(|folder| folder.titled(Path::new(title)))
        .and_then(|folder| {
            let snapshot = Snapshot::from_folder(&folder)?;
            let files = folder.files().clone();
            Ok(LoadedRevision { files, snapshot })
        })
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
    // Git resolves the path from the top, or from here if it begins with `./`; an empty path is the
    // top itself.
    let tree = verify(&format!("{revision}:{path}"))?
        .map_err(|git| unusable(format!("has no policy folder `{path}`; git says: {git}")))?;
    let tree = String::from_utf8_lossy(&tree).trim().to_owned();
    let listed = git(&["ls-tree", "-r", "-z", "-l", "--full-tree", &tree])?
        .map_err(|git| unusable(format!("has no folder at `{path}`; git says: {git}")))?;
    let listed = String::from_utf8(listed)
        .map_err(|_| unusable(format!("has names that are not UTF-8 in `{path}`")))?;
    let mut tree = GitTree::parse(&listed);
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

/// The output of git, or its error message.
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
