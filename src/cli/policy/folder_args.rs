//! Arguments for the policy folder.

use std::path::{Path, PathBuf};

use clap::Args;

use super::super::Error;
use super::super::operator::SettingsArgs;
use crate::settings::Policies;
use charter_authz::fault::LoadError;
use charter_authz::folder::Folder;
use charter_policy::domain_arg::{DomainArg, DomainArgError};

/// The folder a subcommand is about, and how the settings want it checked.
#[derive(Debug, Args)]
pub(super) struct FolderArgs {
    /// The policy folder; if left out, `policies.dir` of the settings
    #[arg(value_name = "DIR")]
    pub(super) dir: Option<PathBuf>,
    #[command(flatten)]
    pub(super) domain: DomainArg,
    #[command(flatten)]
    pub(super) settings: SettingsArgs,
}

impl FolderArgs {
    /// The folder's path and the policy settings.
    pub(super) fn resolve(&self) -> Result<(PathBuf, Policies), Error> {
        let policies = self.settings.load()?.policies;
        let dir = self.dir.as_ref().unwrap_or(&policies.dir);
        let dir = self.domain.within(dir).map_err(unknown_domain)?;
        Ok((dir, policies))
    }

    /// The faults of the folder. Of one that is missing, the advice is about the argument that names it.
    pub(super) fn faults(&self, error: LoadError) -> LoadError {
        of_argument(error, self.dir.is_some().then_some("DIR"))
    }

    pub(super) fn read(&self, dir: &Path) -> Result<Folder, Error> {
        Ok(Folder::read(dir).map_err(|error| self.faults(error))?)
    }
}

/// Faults of a folder that this argument names; `None` for the settings.
pub(super) fn of_argument(error: LoadError, argument: Option<&str>) -> LoadError {
    match argument {
        Some(argument) => error.renamed("the setting `policies.dir`", &format!("`{argument}`")),
        None => error,
    }
}

/// `--domain` names none.
pub(super) fn unknown_domain(error: DomainArgError) -> Error {
    match error {
        DomainArgError::BadName => Error::argument("--domain", error),
        DomainArgError::Unknown { .. } => Error::Policies(error.to_string()),
    }
}
