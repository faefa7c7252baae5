//! `charter policy prove`: proves a folder's invariants.

use std::io::Write;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::Args;

use super::super::Error;
use super::super::output::OutputArgs;
use super::super::progress;
use super::finish::finish;
use super::folder_args::{FolderArgs, of_argument, unknown_domain};
use super::folder_fault;
use charter_authz::folder::Folder;
use charter_domain::progress::Progress;
use charter_policy::analysis::Options;
use charter_policy::commands;
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

pub(super) fn run(args: &ProveArgs, out: &mut dyn Write) -> Result<ExitCode, Error> {
    let (dir, settings) = args.folder.resolve()?;
    let against = args.against.as_deref();
    let against = against.map(|folder| args.folder.domain.within(folder));
    let against = against.transpose().map_err(unknown_domain)?;
    if let Some(against) = &against
        && let Err(error) = Folder::read(against)
    {
        let error = of_argument(error, Some("--against"));
        return folder_fault::report(Some(against), error, args.output.json, out);
    }
    let options = Options {
        limits: args.solver.limits(),
        shadows: args.shadows,
    };
    let progress = Progress::default();
    let solver = || {
        let solver = args.solver.find(settings.solver.as_deref())?;
        Ok(solver.with_progress(&progress))
    };
    let shown = progress::show("proving, claims", args.output, &progress);
    let proved = commands::prove(&dir, against.as_deref(), &options, solver);
    drop(shown);
    let faults = |error| args.folder.faults(error);
    finish(proved, Some(&dir), faults, args.output, out)
}
