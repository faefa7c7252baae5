//! `charter policy manifest`: writes a folder's manifest.

use std::io::Write;
use std::path::Path;
use std::process::ExitCode;

use clap::Args;
use serde_json::json;

use charter_authz::fault::LoadError;
use charter_authz::folder::Folder;
use charter_authz::snapshot::Snapshot;
use charter_policy::counted::counted;
use charter_policy::folder_header;
use charter_policy::manifest::{self, Manifest};
use charter_system::atomic;

use super::super::Error;
use super::super::output::OutputArgs;
use super::folder_args::FolderArgs;
use super::folder_fault;

/// Larger ones are not exact in every JSON reader, and leave no room for the next.
const MAX_VERSION: u64 = 1 << 53;

/// Write manifest.json: the folder's files, their digests, and a version one higher than before
#[derive(Debug, Args)]
pub(super) struct ManifestArgs {
    #[command(flatten)]
    folder: FolderArgs,
    #[command(flatten)]
    output: OutputArgs,
    /// The version; by default the next one
    #[arg(long, value_name = "NUMBER", value_parser = clap::value_parser!(u64).range(1..=MAX_VERSION))]
    version: Option<u64>,
}

/// Writes the manifest atomically.
///
/// # Errors
///
/// The folder is invalid, or the file cannot be written.
pub(super) fn run(args: &ManifestArgs, out: &mut dyn Write) -> Result<ExitCode, Error> {
    let (dir, _) = args.folder.resolve()?;
    let (folder, version) = match read(&dir, args.version) {
        Ok(read) => read,
        Err(error) => {
            let error = args.folder.faults(error);
            return folder_fault::report(Some(&dir), &error, args.output.json, out);
        }
    };
    let manifest = write(&dir, &folder, version)?;
    args.output.either(
        out,
        || {
            json!({
                "manifest": dir.join(manifest::NAME).display().to_string(),
                "version": manifest.version,
                "files": manifest.files,
                "folder": dir.display().to_string(),
                "digest": **folder.digest(),
            })
        },
        |out| {
            writeln!(out, "{}", describe(&dir, &manifest))?;
            write!(out, "{}", folder_header::line(&dir, folder.digest()))
        },
    )?;
    Ok(ExitCode::SUCCESS)
}

/// The folder and the version that it is to have; a manifest confirms that the folder is complete and valid.
fn read(dir: &Path, version: Option<u64>) -> Result<(Folder, u64), LoadError> {
    let folder = Folder::read(dir)?;
    Snapshot::from_folder(&folder)?;
    let before = || Manifest::read(&folder).map_err(|fault| LoadError::new(vec![fault]));
    let next = |before: Option<Manifest>| before.map_or(1, |it| it.version.saturating_add(1));
    let version = version.map_or_else(|| before().map(next), Ok)?;
    Ok((folder, version))
}

/// Writes the manifest of a folder.
pub(super) fn write(dir: &Path, folder: &Folder, version: u64) -> Result<Manifest, Error> {
    let manifest = Manifest::of(folder, version);
    let text = format!("{}\n", serde_json::to_string_pretty(&manifest)?);
    let path = dir.join(manifest::NAME);
    let written = atomic::replace_shared(&path, text.as_bytes());
    written.map_err(|error| Error::Unwritable(path, error))?;
    Ok(manifest)
}

pub(super) fn describe(dir: &Path, manifest: &Manifest) -> String {
    format!(
        "{} lists {} as version {}",
        dir.join(manifest::NAME).display(),
        counted(manifest.files.len(), "file", "files"),
        manifest.version
    )
}
