//! `charter policy approve`: an operator answers for an edit that was held back.

use std::io::Write;
use std::process::ExitCode;

use clap::Args;

use crate::app::StartError;
use crate::app::policies::Memory;
use crate::domain::clock::{Clock, SystemClock};

use super::super::Error;
use super::super::operator::SettingsArgs;

/// Approve a folder that allows more, or promises less, than what is in force
#[derive(Debug, Args)]
pub(super) struct ApproveArgs {
    /// The folder's digest, as /readyz and `charter policy check` show it
    #[arg(value_name = "DIGEST")]
    digest: String,
    #[command(flatten)]
    settings: SettingsArgs,
}

/// Notes it in the data directory; the service takes the folder within a second or two.
///
/// # Errors
///
/// The settings' faults, or the note cannot be written.
pub(super) fn run(args: &ApproveArgs, out: &mut dyn Write) -> Result<ExitCode, Error> {
    let digest = args.digest.trim();
    if digest.len() != 64
        || !digest
            .bytes()
            .all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'))
    {
        return Err(Error::argument("DIGEST", "is 64 hexadecimal digits"));
    }
    let settings = args.settings.load()?;
    let keys = settings.require_keys().map_err(StartError::from)?;
    Memory::of(&settings.data_dir, keys).approve(digest, SystemClock::start().now())?;
    writeln!(out, "approved {digest}")?;
    Ok(ExitCode::SUCCESS)
}
