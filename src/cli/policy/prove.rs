//! `charter policy prove`: what must hold for every request, proved.

use std::io::Write;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::Args;

use super::super::Error;
use super::super::output::{OutputArgs, document_to};
use super::super::progress;
use super::broken;
use super::folder::FolderArgs;
use charter_authz::snapshot::Snapshot;
use charter_domain::clock::SystemClock;
use charter_domain::progress::Progress;
use charter_policy::analysis::{Options, prove};
use charter_policy::named;
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
    /// Also find permits that make no difference, which takes long with many policies
    #[arg(long)]
    shadows: bool,
    #[command(flatten)]
    output: OutputArgs,
}

/// Prints what does not hold, each with a request that shows it. Exit code 1 if anything is not
/// proved.
///
/// # Errors
///
/// A bad folder, or no solver.
pub(super) fn run(args: &ProveArgs, out: &mut dyn Write) -> Result<ExitCode, Error> {
    let (dir, settings) = args.folder.resolve()?;
    let against = args.against.as_deref().map(Snapshot::load).transpose();
    let (snapshot, against) = match (Snapshot::load(&dir), against) {
        (Ok(snapshot), Ok(against)) => (snapshot, against),
        (Err(error), _) | (_, Err(error)) => return broken::report(&error, args.output.json, out),
    };
    let progress = Progress::default();
    let solver = args
        .solver
        .find(settings.solver.as_deref())?
        .watched_by(&progress);
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
        let document = named::document(&dir, &snapshot, &proofs)?;
        document_to(out, &document)?;
    } else {
        write!(out, "{}", proofs.report())?;
        named::name(&dir, &snapshot, out)?;
    }
    Ok(if proofs.is_proved() {
        ExitCode::SUCCESS
    } else {
        ExitCode::from(1)
    })
}
