//! `charter policy verify-log`: whether anybody changed the record of decisions.

use std::io::Write;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::Args;

use crate::app::{StartError, decisions};
use charter_decision_log::verify;

use super::super::Error;
use super::super::operator::SettingsArgs;

/// Find edited, missing, reordered, inserted and cut-off lines of a decision log
#[derive(Debug, Args)]
pub(super) struct VerifyLogArgs {
    #[command(flatten)]
    settings: SettingsArgs,
    /// The log's directory; the one of the settings if left out
    #[arg(value_name = "DIR")]
    dir: Option<PathBuf>,
    /// The log's head, kept outside of it; the data directory's if DIR is left out
    #[arg(long, value_name = "FILE")]
    head: Option<PathBuf>,
}

/// Verifies; exit code 1 if anything is wrong.
///
/// # Errors
///
/// The settings' faults, or the log cannot be read.
pub(super) fn run(args: &VerifyLogArgs, out: &mut dyn Write) -> Result<ExitCode, Error> {
    let settings = args.settings.load()?;
    let keys = settings.require_keys().map_err(StartError::from)?;
    let own = args.dir.is_none();
    let dir = args.dir.as_ref().unwrap_or(&settings.decisions.dir);
    let head = args
        .head
        .clone()
        .or_else(|| own.then(|| decisions::decision_head(&settings)));
    let report = verify(dir, head.as_deref(), &decisions::log_keys(keys))
        .map_err(|error| Error::DecisionLog(dir.clone(), error))?;
    for finding in &report.findings {
        writeln!(out, "{finding}")?;
    }
    for note in &report.notes {
        writeln!(out, "note: {note}")?;
    }
    if head.is_none() {
        writeln!(out, "note: no head was given, so a cut end would not show")?;
    }
    writeln!(
        out,
        "{} files, {} lines and {} decisions checked, {} more counted in them, {} findings",
        report.files,
        report.lines,
        report.decisions,
        report.counted,
        report.findings.len()
    )?;
    Ok(ExitCode::from(u8::from(!report.findings.is_empty())))
}
