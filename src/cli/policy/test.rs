//! `charter policy test`: runs the folder's examples.

use std::fs;
use std::io::Write;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::Args;

use super::super::Error;
use super::super::output::{OutputArgs, document_to};
use super::super::progress;
use super::folder_args::FolderArgs;
use super::folder_fault;
use charter_authz::folder::Folder;
use charter_authz::snapshot::Snapshot;
use charter_domain::progress::Progress;
use charter_policy::folder_header;
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

/// Exit code 1 if an example fails or the coverage is too low.
pub(super) fn run(args: &TestArgs, out: &mut dyn Write) -> Result<ExitCode, Error> {
    let (dir, settings) = args.folder.resolve()?;
    let min_coverage = args.min_coverage.unwrap_or(settings.min_coverage);
    let shown = progress::show("running the examples", args.output, &Progress::default());
    let report = Folder::read(&dir).and_then(|folder| {
        let snapshot = Snapshot::from_folder(&folder)?;
        Ok((test::run(&folder, &snapshot)?, snapshot))
    });
    drop(shown);
    let junit = match &report {
        Ok((report, _)) => report.junit(),
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
    let (report, snapshot) = match report {
        Ok(report) => report,
        Err(error) => {
            return folder_fault::report(&args.folder.faults(error), args.output.json, out);
        }
    };
    if args.output.json {
        let document = folder_header::document(&dir, &snapshot, &report)?;
        document_to(out, &document)?;
    } else {
        write!(out, "{}", report.text(min_coverage))?;
        folder_header::write_header(&dir, &snapshot, out)?;
    }
    Ok(if report.holds(min_coverage) {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
}
