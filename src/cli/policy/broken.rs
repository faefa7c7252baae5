//! A folder that cannot be used, in the form that was asked for.

use std::io::Write;
use std::process::ExitCode;

use super::super::Error;
use super::super::output::document_to;
use charter_authz::fault::LoadError;

/// As for every error that kept a command from its work.
const CANNOT_WORK: u8 = 2;

/// Prints the faults as one JSON document if that was asked for; else they are the error.
///
/// # Errors
///
/// The faults, or they cannot be written.
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
