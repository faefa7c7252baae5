//! The argument that chooses a domain of one's own.

use std::path::{Path, PathBuf};

use clap::Args;

use charter_authz::folder::{DOMAINS, MAX_DOMAIN_NAME, is_domain_name};

/// Of a git revision that names no folder.
const USUAL_FOLDER: &str = "policies";

/// Which part of a policy folder a tool works on.
#[derive(Debug, Clone, Args)]
pub struct DomainArg {
    /// Work on this domain of the policy folder, `domains/NAME`, instead of the folder itself
    #[arg(long, value_name = "NAME")]
    pub domain: Option<String>,
}

/// There is no such domain.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum DomainArgError {
    /// It cannot be the name of a domain.
    #[error("must have 1 to {MAX_DOMAIN_NAME} characters of `a-z 0-9 -`, and not begin with `-`")]
    BadName,
    /// The folder has none of that name.
    #[error("`{folder}` has no domain `{name}`{known}")]
    Unknown {
        /// The policy folder.
        folder: String,
        /// The name.
        name: String,
        /// Those that there are.
        known: String,
    },
}

impl DomainArg {
    /// The folder to work on.
    ///
    /// # Errors
    ///
    /// The policy folder has no such domain.
    pub fn within(&self, folder: &Path) -> Result<PathBuf, DomainArgError> {
        let Some(name) = &self.domain else {
            return Ok(folder.to_owned());
        };
        let dir = Self::place(folder, name)?;
        if dir.is_dir() {
            return Ok(dir);
        }
        Err(DomainArgError::Unknown {
            folder: folder.display().to_string(),
            name: name.clone(),
            known: known(&folder.join(DOMAINS)),
        })
    }

    /// The same for a policy folder or a git revision, as `diff` takes them.
    ///
    /// # Errors
    ///
    /// As [`DomainArg::within`], for a folder on disk.
    pub fn within_revision(&self, spec: &str) -> Result<String, DomainArgError> {
        let Some(name) = &self.domain else {
            return Ok(spec.to_owned());
        };
        let on_disk = Path::new(spec);
        if on_disk.is_dir() {
            return Ok(self.within(on_disk)?.display().to_string());
        }
        let (revision, folder) = spec.split_once(':').unwrap_or((spec, USUAL_FOLDER));
        let place = Self::place(Path::new(folder), name)?;
        Ok(format!("{revision}:{}", place.display()))
    }

    /// Where a policy folder has a domain.
    ///
    /// # Errors
    ///
    /// The name cannot be one.
    pub fn place(folder: &Path, name: &str) -> Result<PathBuf, DomainArgError> {
        if !is_domain_name(name) {
            return Err(DomainArgError::BadName);
        }
        Ok(folder.join(DOMAINS).join(name))
    }
}

/// The domains below a directory, by name; hidden directories are none.
#[must_use]
pub fn names(domains: &Path) -> Vec<String> {
    let entries = std::fs::read_dir(domains).into_iter().flatten().flatten();
    let dirs = entries.filter(|entry| entry.path().is_dir());
    let names = dirs.map(|entry| entry.file_name().to_string_lossy().into_owned());
    let mut names: Vec<String> = names.filter(|name| is_domain_name(name)).collect();
    names.sort_unstable();
    names
}

fn known(domains: &Path) -> String {
    let names = names(domains);
    if names.is_empty() {
        return ", and no other".to_owned();
    }
    format!("; it has `{}`", names.join("`, `"))
}
