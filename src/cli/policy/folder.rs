//! The folder that a subcommand is about.

use std::io::Write;
use std::path::{Path, PathBuf};

use clap::Args;
use serde::Serialize;
use serde_json::Value;

use super::super::Error;
use super::super::operator::SettingsArgs;
use crate::settings::Policies;
use charter_authz::folder::Folder;
use charter_authz::snapshot::Snapshot;

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
    /// Where the folder is, and the settings of policies.
    ///
    /// # Errors
    ///
    /// The settings' faults.
    pub(super) fn resolve(&self) -> Result<(PathBuf, Policies), Error> {
        let policies = self.settings.load()?.policies;
        let dir = self.dir.clone().unwrap_or_else(|| policies.dir.clone());
        Ok((dir, policies))
    }
}

pub(super) fn read(dir: &Path) -> Result<Folder, Error> {
    Folder::read(dir).map_err(|error| Error::Policies(error.report()))
}

/// Which folder a verdict is about: where it is, and what it holds.
pub(super) fn name(dir: &Path, snapshot: &Snapshot, out: &mut dyn Write) -> std::io::Result<()> {
    writeln!(
        out,
        "folder `{}`, digest {}",
        dir.display(),
        snapshot.digest()
    )
}

/// The same, in a JSON document.
pub(super) fn document(
    dir: &Path,
    snapshot: &Snapshot,
    verdict: impl Serialize,
) -> Result<Value, Error> {
    let mut document = serde_json::to_value(verdict)?;
    if let Value::Object(members) = &mut document {
        members.insert("folder".to_owned(), dir.display().to_string().into());
        members.insert("digest".to_owned(), snapshot.digest().to_string().into());
    }
    Ok(document)
}
