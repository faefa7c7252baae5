//! Work and output of the commands that `charter policy` and `charter-policy` share.

use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use charter_authz::fault::LoadError;
use charter_authz::folder::Folder;
use charter_authz::snapshot::Snapshot;
use charter_domain::clock::{Clock as _, SystemClock};
use charter_domain::progress::Progress;
use serde_json::{Value, json};

use crate::analysis::{self, Options};
use crate::counted::counted;
use crate::diff::revision::{self, RevisionError};
use crate::diff::{DiffError, compare_sets, role_changes};
use crate::folder_header;
use crate::gates;
use crate::solver::{Solver, SolverError, SolverLimits};
use crate::test::{self, TestReport};

/// Exit code if something does not hold.
const FAILED: u8 = 1;
/// Exit code if something is or may be wider.
const WIDER: u8 = 3;

/// Why a command could not do its work.
#[derive(Debug, thiserror::Error)]
pub enum CommandError {
    /// The folder has faults.
    #[error("{}", .0.report())]
    Policies(#[from] LoadError),
    /// A folder or revision could not be read.
    #[error(transparent)]
    Revision(RevisionError),
    /// The two cannot be compared.
    #[error(transparent)]
    Diff(#[from] DiffError),
    /// There is no solver.
    #[error(transparent)]
    Solver(#[from] SolverError),
    /// A report has no JSON form.
    #[error(transparent)]
    Json(#[from] serde_json::Error),
}

impl From<RevisionError> for CommandError {
    fn from(error: RevisionError) -> Self {
        match error {
            RevisionError::Policies(error) => Self::Policies(error),
            other => Self::Revision(other),
        }
    }
}

/// What a command prints, and its exit code.
#[derive(Debug)]
pub struct CommandOutput {
    document: Value,
    text: String,
    exit_code: u8,
}

impl CommandOutput {
    /// Prints the JSON document or the text.
    ///
    /// # Errors
    ///
    /// Errors of the writer.
    pub fn print(&self, json: bool, out: &mut dyn Write) -> io::Result<ExitCode> {
        if json {
            writeln!(out, "{:#}", self.document)?;
        } else {
            write!(out, "{}", self.text)?;
        }
        Ok(ExitCode::from(self.exit_code))
    }
}

/// Parses and validates a folder. Names its content and two digests: the one in decisions, and the
/// one to approve.
///
/// # Errors
///
/// All faults of the folder.
pub fn check(dir: &Path, manifest_required: bool) -> Result<CommandOutput, CommandError> {
    let folder = Folder::read(dir)?;
    let version = gates::check_manifest(&folder, manifest_required)?;
    let snapshot = Snapshot::from_folder(&folder)?;
    let policies = snapshot.policies().policies().count();
    let (invariants, examples) = (snapshot.invariants().len(), folder.tests().len());
    let (digest, whole_folder) = (snapshot.digest(), folder.whole_digest());
    let mut text = format!(
        "ok, {}, {}, {}\n",
        counted(policies, "policy", "policies"),
        counted(invariants, "invariant", "invariants"),
        counted(examples, "file of examples", "files of examples")
    );
    if let Some(version) = version {
        text.extend(["manifest      version ", &version.to_string(), "\n"]);
    }
    let named = format!(
        "folder        {}\ndigest        {digest}\nwhole folder  {whole_folder}\n",
        dir.display()
    );
    text.push_str(&named);
    for unread in folder.unread() {
        text.extend(["note: ", unread, "\n"]);
    }
    let document = json!({
        "policies": policies,
        "invariants": invariants,
        "examples": examples,
        "manifest_version": version,
        "folder": dir.display().to_string(),
        "digest": digest.to_string(),
        "whole_folder": whole_folder.to_string(),
        "notes": folder.unread(),
    });
    Ok(CommandOutput {
        document,
        text,
        exit_code: 0,
    })
}

/// A folder and the results of its examples.
pub struct Tested {
    dir: PathBuf,
    snapshot: Snapshot,
    /// The results.
    pub report: TestReport,
}

/// Runs the folder's examples, each a step of the progress.
///
/// # Errors
///
/// All faults of the folder.
pub fn test(dir: &Path, progress: &Progress) -> Result<Tested, LoadError> {
    let folder = Folder::read(dir)?;
    let snapshot = Snapshot::from_folder(&folder)?;
    Ok(Tested {
        dir: dir.to_owned(),
        report: test::run_with_progress(&folder, &snapshot, progress)?,
        snapshot,
    })
}

impl Tested {
    /// The exit code is 1 if an example fails or less is covered.
    ///
    /// # Errors
    ///
    /// The report has no JSON form.
    pub fn output(&self, min_coverage: u8) -> serde_json::Result<CommandOutput> {
        let (dir, digest) = (&self.dir, self.snapshot.digest());
        let header = folder_header::line(dir, digest);
        Ok(CommandOutput {
            document: folder_header::document(dir, digest, &self.report)?,
            text: format!("{}{header}", self.report.text(min_coverage)),
            exit_code: failed_unless(self.report.holds(min_coverage)),
        })
    }
}

/// Proves a folder's invariants, and those of the folder `against`. Prints the claims that do not
/// hold, each with a counterexample. The exit code is 1 if anything is not proved.
///
/// # Errors
///
/// A folder is faulty, or there is no solver.
pub fn prove(
    dir: &Path,
    against: Option<&Path>,
    options: &Options,
    solver: impl FnOnce() -> Result<Solver, SolverError>,
) -> Result<CommandOutput, CommandError> {
    let snapshot = Snapshot::load(dir)?;
    let against = against.map(Snapshot::load).transpose()?;
    let clock = SystemClock::start();
    let proofs = analysis::prove(&snapshot, against.as_ref(), &solver()?, options, &clock);
    let header = folder_header::line(dir, snapshot.digest());
    Ok(CommandOutput {
        document: folder_header::document(dir, snapshot.digest(), &proofs)?,
        text: format!("{}{header}", proofs.report()),
        exit_code: failed_unless(proofs.is_proved()),
    })
}

/// Compares two folders or git revisions. Prints the changes, each with an example. The exit code
/// is 3 if something is wider, or may be.
///
/// # Errors
///
/// One of them cannot be read or is faulty, they cannot be compared, or there is no solver.
pub fn diff(
    old_name: &str,
    new_name: &str,
    limits: SolverLimits,
    solver: impl FnOnce() -> Result<Solver, SolverError>,
) -> Result<CommandOutput, CommandError> {
    let (old, new) = (revision::load(old_name)?, revision::load(new_name)?);
    let clock = SystemClock::start();
    let diff = compare_sets(&old.snapshot, &new.snapshot, &solver()?, limits, &clock)?
        .with_facts(&old.files, &new.files);
    let roles = role_changes(&old.snapshot, &new.snapshot, clock.now())?;
    let mut text = diff.report();
    if !new.snapshot.is_custom_domain() {
        text.push_str(&roles.to_string());
    }
    let mut document = serde_json::to_value(diff.document())?;
    if let Value::Object(members) = &mut document {
        members.insert("roles".to_owned(), roles.document());
        for (side, name, of) in [("old", old_name, &old), ("new", new_name, &new)] {
            text.push_str(&folder_header::line(Path::new(name), of.snapshot.digest()));
            let named = json!({"folder": name, "digest": of.snapshot.digest().to_string()});
            members.insert(format!("{side}_folder"), named);
        }
    }
    Ok(CommandOutput {
        document,
        text,
        exit_code: if diff.is_wider() { WIDER } else { 0 },
    })
}

fn failed_unless(holds: bool) -> u8 {
    if holds { 0 } else { FAILED }
}
