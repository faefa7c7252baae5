//! `charter policy check`: parses and validates a folder, as `serve` does.

use std::io::Write;
use std::process::ExitCode;

use clap::Args;

use super::super::Error;
use super::super::output::OutputArgs;
use super::super::progress;
use super::finish::finish;
use super::folder_args::FolderArgs;
use charter_domain::progress::Progress;
use charter_policy::commands;

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
    let shown = progress::show("checking the policies", args.output, &Progress::default());
    let checked = commands::check(&dir, settings.manifest);
    drop(shown);
    let faults = |error| args.folder.faults(error);
    finish(checked, Some(&dir), faults, args.output, out)
}
