//! `charter policy new-domain`: a domain of one's own to begin with.

use std::io::Write;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::Args;
use serde_json::json;

use super::super::Error;
use super::super::operator::SettingsArgs;
use super::super::output::OutputArgs;
use charter_policy::new_domain::{self, NewDomainError};

/// Write a small domain into the policy folder's `domains/NAME`, ready to be edited
///
/// It has a schema, a policy, an invariant, examples and a route, and passes `check`, `test` and `prove`. Nothing that
/// is there is overwritten.
#[derive(Debug, Args)]
pub(super) struct NewDomainArgs {
    /// Its name, part of its addresses: `a-z 0-9 -`
    #[arg(value_name = "NAME")]
    name: String,
    /// The policy folder; if left out, `policies.dir` of the settings
    #[arg(value_name = "DIR")]
    dir: Option<PathBuf>,
    #[command(flatten)]
    settings: SettingsArgs,
    #[command(flatten)]
    output: OutputArgs,
}

/// # Errors
///
/// The name cannot be that of a domain, or is taken; the folder cannot be written.
pub(super) fn run(args: &NewDomainArgs, out: &mut dyn Write) -> Result<ExitCode, Error> {
    let folder = match &args.dir {
        Some(dir) => dir.clone(),
        None => args.settings.load()?.policies.dir,
    };
    let written = new_domain::write(&folder, &args.name).map_err(|error| match error {
        NewDomainError::BadName(rule) => Error::argument("NAME", rule),
        NewDomainError::Exists(_) => Error::refused("NAME", format!("is taken: {error}")),
        other => Error::Policies(other.to_string()),
    })?;
    let dir = written.dir.display();
    args.output.either(
        out,
        || json!({"folder": dir.to_string(), "files": written.files}),
        |out| {
            for file in &written.files {
                writeln!(out, "{dir}/{file}")?;
            }
            writeln!(out, "next: edit them, then")?;
            for tool in ["check", "test", "prove"] {
                writeln!(out, "  charter policy {tool} {dir}")?;
            }
            Ok(())
        },
    )?;
    Ok(ExitCode::SUCCESS)
}
