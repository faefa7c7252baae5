//! `charter policy fmt`: policy files in Cedar's own layout.

use std::fs;
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::Args;
use serde_json::json;

use super::super::Error;
use super::super::output::OutputArgs;
use super::{FolderArgs, read};
use charter_authz::fault::LoadError;
use charter_authz::snapshot::Snapshot;
use charter_policy::format;

/// Lay out the policies and invariants as Cedar's own formatter does
#[derive(Debug, Args)]
pub(super) struct FmtArgs {
    #[command(flatten)]
    folder: FolderArgs,
    #[command(flatten)]
    output: OutputArgs,
    /// Change nothing, only name the files that would change
    #[arg(long)]
    check: bool,
}

/// Prints the names of the files that change. Exit code 1: with `--check`, there are some.
///
/// # Errors
///
/// The folder has a fault, a file would mean something else, or cannot be written.
pub(super) fn run(args: &FmtArgs, out: &mut dyn Write) -> Result<ExitCode, Error> {
    let told = |error: LoadError| Error::Policies(error.report());
    let (dir, _) = args.folder.resolve()?;
    let folder = read(&dir)?;
    // Only what loads is known to be shallow enough for a recursive formatter.
    Snapshot::of(&folder).map_err(told)?;
    let mut changes = Vec::new();
    let mut faults = Vec::new();
    for source in folder.policy_files() {
        match format::formatted(source) {
            Ok(Some(text)) => changes.push((PathBuf::from(source.name()), text)),
            Ok(None) => {}
            Err(more) => faults.extend(more),
        }
    }
    if !faults.is_empty() {
        return Err(told(LoadError::new(faults)));
    }
    for (file, text) in &changes {
        if !args.check {
            replace(file, text)?;
        }
    }
    let names = || changes.iter().map(|(file, _)| file.display().to_string());
    args.output.either(
        out,
        || json!({"changed": names().collect::<Vec<_>>(), "written": !args.check}),
        |out| names().try_for_each(|name| writeln!(out, "{name}")),
    )?;
    Ok(if args.check && !changes.is_empty() {
        ExitCode::FAILURE
    } else {
        ExitCode::SUCCESS
    })
}

/// At once, so that a service that watches the folder never reads half a file.
fn replace(file: &Path, text: &str) -> io::Result<()> {
    let file = fs::canonicalize(file)?;
    let name = file.file_name().unwrap_or_default().to_string_lossy();
    let beside = file.with_file_name(format!(".{name}.new"));
    fs::write(&beside, text)?;
    fs::set_permissions(&beside, fs::metadata(&file)?.permissions())?;
    fs::rename(&beside, &file)
}
