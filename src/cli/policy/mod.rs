//! `charter policy`: tools for policy folders.

mod advise;
mod approvals;
mod approve;
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

use std::io::Write;
use std::process::ExitCode;

use clap::{Args, Subcommand};

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
    /// Check a candidate in a child process; `serve` starts this
    #[command(hide = true)]
    Gate(gate::GateArgs),
    /// Do long work on policies in a child process; `serve` starts this
    #[command(hide = true)]
    Workbench,
    Test(test::TestArgs),
    Explain(explain::ExplainArgs),
    Fmt(fmt::FmtArgs),
    Diff(diff::DiffArgs),
    Prove(prove::ProveArgs),
    Replay(replay::ReplayArgs),
    VerifyLog(verify_log::VerifyLogArgs),
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
        Command::Gate(args) => gate::run(args, out),
        Command::Workbench => workbench::run(out),
        Command::Test(args) => test::run(args, out),
        Command::Explain(args) => explain::run(args, out),
        Command::Fmt(args) => fmt::run(args, out),
        Command::Diff(args) => diff::run(args, out),
        Command::Prove(args) => prove::run(args, out),
        Command::Replay(args) => replay::run(args, out),
        Command::VerifyLog(args) => verify_log::run(args, out),
    }
}
