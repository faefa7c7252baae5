//! `charter policy gate`: the process in which `serve` has a candidate checked. It takes the job
//! from standard input and answers with the verdict, both as JSON.

use std::io::{self, Write};
use std::process::ExitCode;

use crate::domain::clock::SystemClock;
use crate::policy::{gates, limits};

use super::super::Error;

/// Checks one candidate.
///
/// # Errors
///
/// Standard input is no job, or the process cannot be confined.
pub(super) fn run(out: &mut dyn Write) -> Result<ExitCode, Error> {
    limits::confine()?;
    let job: gates::Job = serde_json::from_reader(io::stdin().lock())?;
    serde_json::to_writer(&mut *out, &gates::run(&job, &SystemClock::start()))?;
    out.flush()?;
    Ok(ExitCode::SUCCESS)
}
