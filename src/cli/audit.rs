//! `charter audit verify`: whether anybody changed the record of changes.

use std::io::Write;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Args, Subcommand};

use super::Error;
use super::operator::SettingsArgs;

/// Verify the audit trail
#[derive(Debug, Args)]
pub struct AuditArgs {
    #[command(flatten)]
    settings: SettingsArgs,
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Find edited, missing, reordered, inserted and cut-off events
    Verify {
        /// Heads of the chains, kept outside the database; the data directory's if left out
        #[arg(long, value_name = "FILE")]
        heads: Option<PathBuf>,
    },
}

/// Verifies; exit code 1 if anything is wrong.
///
/// # Errors
///
/// The settings' or the database's faults, or the heads cannot be read.
pub fn run(args: &AuditArgs, out: &mut dyn Write) -> Result<ExitCode, Error> {
    args.settings.operate(async |operator| {
        let Command::Verify { heads } = &args.command;
        let default = operator.settings.data_dir.join("audit-heads.jsonl");
        let heads = heads.as_deref().unwrap_or(&default);
        let report = operator.store.verify_audit(Some(heads)).await?;
        for finding in &report.findings {
            writeln!(out, "{finding}")?;
        }
        writeln!(
            out,
            "{} organizations, {} events and {} heads checked, {} findings",
            report.organizations,
            report.events,
            report.heads,
            report.findings.len()
        )?;
        Ok(ExitCode::from(u8::from(!report.findings.is_empty())))
    })
}
