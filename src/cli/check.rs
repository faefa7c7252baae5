//! `charter check`: checks whether the service would start.

use std::io::Write;
use std::process::ExitCode;

use clap::Args;
use serde_json::{Value, json};

use crate::app::check::{self, Part};
use crate::settings::Settings;

use super::Error;
use super::operator::SettingsArgs;
use super::output::{OutputArgs, document_to};
use super::serve;

/// Check all that a start of the service needs, without serving and without writing anything
///
/// It may run beside the service. The exit code is 0 if the service would start, else 2.
#[derive(Debug, Args)]
pub struct CheckArgs {
    #[command(flatten)]
    settings: SettingsArgs,
    #[command(flatten)]
    output: OutputArgs,
}

/// Exit code if the service would not start, as of all errors.
const CANNOT_START: u8 = 2;

/// Prints a line for each part. Returns all faults that prevent a start as the error.
pub fn run(args: &CheckArgs, out: &mut dyn Write) -> Result<ExitCode, Error> {
    let parts = match args.settings.preview() {
        Ok(settings) => {
            let program = serve::this_program()?;
            let work = async { Ok(check::check(&settings, &program).await) };
            let mut parts = super::operator::block_on(work)?;
            parts.extend(traces(&settings));
            parts
        }
        Err(error) => {
            let mut part = Part::new("settings");
            part.fault(&error);
            vec![part]
        }
    };
    let faults: Vec<&str> = parts
        .iter()
        .flat_map(|part| part.faults.iter().map(String::as_str))
        .collect();
    if args.output.json {
        let document = json!({"ok": faults.is_empty(), "parts": parts});
        document_to(out, &document)?;
        let code = if faults.is_empty() { 0 } else { CANNOT_START };
        return Ok(ExitCode::from(code));
    }
    for part in &parts {
        print(part, out)?;
    }
    match faults.as_slice() {
        [] => Ok(ExitCode::SUCCESS),
        faults => Err(Error::CannotStart(together(faults))),
    }
}

fn traces(settings: &Settings) -> Option<Part> {
    let endpoint = settings.telemetry.otlp_endpoint.clone()?;
    let mut part = Part::new("traces").fact("endpoint", endpoint);
    if let Err(error) = serve::traces(settings) {
        part.fault(&error);
    }
    Some(part)
}

fn print(part: &Part, out: &mut dyn Write) -> std::io::Result<()> {
    let verdict = if part.ok { "ok" } else { "fault" };
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

fn together(faults: &[&str]) -> String {
    match faults {
        [only] => (*only).to_owned(),
        faults => {
            let count = faults.len();
            let list = faults.join("\n- ");
            format!("the service would not start, {count} faults:\n- {list}")
        }
    }
}
