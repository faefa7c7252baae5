//! `charter policy diff`: what an edit would change, for every request.

use std::io::Write;
use std::process::ExitCode;

use clap::Args;

use super::super::Error;
use super::super::operator::SettingsArgs;
use super::super::output::OutputArgs;
use super::super::progress;
use super::finish::finish;
use super::folder_args::unknown_domain;
use charter_domain::progress::Progress;
use charter_policy::commands;
use charter_policy::domain_arg::DomainArg;
use charter_policy::solver_args::SolverArgs;

/// Compare what two policy folders allow, permission by permission
///
/// A folder is named by its path, as `REVISION:FOLDER` of a git repository, or as `REVISION`, which
/// has it at `policies`. With `--domain`, that domain of both is compared. The exit code is 0 if nothing is wider, 3 if
/// something is, or may be.
#[derive(Debug, Args)]
pub(super) struct DiffArgs {
    /// Before: a folder or git revision
    old: String,
    /// After: a folder or git revision; if left out, `policies.dir` of the settings
    new: Option<String>,
    #[command(flatten)]
    domain: DomainArg,
    #[command(flatten)]
    settings: SettingsArgs,
    #[command(flatten)]
    solver: SolverArgs,
    #[command(flatten)]
    output: OutputArgs,
}

pub(super) fn run(args: &DiffArgs, out: &mut dyn Write) -> Result<ExitCode, Error> {
    let settings = args.settings.load()?.policies;
    let in_force = || settings.dir.display().to_string();
    let named = |spec: &str| args.domain.within_revision(spec).map_err(unknown_domain);
    let old = named(&args.old)?;
    let new = named(&args.new.clone().unwrap_or_else(in_force))?;
    let progress = Progress::default();
    let solver = || {
        let solver = args.solver.find(settings.solver.as_deref())?;
        Ok(solver.with_progress(&progress))
    };
    let shown = progress::show("comparing, kinds of request", args.output, &progress);
    let compared = commands::diff(&old, &new, args.solver.limits(), solver);
    drop(shown);
    finish(compared, None, |error| error, args.output, out)
}
