//! `charter policy gate`: the child process that checks candidates for `serve`. Reads a JSON request from standard
//! input and writes a JSON verdict.

use std::io::{self, Write};
use std::process::ExitCode;

use clap::Args;

use charter_domain::clock::SystemClock;
use charter_policy::emergency_stop::StopCheckRequest;
use charter_policy::{gates, process_limits};

use super::super::Error;

#[derive(Debug, Args)]
pub(super) struct GateArgs {
    /// Only find the files that add nothing but forbids
    #[arg(long)]
    stops: bool,
    /// Let requests that are served meanwhile go first
    #[arg(long)]
    background: bool,
}

/// # Errors
///
/// Standard input is not a request, or the process cannot be limited.
pub(super) fn run(args: &GateArgs, out: &mut dyn Write) -> Result<ExitCode, Error> {
    process_limits::limit_resources()?;
    if args.background {
        process_limits::lower_priority();
    }
    let input = io::stdin().lock();
    if args.stops {
        let job: StopCheckRequest = serde_json::from_reader(input)?;
        serde_json::to_writer(&mut *out, &job.stop_files())?;
    } else {
        let job: gates::CheckRequest = serde_json::from_reader(input)?;
        serde_json::to_writer(&mut *out, &gates::run(&job, &SystemClock::start()))?;
    }
    out.flush()?;
    Ok(ExitCode::SUCCESS)
}
