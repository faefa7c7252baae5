//! `charter policy`: what a security team does with a policy folder before it is in force.

mod approvals;
mod approve;
mod broken;
mod check;
mod diff;
mod explain;
mod fmt;
mod gate;
mod history;
mod manifest;
mod plain;
mod prove;
mod replay;
mod revision;
mod solver;
mod test;
mod verify_log;

use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::{Args, Subcommand};
use serde::Serialize;
use serde_json::Value;

use crate::settings::Policies;
use charter_authz::folder::Folder;
use charter_authz::snapshot::Snapshot;

use super::Error;
use super::operator::SettingsArgs;
use solver::SolverArgs;

/// Check, test and prove a policy folder, and ask what it would change
#[derive(Debug, Args)]
pub struct PolicyArgs {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    Check(check::CheckArgs),
    Manifest(manifest::ManifestArgs),
    Approve(approve::ApproveArgs),
    Approvals(approvals::ApprovalsArgs),
    Withdraw(approvals::WithdrawArgs),
    History(history::HistoryArgs),
    Rollback(history::RollbackArgs),
    /// Lead a candidate through the gates; `serve` starts this
    #[command(hide = true)]
    Gate(gate::GateArgs),
    Test(test::TestArgs),
    Explain(explain::ExplainArgs),
    Fmt(fmt::FmtArgs),
    Diff(diff::DiffArgs),
    Prove(prove::ProveArgs),
    Replay(replay::ReplayArgs),
    VerifyLog(verify_log::VerifyLogArgs),
}

/// Runs the subcommand.
///
/// # Errors
///
/// What kept it from its work. What it finds wrong with policies is its answer, and exit code 1.
pub fn run(args: &PolicyArgs, out: &mut dyn Write) -> Result<ExitCode, Error> {
    let out = &mut plain::Plain::new(out);
    match &args.command {
        Command::Check(args) => check::run(args, out),
        Command::Manifest(args) => manifest::run(args, out),
        Command::Approve(args) => approve::run(args, out),
        Command::Approvals(args) => approvals::list(args, out),
        Command::Withdraw(args) => approvals::withdraw(args, out),
        Command::History(args) => history::history(args, out),
        Command::Rollback(args) => history::rollback(args, out),
        Command::Gate(args) => gate::run(args, out),
        Command::Test(args) => test::run(args, out),
        Command::Explain(args) => explain::run(args, out),
        Command::Fmt(args) => fmt::run(args, out),
        Command::Diff(args) => diff::run(args, out),
        Command::Prove(args) => prove::run(args, out),
        Command::Replay(args) => replay::run(args, out),
        Command::VerifyLog(args) => verify_log::run(args, out),
    }
}

/// The folder a subcommand is about, and how the settings want it checked.
#[derive(Debug, Args)]
struct FolderArgs {
    /// The policy folder; if left out, `policies.dir` of the settings
    #[arg(value_name = "DIR")]
    dir: Option<PathBuf>,
    #[command(flatten)]
    settings: SettingsArgs,
}

impl FolderArgs {
    /// Where the folder is, and the settings of policies.
    ///
    /// # Errors
    ///
    /// The settings' faults.
    fn resolve(&self) -> Result<(PathBuf, Policies), Error> {
        let policies = self.settings.load()?.policies;
        let dir = self.dir.clone().unwrap_or_else(|| policies.dir.clone());
        Ok((dir, policies))
    }
}

fn read(dir: &Path) -> Result<Folder, Error> {
    Folder::read(dir).map_err(|error| Error::Policies(error.report()))
}

/// Which folder a verdict is about: where it is, and what it holds.
fn name(dir: &Path, snapshot: &Snapshot, out: &mut dyn Write) -> std::io::Result<()> {
    writeln!(
        out,
        "folder `{}`, digest {}",
        dir.display(),
        snapshot.digest()
    )
}

/// The same, in a JSON document.
fn document(dir: &Path, snapshot: &Snapshot, verdict: impl Serialize) -> Result<Value, Error> {
    let mut document = serde_json::to_value(verdict)?;
    if let Value::Object(members) = &mut document {
        members.insert("folder".to_owned(), dir.display().to_string().into());
        members.insert("digest".to_owned(), snapshot.digest().to_string().into());
    }
    Ok(document)
}
