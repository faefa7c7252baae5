//! A small domain to begin with, which passes all gates.

use std::fs::{self, Permissions};
use std::io;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use charter_authz::folder::DOMAINS;
use tempfile::Builder;

use super::domain_arg::{DomainArg, DomainArgError};

const BEFORE_UMASK: u32 = 0o777;
/// What stands for the domain's name in the texts.
const NAME: &str = "DOMAIN";

/// Name and text of each file.
const FILES: [(&str, &str); 5] = [
    ("schema.cedarschema", include_str!("schema.cedarschema")),
    ("policies.cedar", include_str!("policies.cedar")),
    (
        "invariants/active-organizations.cedar",
        include_str!("active-organizations.cedar"),
    ),
    ("tests/items.json", include_str!("tests.json")),
    ("routes.toml", include_str!("routes.toml")),
];

/// Why no domain was written.
#[derive(Debug, thiserror::Error)]
pub enum NewDomainError {
    /// It cannot be the name of a domain.
    #[error(transparent)]
    BadName(DomainArgError),
    /// There is no policy folder to put it in.
    #[error("there is no policy folder `{0}`")]
    NoFolder(String),
    /// Something of that name is there already.
    #[error("`{0}` is there already, and is left as it is")]
    Exists(String),
    /// The policy folder's `domains` is a link to somewhere else.
    #[error("`{0}` leads out of the policy folder")]
    LeadsOut(String),
    /// A file could not be written.
    #[error("`{path}` cannot be written: {error}")]
    Unwritable {
        /// The file or directory.
        path: String,
        /// Why.
        error: io::Error,
    },
}

/// A domain that was written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewDomain {
    /// Its folder.
    pub dir: PathBuf,
    /// The names of its files.
    pub files: Vec<&'static str>,
}

/// Writes a small domain into a policy folder. A service that watches it sees all of it or nothing.
///
/// # Errors
///
/// The name cannot be that of a domain, or is taken; the folder cannot be written.
pub fn write(folder: &Path, name: &str) -> Result<NewDomain, NewDomainError> {
    let dir = DomainArg::place(folder, name).map_err(NewDomainError::BadName)?;
    if !folder.is_dir() {
        return Err(NewDomainError::NoFolder(folder.display().to_string()));
    }
    if fs::symlink_metadata(&dir).is_ok() {
        return Err(NewDomainError::Exists(dir.display().to_string()));
    }
    let domains = folder.join(DOMAINS);
    fs::create_dir_all(&domains).map_err(|error| unwritable(&domains, error))?;
    if !is_within(&domains, folder) {
        return Err(NewDomainError::LeadsOut(domains.display().to_string()));
    }
    // Hidden directories are no domains. The name cannot be guessed, and nobody else's directory or link is taken.
    let draft = Builder::new()
        .prefix(&format!(".{name}."))
        .suffix(".new")
        .permissions(Permissions::from_mode(BEFORE_UMASK))
        .tempdir_in(&domains)
        .map_err(|error| unwritable(&domains, error))?;
    write_files(draft.path(), name)?;
    fs::rename(draft.path(), &dir).map_err(|error| unwritable(&dir, error))?;
    // The name is gone, so there is nothing to remove on drop.
    let _ = draft.keep();
    Ok(NewDomain {
        dir,
        files: FILES.iter().map(|(name, _)| *name).collect(),
    })
}

fn is_within(dir: &Path, folder: &Path) -> bool {
    let real = fs::canonicalize(dir).and_then(|dir| Ok((dir, fs::canonicalize(folder)?)));
    real.is_ok_and(|(dir, folder)| dir.starts_with(folder))
}

fn write_files(dir: &Path, domain: &str) -> Result<(), NewDomainError> {
    for (name, text) in FILES {
        let file = dir.join(name);
        let parent = file.parent().unwrap_or(dir);
        fs::create_dir_all(parent).map_err(|error| unwritable(parent, error))?;
        let text = text.replace(NAME, domain);
        fs::write(&file, text).map_err(|error| unwritable(&file, error))?;
    }
    Ok(())
}

fn unwritable(path: &Path, error: io::Error) -> NewDomainError {
    NewDomainError::Unwritable {
        path: path.display().to_string(),
        error,
    }
}
