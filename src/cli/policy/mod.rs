//! `charter policy`: tools for policy folders.

mod advise;
mod approvals;
mod approve;
mod asked_snapshot;
mod check;
mod diff;
mod explain;
mod finish;
mod fmt;
mod folder_args;
mod folder_fault;
mod gate;
mod history;
mod manifest;
mod new_domain;
mod prove;
mod replay;
mod replayed_folders;
mod revision;
mod test;
mod verify_log;
mod workbench;

use std::ffi::OsString;
use std::io::Write;
use std::process::ExitCode;

use clap::{Args, Parser, Subcommand};

use super::Error;
use charter_policy::terminal_safe::TerminalSafeWriter;

/// Check, test and prove a policy folder, and ask what it would change
#[derive(Debug, Args)]
pub struct PolicyArgs {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    Advise(advise::AdviseArgs),
    Check(check::CheckArgs),
    Manifest(manifest::ManifestArgs),
    Approve(approve::ApproveArgs),
    Approvals(approvals::ApprovalsArgs),
    NewDomain(new_domain::NewDomainArgs),
    Withdraw(approvals::WithdrawArgs),
    History(history::HistoryArgs),
    Rollback(history::RollbackArgs),
    Test(test::TestArgs),
    Explain(explain::ExplainArgs),
    Fmt(fmt::FmtArgs),
    Diff(diff::DiffArgs),
    Prove(prove::ProveArgs),
    Replay(replay::ReplayArgs),
    VerifyLog(verify_log::VerifyLogArgs),
}

/// What `serve` starts in child processes. Not among the commands, so that completions and manuals leave it out.
#[derive(Debug, Parser)]
#[command(name = "charter policy")]
pub struct ChildArgs {
    #[command(subcommand)]
    command: ChildCommand,
}

#[derive(Debug, Subcommand)]
enum ChildCommand {
    /// Check a candidate
    Gate(gate::GateArgs),
    /// Do long work on policies
    Workbench,
}

impl ChildArgs {
    /// `None` if the arguments of the program name none.
    pub fn of(arguments: &[OsString]) -> Option<Self> {
        let [_, policy, command, ..] = arguments else {
            return None;
        };
        let command = command.to_str().unwrap_or_default();
        let is_one = policy == "policy" && ChildCommand::has_subcommand(command);
        is_one.then(|| Self::parse_from(arguments.iter().skip(1)))
    }
}

/// # Errors
///
/// Standard input has no work, or the process cannot be limited.
pub fn run_child(args: &ChildArgs, out: &mut dyn Write) -> Result<ExitCode, Error> {
    let out = &mut TerminalSafeWriter::new(out);
    match &args.command {
        ChildCommand::Gate(args) => gate::run(args, out),
        ChildCommand::Workbench => workbench::run(out),
    }
}

/// Faults of policies are output with exit code 1, not errors.
pub fn run(args: &PolicyArgs, out: &mut dyn Write) -> Result<ExitCode, Error> {
    let out = &mut TerminalSafeWriter::new(out);
    match &args.command {
        Command::Advise(args) => advise::run(args, out),
        Command::Check(args) => check::run(args, out),
        Command::Manifest(args) => manifest::run(args, out),
        Command::Approve(args) => approve::run(args, out),
        Command::Approvals(args) => approvals::list(args, out),
        Command::Withdraw(args) => approvals::withdraw(args, out),
        Command::NewDomain(args) => new_domain::run(args, out),
        Command::History(args) => history::history(args, out),
        Command::Rollback(args) => history::rollback(args, out),
        Command::Test(args) => test::run(args, out),
        Command::Explain(args) => explain::run(args, out),
        Command::Fmt(args) => fmt::run(args, out),
        Command::Diff(args) => diff::run(args, out),
        Command::Prove(args) => prove::run(args, out),
        Command::Replay(args) => replay::run(args, out),
        Command::VerifyLog(args) => verify_log::run(args, out),
    }
}
