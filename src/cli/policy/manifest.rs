//! `charter policy manifest`: writes the list of a folder's files.

use std::fs;
use std::io::Write;
use std::path::Path;
use std::process::ExitCode;

use clap::Args;

use charter_authz::fault::LoadError;
use charter_authz::folder::Folder;
use charter_authz::snapshot::Snapshot;
use charter_policy::manifest::{self, Manifest};

use super::super::Error;
use super::{FolderArgs, read};

/// Write manifest.json: the folder's files, their digests, and a version one higher than before
#[derive(Debug, Args)]
pub(super) struct ManifestArgs {
    #[command(flatten)]
    folder: FolderArgs,
    /// The version, where it is not to be the next
    #[arg(long, value_name = "NUMBER")]
    version: Option<u64>,
}

/// Writes it, whole or not at all.
///
/// # Errors
///
/// The folder cannot be read, its policies are not valid, or the file cannot be written.
pub(super) fn run(args: &ManifestArgs, out: &mut dyn Write) -> Result<ExitCode, Error> {
    let faulty = |error: LoadError| Error::Policies(error.report());
    let (dir, _) = args.folder.resolve()?;
    let folder = read(&dir)?;
    // A manifest says that the folder is meant as it is.
    Snapshot::of(&folder).map_err(faulty)?;
    let version = match args.version {
        Some(version) => version,
        None => Manifest::read(&folder)
            .map_err(|fault| faulty(LoadError::new(vec![fault])))?
            .map_or(1, |before| before.version.saturating_add(1)),
    };
    write(&dir, &folder, version, out)?;
    Ok(ExitCode::SUCCESS)
}

/// Lists a folder as it is.
pub(super) fn write(
    dir: &Path,
    folder: &Folder,
    version: u64,
    out: &mut dyn Write,
) -> Result<(), Error> {
    let manifest = Manifest::of(folder, version);
    let path = dir.join(manifest::NAME);
    let new = dir.join(".manifest.json.new");
    fs::write(
        &new,
        format!("{}\n", serde_json::to_string_pretty(&manifest)?),
    )?;
    fs::rename(new, &path)?;
    writeln!(
        out,
        "{} lists {} files as version {}",
        path.display(),
        manifest.files.len(),
        manifest.version
    )?;
    Ok(())
}
