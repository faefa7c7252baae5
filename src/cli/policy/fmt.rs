//! `charter policy fmt`: policy files in Cedar's own layout.

use std::fs;
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;

use clap::Args;
use serde_json::json;

use super::super::Error;
use super::super::output::OutputArgs;
use super::super::progress;
use super::folder_args::FolderArgs;
use super::folder_fault;
use super::manifest;
use charter_authz::fault::LoadError;
use charter_authz::folder::Folder;
use charter_authz::snapshot::Snapshot;
use charter_domain::progress::Progress;
use charter_policy::folder_header;
use charter_policy::format;
use charter_policy::manifest::{Manifest, NAME};
use charter_system::atomic;

/// Format policies and invariants as Cedar's own formatter does
///
/// A manifest.json that matches the folder is written anew.
#[derive(Debug, Args)]
pub(super) struct FmtArgs {
    #[command(flatten)]
    folder: FolderArgs,
    #[command(flatten)]
    output: OutputArgs,
    /// Change nothing, only list the files that would change
    #[arg(long)]
    check: bool,
}

/// Prints the names of changed files, then the folder with the digest that it has now. Exit code 1 if `--check` finds
/// some.
///
/// # Errors
///
/// The folder is faulty, formatting would change a file's meaning, or a file cannot be written.
pub(super) fn run(args: &FmtArgs, out: &mut dyn Write) -> Result<ExitCode, Error> {
    let (dir, _) = args.folder.resolve()?;
    let shown = progress::show("formatting", args.output, &Progress::default());
    let read = read(&dir);
    drop(shown);
    let (folder, changes, manifest) = match read {
        Ok(read) => read,
        Err(error) => {
            let error = args.folder.faults(error);
            return folder_fault::report(Some(&dir), error, args.output.json, out);
        }
    };
    for (file, text) in &changes {
        if !args.check {
            replace(file, text).map_err(|error| Error::Unwritable(file.clone(), error))?;
        }
    }
    // A manifest that did not match the folder is not updated.
    let (mut listed, mut left_alone) = (None, false);
    if let Some(before) = manifest.filter(|_| !args.check && !changes.is_empty()) {
        if before.verify(&folder).is_ok() {
            let version = before.version.saturating_add(1);
            listed = Some(manifest::write(&dir, &args.folder.read(&dir)?, version)?);
        } else {
            left_alone = true;
        }
    }
    let digest = if args.check || changes.is_empty() {
        Arc::clone(folder.digest())
    } else {
        Arc::clone(args.folder.read(&dir)?.digest())
    };
    let names = || changes.iter().map(|(file, _)| file.display().to_string());
    let document = || {
        json!({
            "folder": dir.display().to_string(),
            "digest": *digest,
            "changed": names().collect::<Vec<_>>(),
            "written": !args.check,
            "manifest_version": listed.as_ref().map(|manifest| manifest.version),
            "manifest_left_alone": left_alone,
        })
    };
    args.output.either(out, document, |out| {
        names().try_for_each(|name| writeln!(out, "{name}"))?;
        if let Some(manifest) = &listed {
            writeln!(out, "{}", manifest::describe(&dir, manifest))?;
        }
        if left_alone {
            writeln!(
                out,
                "note: {} did not list the folder as it was and is left alone; when the folder is whole, \
                 `charter policy manifest` lists it",
                dir.join(NAME).display()
            )?;
        }
        write!(out, "{}", folder_header::line(&dir, &digest))
    })?;
    let would_change = args.check && !changes.is_empty();
    Ok(ExitCode::from(u8::from(would_change)))
}

/// The files that are not formatted, with their new texts.
type Changes = Vec<(PathBuf, String)>;

/// The folder, what formatting changes, and its manifest.
fn read(dir: &Path) -> Result<(Folder, Changes, Option<Manifest>), LoadError> {
    let folder = Folder::read(dir)?;
    let changes = changes(&folder)?;
    let manifest = Manifest::read(&folder).map_err(|fault| LoadError::new(vec![fault]))?;
    Ok((folder, changes, manifest))
}

fn changes(folder: &Folder) -> Result<Changes, LoadError> {
    // The formatter recurses; loading limits the depth.
    Snapshot::from_folder(folder)?;
    let mut changes = Vec::new();
    let mut faults = Vec::new();
    for source in folder.policy_files() {
        match format::formatted(source) {
            Ok(Some(text)) => changes.push((PathBuf::from(source.name()), text)),
            Ok(None) => {}
            Err(more) => faults.extend(more),
        }
    }
    if faults.is_empty() {
        Ok(changes)
    } else {
        Err(LoadError::new(faults))
    }
}

/// Atomically, so that a service that watches the folder never reads a partial file. Symbolic links are kept.
fn replace(file: &Path, text: &str) -> io::Result<()> {
    atomic::replace_shared(&fs::canonicalize(file)?, text.as_bytes())
}
