//! `charter policy check`: parses and validates a folder, as `serve` does.

use std::io::Write;
use std::process::ExitCode;

use charter_policy::commands;
use clap::Args;

use super::super::Error;
use super::super::output::OutputArgs;
use super::finish::finish;
use super::folder_args::FolderArgs;

/// Parse and validate a folder, as the service does before it loads it
#[derive(Debug, Args)]
pub(super) struct CheckArgs {
    #[command(flatten)]
    folder: FolderArgs,
    #[command(flatten)]
    output: OutputArgs,
}

pub(super) fn run(args: &CheckArgs, out: &mut dyn Write) -> Result<ExitCode, Error> {
    let (dir, settings) = args.folder.resolve()?;
    let checked = commands::check(&dir, settings.manifest);
    finish(checked, |error| args.folder.faults(error), args.output, out)
}
