//! `charter policy diff`: what an edit would change, for every request.

use std::io::Write;
use std::process::ExitCode;

use clap::Args;

use super::super::Error;
use super::{SolverArgs, broken};
use crate::domain::clock::SystemClock;
use crate::domain::entropy::OsEntropy;
use crate::policy::diff::revision::{self, RevisionError};
use crate::policy::diff::widens;

/// If anything is wider, or may be.
const WIDER: u8 = 3;

/// Compare what two policy folders allow, permission by permission
///
/// A folder is named by its path, as `REVISION:FOLDER` of a git repository, or as `REVISION`, which
/// has it at `policies`. The exit code is 0 if nothing is wider, 3 if something is, or may be.
#[derive(Debug, Args)]
pub(super) struct DiffArgs {
    /// Before: a folder or git revision
    old: String,
    /// After: a folder or git revision
    #[arg(default_value = "policies")]
    new: String,
    #[command(flatten)]
    solver: SolverArgs,
    /// Print one JSON document
    #[arg(long)]
    json: bool,
}

/// Prints what changes, each with a request that shows it.
///
/// # Errors
///
/// A folder or revision that cannot be read, or no solver.
pub(super) fn run(args: &DiffArgs, out: &mut dyn Write) -> Result<ExitCode, Error> {
    let load = |spec: &str| revision::load(spec, &OsEntropy);
    let (old, new) = match (load(&args.old), load(&args.new)) {
        (Ok(old), Ok(new)) => (old, new),
        (Err(RevisionError::Policies(error)), _) | (_, Err(RevisionError::Policies(error))) => {
            return broken::report(&error, args.json, out);
        }
        (Err(error), _) | (_, Err(error)) => return Err(Error::Policies(error.to_string())),
    };
    let solver = args.solver.find()?;
    let limits = args.solver.limits();
    let diff = widens(&old, &new, &solver, limits, &SystemClock::start())
        .map_err(|error| Error::Policies(error.to_string()))?;
    if args.json {
        let document = diff.document();
        serde_json::to_writer_pretty(&mut *out, &document).map_err(std::io::Error::from)?;
        writeln!(out)?;
    } else {
        write!(out, "{}", diff.report())?;
    }
    Ok(if diff.is_wider() {
        ExitCode::from(WIDER)
    } else {
        ExitCode::SUCCESS
    })
}
