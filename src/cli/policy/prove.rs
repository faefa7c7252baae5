//! `charter policy prove`: proves a folder's invariants.

use std::io::Write;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::Args;

use super::super::Error;
use super::super::output::{OutputArgs, document_to};
use super::super::progress;
use super::folder_args::{FolderArgs, of_argument, unknown_domain};
use super::folder_fault;
use charter_authz::snapshot::Snapshot;
use charter_domain::clock::SystemClock;
use charter_domain::progress::Progress;
use charter_policy::analysis::{Options, prove};
use charter_policy::folder_header;
use charter_policy::solver_args::SolverArgs;

/// Prove that a folder keeps its invariants, that no policy can fail and that each can match
#[derive(Debug, Args)]
pub(super) struct ProveArgs {
    #[command(flatten)]
    folder: FolderArgs,
    #[command(flatten)]
    solver: SolverArgs,
    /// Also prove the invariants of this folder, such as the one in force
    #[arg(long, value_name = "DIR")]
    against: Option<PathBuf>,
    /// Also find permits that make no difference; slow with many policies
    #[arg(long)]
    shadows: bool,
    #[command(flatten)]
    output: OutputArgs,
}

/// Prints the claims that do not hold, each with a counterexample. Exit code 1 if anything is not proved.
///
/// # Errors
///
/// The folder is faulty, or there is no solver.
pub(super) fn run(args: &ProveArgs, out: &mut dyn Write) -> Result<ExitCode, Error> {
    let (dir, settings) = args.folder.resolve()?;
    let against = args.against.as_deref();
    let against = against.map(|folder| args.folder.domain.within(folder));
    let against = against.transpose().map_err(unknown_domain)?;
    let against = against.as_deref().map(Snapshot::load).transpose();
    let against = against.map_err(|error| of_argument(error, Some("--against")));
    let snapshot = Snapshot::load(&dir).map_err(|error| args.folder.faults(error));
    let (snapshot, against) = match (snapshot, against) {
        (Ok(snapshot), Ok(against)) => (snapshot, against),
        (Err(error), _) | (_, Err(error)) => {
            return folder_fault::report(&error, args.output.json, out);
        }
    };
    let progress = Progress::default();
    let solver = args
        .solver
        .find(settings.solver.as_deref())?
        .with_progress(&progress);
    let options = Options {
        limits: args.solver.limits(),
        shadows: args.shadows,
    };
    let shown = progress::show("proving, claims", args.output, &progress);
    let proofs = prove(
        &snapshot,
        against.as_ref(),
        &solver,
        &options,
        &SystemClock::start(),
    );
    drop(shown);
    if args.output.json {
        let document = folder_header::document(&dir, &snapshot, &proofs)?;
        document_to(out, &document)?;
    } else {
        write!(out, "{}", proofs.report())?;
        folder_header::write_header(&dir, &snapshot, out)?;
    }
    Ok(if proofs.is_proved() {
        ExitCode::SUCCESS
    } else {
        ExitCode::from(1)
    })
}
