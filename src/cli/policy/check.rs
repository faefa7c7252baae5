//! `charter policy check`: parse and validate a folder as `serve` does.

use std::io::Write;
use std::process::ExitCode;

use clap::Args;

use super::super::Error;
use super::FolderArgs;

/// Parse and validate a folder, as the service does before it takes it
#[derive(Debug, Args)]
pub(super) struct CheckArgs {
    #[command(flatten)]
    folder: FolderArgs,
}

/// Prints the digest.
///
/// # Errors
///
/// Every fault of the folder, with file, line and caret.
pub(super) fn run(args: &CheckArgs, out: &mut dyn Write) -> Result<ExitCode, Error> {
    let snapshot = args.folder.load()?;
    writeln!(
        out,
        "ok, {} policies, {} invariants, digest {}",
        snapshot.policies().policies().count(),
        snapshot.invariants().len(),
        snapshot.digest()
    )?;
    Ok(ExitCode::SUCCESS)
}
