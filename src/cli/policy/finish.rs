//! Ends the commands that `charter-policy` has, too.

use std::io::Write;
use std::path::Path;
use std::process::ExitCode;

use charter_authz::fault::LoadError;
use charter_policy::commands::{CommandError, CommandOutput};

use super::super::Error;
use super::super::output::OutputArgs;
use super::folder_fault;

/// Prints the output, or the faults with the advice that `faults` gives. `dir`: the one folder that the command is
/// about.
pub(super) fn finish(
    done: Result<CommandOutput, CommandError>,
    dir: Option<&Path>,
    faults: impl FnOnce(LoadError) -> LoadError,
    output: OutputArgs,
    out: &mut dyn Write,
) -> Result<ExitCode, Error> {
    match done {
        Ok(done) => Ok(done.print(output.json, out)?),
        Err(CommandError::Policies(error)) => {
            folder_fault::report(dir, faults(error), output.json, out)
        }
        Err(CommandError::Solver(error)) => Err(error.into()),
        Err(CommandError::Json(error)) => Err(error.into()),
        Err(error) => Err(Error::Policies(error.to_string())),
    }
}
