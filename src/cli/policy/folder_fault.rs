//! Prints a folder's faults in the requested format.

use std::io::Write;
use std::process::ExitCode;

use super::super::Error;
use super::super::output::document_to;
use charter_authz::fault::LoadError;

/// Exit code of errors.
const CANNOT_WORK: u8 = 2;

/// Prints the faults as JSON, or returns them as the error.
pub(super) fn report(
    error: &LoadError,
    json: bool,
    out: &mut dyn Write,
) -> Result<ExitCode, Error> {
    if !json {
        return Err(Error::Policies(error.report()));
    }
    document_to(out, &error.document())?;
    Ok(ExitCode::from(CANNOT_WORK))
}
