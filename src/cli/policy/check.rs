//! `charter policy check`: parse and validate a folder as `serve` does.

use std::io::Write;
use std::process::ExitCode;

use clap::Args;

use charter_authz::snapshot::Snapshot;
use charter_policy::gates;

use super::super::Error;
use super::{FolderArgs, read};

/// Parse and validate a folder, as the service does before it takes it
#[derive(Debug, Args)]
pub(super) struct CheckArgs {
    #[command(flatten)]
    folder: FolderArgs,
}

/// Prints what it holds, and both digests: the one that decisions name, and the one that is approved.
///
/// # Errors
///
/// Every fault of the folder, with file, line and caret.
pub(super) fn run(args: &CheckArgs, out: &mut dyn Write) -> Result<ExitCode, Error> {
    let (dir, settings) = args.folder.resolve()?;
    let folder = read(&dir)?;
    let faulty = |error: charter_authz::fault::LoadError| Error::Policies(error.report());
    let version = gates::check_manifest(&folder, settings.manifest).map_err(faulty)?;
    let snapshot = Snapshot::of(&folder).map_err(faulty)?;
    let count = snapshot.policies().policies().count();
    writeln!(
        out,
        "ok, {count} policies, {} invariants, {} files of examples",
        snapshot.invariants().len(),
        folder.tests().len()
    )?;
    if let Some(version) = version {
        writeln!(out, "manifest      version {version}")?;
    }
    writeln!(out, "folder        {}", dir.display())?;
    writeln!(out, "digest        {}", snapshot.digest())?;
    writeln!(out, "whole folder  {}", folder.whole_digest())?;
    Ok(ExitCode::SUCCESS)
}
