//! `charter policy test`: runs the folder's examples.

use std::fs;
use std::io::Write;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::Args;

use super::super::Error;
use super::super::output::OutputArgs;
use super::super::progress;
use super::finish::finish;
use super::folder_args::FolderArgs;
use charter_domain::progress::Progress;
use charter_policy::commands::{self, CommandError};
use charter_policy::test;

/// Run the folder's examples, and list policies and conditions that none of them covers
#[derive(Debug, Args)]
pub(super) struct TestArgs {
    #[command(flatten)]
    folder: FolderArgs,
    /// Also write the results as `JUnit` XML
    #[arg(long, value_name = "FILE")]
    junit: Option<PathBuf>,
    /// Fail if less is covered; if left out, `policies.min_coverage` of the settings
    #[arg(
        long,
        value_name = "PERCENT",
        value_parser = clap::value_parser!(u8).range(0..=100)
    )]
    min_coverage: Option<u8>,
    #[command(flatten)]
    output: OutputArgs,
}

pub(super) fn run(args: &TestArgs, out: &mut dyn Write) -> Result<ExitCode, Error> {
    let (dir, settings) = args.folder.resolve()?;
    let min_coverage = args.min_coverage.unwrap_or(settings.min_coverage);
    let progress = Progress::default();
    let shown = progress::show("running the examples", args.output, &progress);
    let tested = commands::test(&dir, &progress);
    drop(shown);
    let junit = match &tested {
        Ok(tested) => tested.report.junit(),
        Err(error) => test::junit_of_faults(error),
    };
    if let Some(file) = &args.junit {
        let junit = junit
            .map_err(|error| Error::argument("--junit", format!("cannot be written: {error}")))?;
        fs::write(file, junit).map_err(|error| {
            let rule = format!("cannot be written to `{}`: {error}", file.display());
            Error::argument("--junit", rule)
        })?;
    }
    let output = tested
        .map_err(CommandError::from)
        .and_then(|tested| Ok(tested.output(min_coverage)?));
    let faults = |error| args.folder.faults(error);
    finish(output, Some(&dir), faults, args.output, out)
}
