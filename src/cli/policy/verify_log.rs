//! `charter policy verify-log`: verifies the decision log.

use std::io::Write;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::Args;
use serde_json::json;

use crate::app::{StartError, decisions};
use charter_decision_log::{VerificationReport, verify};
use charter_domain::progress::Progress;
use charter_policy::counted::counted;

use super::super::Error;
use super::super::operator::SettingsArgs;
use super::super::output::{OutputArgs, document_to};
use super::super::progress;

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
    #[command(flatten)]
    output: OutputArgs,
}

/// Exit code 1 if there are findings.
pub(super) fn run(args: &VerifyLogArgs, out: &mut dyn Write) -> Result<ExitCode, Error> {
    let settings = args.settings.load()?;
    let keys = settings.require_keys().map_err(StartError::from)?;
    let own = args.dir.is_none();
    let dir = args.dir.as_ref().unwrap_or(&settings.decisions.dir);
    let head = args
        .head
        .clone()
        .or_else(|| own.then(|| decisions::decision_head(&settings)));
    let shown = progress::show(
        "checking the decision log",
        args.output,
        &Progress::default(),
    );
    let report = verify(dir, head.as_deref(), &decisions::log_keys(keys));
    drop(shown);
    let report = report.map_err(|error| Error::DecisionLog(dir.clone(), error))?;
    if args.output.json {
        let findings = report.findings.iter().map(|found| {
            json!({"file": found.file, "line": found.line, "finding": found.finding.to_string()})
        });
        let document = json!({
            "directory": dir.display().to_string(),
            "head": head.as_ref().map(|head| head.display().to_string()),
            "files": report.files,
            "lines": report.lines,
            "decisions": report.decisions,
            "of_domains": report.of_domains,
            "counted": report.counted,
            "findings": findings.collect::<Vec<_>>(),
            "notes": report.notes,
        });
        document_to(out, &document)?;
        return Ok(verdict(&report));
    }
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
        "{}, {} and {} checked, {} more counted in them, {}",
        counted(report.files, "file", "files"),
        counted(report.lines, "line", "lines"),
        counted(report.decisions, "decision", "decisions"),
        report.counted,
        counted(report.findings.len(), "finding", "findings")
    )?;
    for (domain, count) in &report.of_domains {
        writeln!(out, "{count} of the decisions are of the domain `{domain}`")?;
    }
    Ok(verdict(&report))
}

fn verdict(report: &VerificationReport) -> ExitCode {
    ExitCode::from(u8::from(!report.findings.is_empty()))
}
