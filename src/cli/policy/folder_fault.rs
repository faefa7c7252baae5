//! Prints a folder's faults in the requested format.

use std::io::Write;
use std::path::Path;
use std::process::ExitCode;

use super::super::Error;
use super::super::output::document_to;
use charter_authz::fault::LoadError;
use charter_policy::folder_header;

/// Exit code of errors.
const CANNOT_WORK: u8 = 2;

/// Prints the faults as JSON, with the folder and its digest if it is a single one, or returns them as the error, which
/// names the files.
pub(super) fn report(
    dir: Option<&Path>,
    error: LoadError,
    json: bool,
    out: &mut dyn Write,
) -> Result<ExitCode, Error> {
    if !json {
        return Err(error.into());
    }
    let document = match dir {
        Some(dir) => folder_header::document_of_faults(dir, &error),
        None => error.document(),
    };
    document_to(out, &document)?;
    Ok(ExitCode::from(CANNOT_WORK))
}
