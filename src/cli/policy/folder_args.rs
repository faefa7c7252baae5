//! Arguments for the policy folder.

use std::path::{Path, PathBuf};

use clap::Args;

use super::super::Error;
use super::super::operator::SettingsArgs;
use crate::settings::Policies;
use charter_authz::folder::Folder;

/// The folder a subcommand is about, and how the settings want it checked.
#[derive(Debug, Args)]
pub(super) struct FolderArgs {
    /// The policy folder; if left out, `policies.dir` of the settings
    #[arg(value_name = "DIR")]
    pub(super) dir: Option<PathBuf>,
    #[command(flatten)]
    pub(super) settings: SettingsArgs,
}

impl FolderArgs {
    /// The folder's path and the policy settings.
    pub(super) fn resolve(&self) -> Result<(PathBuf, Policies), Error> {
        let policies = self.settings.load()?.policies;
        let dir = self.dir.clone().unwrap_or_else(|| policies.dir.clone());
        Ok((dir, policies))
    }
}

pub(super) fn read(dir: &Path) -> Result<Folder, Error> {
    Folder::read(dir).map_err(|error| Error::Policies(error.report()))
}
