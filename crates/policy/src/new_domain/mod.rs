//! A small domain to begin with, which passes all gates.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use charter_authz::folder::DOMAINS;

use super::domain_arg::{DomainArg, DomainArgError};

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
    // Hidden directories are no domains.
    let draft = folder.join(DOMAINS).join(format!(".{name}.new"));
    let written = write_files(&draft, name).and_then(|()| {
        let unwritable = |error| unwritable(&dir, error);
        fs::rename(&draft, &dir).map_err(unwritable)
    });
    if let Err(error) = written {
        // What is left of it is in nobody's way but the next one's.
        let _ = fs::remove_dir_all(&draft);
        return Err(error);
    }
    Ok(NewDomain {
        dir,
        files: FILES.iter().map(|(name, _)| *name).collect(),
    })
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
