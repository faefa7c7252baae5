//! `charter policy workbench`: the child process that does long work on policies for `serve`. Reads a JSON job from
//! standard input and writes its events, one JSON line each.

use std::io::{self, Write};
use std::process::ExitCode;

use charter_domain::clock::SystemClock;
use charter_policy::process_limits;
use charter_policy::workbench::{self, WorkbenchEvent, WorkbenchJob};

use super::super::Error;

/// # Errors
///
/// Standard input is not a job, or the process cannot be limited.
pub(super) fn run(out: &mut dyn Write) -> Result<ExitCode, Error> {
    process_limits::limit_resources()?;
    process_limits::lower_priority();
    let job: WorkbenchJob = serde_json::from_reader(io::stdin().lock())?;
    let mut send = |event: &WorkbenchEvent| -> io::Result<()> {
        serde_json::to_writer(&mut *out, event)?;
        out.write_all(b"\n")?;
        out.flush()
    };
    // When nobody reads, the process is about to be killed.
    workbench::run(&job, &SystemClock::start(), |event| send(event).is_ok());
    Ok(ExitCode::SUCCESS)
}
