//! `charter-policy`: checks, tests, proves and compares policy folders without the service, for CI.
//!
//! `charter policy` has the same commands with the service's settings.

use std::io::{self, Write};
use std::path::PathBuf;
use std::process::ExitCode;

use charter_authz::fault::LoadError;
use charter_authz::folder::Folder;
use charter_authz::snapshot::Snapshot;
use charter_domain::clock::{Clock as _, SystemClock};
use charter_policy::analysis::{Options, prove};
use charter_policy::diff::revision::{self, RevisionError};
use charter_policy::diff::{DiffError, compare_sets, role_changes};
use charter_policy::domain_arg::{DomainArg, DomainArgError};
use charter_policy::solver::SolverError;
use charter_policy::solver_args::SolverArgs;
use charter_policy::terminal_safe::TerminalSafeWriter;
use charter_policy::{folder_header, gates, test};
use clap::{Args, Parser, Subcommand};

/// Exit code if something is wider or may be, as for `charter policy diff`.
const WIDER: u8 = 3;

/// Checks, tests, proves and compares policy folders
#[derive(Debug, Parser)]
#[command(name = "charter-policy", version)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Parse and validate a folder, as the service does before it takes it
    Check {
        #[command(flatten)]
        folder: FolderArg,
        /// Demand a manifest
        #[arg(long)]
        manifest: bool,
    },
    /// Run the folder's examples, and say which policies and conditions none of them shows at work
    Test {
        #[command(flatten)]
        folder: FolderArg,
        /// Fail if less is covered
        #[arg(long, value_name = "PERCENT", default_value = "0", value_parser = clap::value_parser!(u8).range(0..=100))]
        min_coverage: u8,
        /// Print one JSON document
        #[arg(long)]
        json: bool,
    },
    /// Prove that a folder keeps its invariants, that no policy can fail and that each can match
    Prove {
        #[command(flatten)]
        folder: FolderArg,
        #[command(flatten)]
        solver: SolverArgs,
        /// Print one JSON document
        #[arg(long)]
        json: bool,
    },
    /// Compare what two folders or git revisions allow, permission by permission
    ///
    /// The exit code is 0 if nothing is wider, 3 if something is, or may be.
    Diff {
        /// Before: a folder or git revision
        old: String,
        /// After: a folder or git revision
        #[arg(default_value = "policies")]
        new: String,
        #[command(flatten)]
        domain: DomainArg,
        #[command(flatten)]
        solver: SolverArgs,
    },
}

#[derive(Debug, Args)]
struct FolderArg {
    /// The policy folder
    #[arg(value_name = "DIR", default_value = "policies")]
    dir: PathBuf,
    #[command(flatten)]
    domain: DomainArg,
}

impl FolderArg {
    fn resolve(&self) -> Result<PathBuf, DomainArgError> {
        self.domain.within(&self.dir)
    }
}

/// Why a command failed; the message says what to do.
#[derive(Debug, thiserror::Error)]
enum Error {
    #[error("{0}")]
    Policies(String),
    #[error("`--domain`: {0}")]
    Domain(#[from] DomainArgError),
    #[error(transparent)]
    Solver(#[from] SolverError),
    #[error(transparent)]
    Diff(#[from] DiffError),
    #[error(transparent)]
    Json(#[from] serde_json::Error),
    #[error(transparent)]
    Io(#[from] io::Error),
}

impl From<LoadError> for Error {
    fn from(error: LoadError) -> Self {
        Self::Policies(error.report())
    }
}

impl From<RevisionError> for Error {
    fn from(error: RevisionError) -> Self {
        match error {
            RevisionError::Policies(error) => error.into(),
            other => Self::Policies(other.to_string()),
        }
    }
}

fn main() -> ExitCode {
    let mut out = io::stdout().lock();
    match run(
        &Cli::parse().command,
        &mut TerminalSafeWriter::new(&mut out),
    ) {
        Ok(code) => code,
        // The reader closed the pipe: what a shell reports of SIGPIPE.
        Err(Error::Io(error)) if error.kind() == io::ErrorKind::BrokenPipe => ExitCode::from(141),
        Err(error) => {
            // There is nowhere left to report an error.
            let _ = writeln!(io::stderr(), "charter-policy: {error}");
            ExitCode::from(2)
        }
    }
}

fn run(command: &Command, out: &mut dyn Write) -> Result<ExitCode, Error> {
    let holds = match command {
        Command::Check { folder, manifest } => {
            let dir = folder.resolve()?;
            let read = Folder::read(&dir)?;
            gates::check_manifest(&read, *manifest)?;
            let snapshot = Snapshot::from_folder(&read)?;
            let policies = snapshot.policies().policies().count();
            let (invariants, tests) = (snapshot.invariants().len(), read.tests().len());
            writeln!(
                out,
                "ok, {policies} policies, {invariants} invariants, {tests} files of examples"
            )?;
            folder_header::write_header(&dir, &snapshot, out)?;
            true
        }
        Command::Test {
            folder,
            min_coverage,
            json,
        } => {
            let dir = folder.resolve()?;
            let read = Folder::read(&dir)?;
            let snapshot = Snapshot::from_folder(&read)?;
            let report = test::run(&read, &snapshot)?;
            if *json {
                writeln!(
                    out,
                    "{:#}",
                    folder_header::document(&dir, &snapshot, &report)?
                )?;
            } else {
                write!(out, "{}", report.text(*min_coverage))?;
                folder_header::write_header(&dir, &snapshot, out)?;
            }
            report.holds(*min_coverage)
        }
        Command::Prove {
            folder,
            solver,
            json,
        } => {
            let dir = folder.resolve()?;
            let snapshot = Snapshot::load(&dir)?;
            let options = Options {
                limits: solver.limits(),
                ..Options::default()
            };
            let solver = solver.find(None)?;
            let proofs = prove(&snapshot, None, &solver, &options, &SystemClock::start());
            if *json {
                writeln!(
                    out,
                    "{:#}",
                    folder_header::document(&dir, &snapshot, &proofs)?
                )?;
            } else {
                write!(out, "{}", proofs.report())?;
                folder_header::write_header(&dir, &snapshot, out)?;
            }
            proofs.is_proved()
        }
        Command::Diff {
            old,
            new,
            domain,
            solver,
        } => {
            let before = revision::load(&domain.within_revision(old)?)?;
            let after = revision::load(&domain.within_revision(new)?)?;
            let limits = solver.limits();
            let clock = SystemClock::start();
            let (files, (before, after)) = (
                (before.files, after.files),
                (before.snapshot, after.snapshot),
            );
            let diff = compare_sets(&before, &after, &solver.find(None)?, limits, &clock)?
                .with_facts(&files.0, &files.1);
            let roles = role_changes(&before, &after, clock.now())?;
            write!(out, "{}", diff.report())?;
            if !after.is_own_domain() {
                write!(out, "{roles}")?;
            }
            if diff.is_wider() {
                return Ok(ExitCode::from(WIDER));
            }
            true
        }
    };
    Ok(if holds {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
}
