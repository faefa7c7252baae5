//! `charter check`: checks whether the service would start.

use std::io::Write;
use std::process::ExitCode;

use clap::Args;
use serde_json::{Value, json};

use crate::app::check::{self, CheckedPart};
use crate::settings::Settings;

use super::operator::SettingsArgs;
use super::output::{OutputArgs, document_to};
use super::{Error, progress, serve};
use charter_domain::progress::Progress;

/// Check all that a start of the service needs, without serving and without writing anything
///
/// It may run beside the service. The exit code is 0 if the service would start and serve, 1 if it would start and
/// refuse requests, else 2. A policy folder that a start refuses is 0 with a note if the service would start with the
/// policies accepted last (`policies.start = "last-accepted"`), and 2 if not; `charter policy check`, `test` and
/// `prove` judge a folder by itself.
#[derive(Debug, Args)]
pub struct CheckArgs {
    #[command(flatten)]
    settings: SettingsArgs,
    #[command(flatten)]
    output: OutputArgs,
}

/// Exit code if the service would not start, as of all errors.
const CANNOT_START: u8 = 2;
/// Exit code if it would start and refuse requests.
const FINDINGS: u8 = 1;

/// Prints a line for each part. Returns all faults that prevent a start as the error.
pub fn run(args: &CheckArgs, out: &mut dyn Write) -> Result<ExitCode, Error> {
    let parts = match args.settings.preview() {
        Ok(settings) => {
            let program = serve::this_program()?;
            let work = async { Ok(check::check(&settings, &program).await) };
            let what = "checking what a start needs";
            let shown = progress::show(what, args.output, &Progress::default());
            let parts = super::operator::block_on(work);
            drop(shown);
            let mut parts = parts?;
            parts.extend(traces(&settings));
            parts
        }
        Err(error) => {
            let mut part = CheckedPart::new("settings");
            part.fault(&error);
            vec![part]
        }
    };
    let all = |of: fn(&CheckedPart) -> &[String]| -> Vec<&str> {
        parts.iter().flat_map(of).map(String::as_str).collect()
    };
    let (faults, findings) = (all(|part| &part.faults), all(|part| &part.findings));
    if args.output.json {
        let is_ok = faults.is_empty() && findings.is_empty();
        document_to(out, &json!({"ok": is_ok, "parts": parts}))?;
        return Ok(ExitCode::from(match (&*faults, &*findings) {
            ([], []) => 0,
            ([], _) => FINDINGS,
            _ => CANNOT_START,
        }));
    }
    for part in &parts {
        print(part, out)?;
    }
    match (faults.as_slice(), findings.as_slice()) {
        ([], []) => Ok(ExitCode::SUCCESS),
        ([], findings) => Err(Error::Findings(findings.join("\n- "))),
        (faults, findings) => Err(Error::CannotStart(together(faults, findings))),
    }
}

fn traces(settings: &Settings) -> Option<CheckedPart> {
    let endpoint = settings.telemetry.otlp_endpoint.clone()?;
    let mut part = CheckedPart::new("traces").fact("endpoint", endpoint);
    if let Err(error) = serve::traces(settings) {
        part.fault(&error);
    }
    Some(part)
}

fn print(part: &CheckedPart, out: &mut dyn Write) -> std::io::Result<()> {
    let verdict = match (part.ok, part.findings.as_slice()) {
        (true, []) => "ok",
        (true, _) => "finding",
        (false, _) => "fault",
    };
    write!(out, "{:<10} {verdict:<6}", part.name)?;
    let mut before = " ";
    for (name, value) in &part.facts {
        let value = in_words(value);
        if !value.is_empty() {
            write!(out, "{before}{} {value}", name.replace('_', " "))?;
            before = ", ";
        }
    }
    writeln!(out)?;
    for note in &part.notes {
        writeln!(out, "{:<10} note    {note}", "")?;
    }
    Ok(())
}

fn in_words(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        Value::Array(values) => {
            let values: Vec<String> = values.iter().map(in_words).collect();
            values.join(" ")
        }
        Value::Null => String::new(),
        other => other.to_string(),
    }
}

fn together(faults: &[&str], findings: &[&str]) -> String {
    let all = [faults, findings].concat();
    let list = all.join("\n- ");
    match all.len() {
        1 => list,
        count => format!("the service would not start, {count} faults:\n- {list}"),
    }
}
