//! `charter openapi`: prints the OpenAPI document, as `/openapi.json` serves it.

use std::io::Write;
use std::process::ExitCode;

use crate::app;

use super::Error;

pub fn run(out: &mut dyn Write) -> Result<ExitCode, Error> {
    writeln!(out, "{}", app::openapi_document())?;
    Ok(ExitCode::SUCCESS)
}
