//! `charter policy gate`: the process in which `serve` has a candidate checked. It takes the job
//! from standard input and answers with the verdict, both as JSON.

use std::io::{self, Write};
use std::process::ExitCode;

use clap::Args;

use charter_domain::clock::SystemClock;
use charter_policy::stop::StopJob;
use charter_policy::{gates, limits};

use super::super::Error;

/// What is asked.
#[derive(Debug, Args)]
pub(super) struct GateArgs {
    /// Only find the files that add nothing but forbids
    #[arg(long)]
    stops: bool,
}

/// Checks one candidate.
///
/// # Errors
///
/// Standard input is no job, or the process cannot be confined.
pub(super) fn run(args: &GateArgs, out: &mut dyn Write) -> Result<ExitCode, Error> {
    limits::confine(args.stops)?;
    let input = io::stdin().lock();
    if args.stops {
        let job: StopJob = serde_json::from_reader(input)?;
        serde_json::to_writer(&mut *out, &job.stops())?;
    } else {
        let job: gates::CheckRequest = serde_json::from_reader(input)?;
        serde_json::to_writer(&mut *out, &gates::run(&job, &SystemClock::start()))?;
    }
    out.flush()?;
    Ok(ExitCode::SUCCESS)
}
