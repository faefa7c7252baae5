//! `charter policy check`: parses and validates a folder, as `serve` does.

use std::io::Write;
use std::process::ExitCode;

use clap::Args;
use serde_json::json;

use charter_authz::folder::Folder;
use charter_authz::snapshot::Snapshot;
use charter_policy::gates;

use super::super::Error;
use super::super::output::{OutputArgs, document_to};
use super::folder_args::FolderArgs;
use super::folder_fault;

/// Parse and validate a folder, as the service does before it loads it
#[derive(Debug, Args)]
pub(super) struct CheckArgs {
    #[command(flatten)]
    folder: FolderArgs,
    #[command(flatten)]
    output: OutputArgs,
}

/// Prints the content and two digests: the one in decisions, and the one to approve.
///
/// # Errors
///
/// All faults of the folder, with file, line and caret.
pub(super) fn run(args: &CheckArgs, out: &mut dyn Write) -> Result<ExitCode, Error> {
    let (dir, settings) = args.folder.resolve()?;
    let checked = Folder::read(&dir).and_then(|folder| {
        let version = gates::check_manifest(&folder, settings.manifest)?;
        Ok((version, Snapshot::from_folder(&folder)?, folder))
    });
    let (version, snapshot, folder) = match checked {
        Ok(checked) => checked,
        Err(error) => {
            return folder_fault::report(&args.folder.faults(error), args.output.json, out);
        }
    };
    let count = snapshot.policies().policies().count();
    if args.output.json {
        let document = json!({
            "policies": count,
            "invariants": snapshot.invariants().len(),
            "examples": folder.tests().len(),
            "manifest_version": version,
            "folder": dir.display().to_string(),
            "digest": snapshot.digest().to_string(),
            "whole_folder": folder.whole_digest().to_string(),
            "notes": folder.unread(),
        });
        document_to(out, &document)?;
        return Ok(ExitCode::SUCCESS);
    }
    writeln!(
        out,
        "ok, {count} policies, {} invariants, {} files of examples",
        snapshot.invariants().len(),
        folder.tests().len()
    )?;
    if let Some(version) = version {
        writeln!(out, "manifest      version {version}")?;
    }
    writeln!(out, "folder        {}", dir.display())?;
    writeln!(out, "digest        {}", snapshot.digest())?;
    writeln!(out, "whole folder  {}", folder.whole_digest())?;
    for unread in folder.unread() {
        writeln!(out, "note: {unread}")?;
    }
    Ok(ExitCode::SUCCESS)
}
