//! `charter-policy`: checks, tests, proves and compares policy folders without the service, for CI.
//!
//! `charter policy` has the same commands with the service's settings.

use std::io::{self, Write};
use std::path::PathBuf;
use std::process::ExitCode;

use charter_domain::progress::Progress;
use charter_policy::analysis::Options;
use charter_policy::commands::{self, CommandError};
use charter_policy::domain_arg::{DomainArg, DomainArgError};
use charter_policy::folder_header;
use charter_policy::solver_args::SolverArgs;
use charter_policy::terminal_safe::TerminalSafeWriter;
use clap::{Args, Parser, Subcommand};

/// Checks, tests, proves and compares policy folders
#[derive(Debug, Parser)]
#[command(name = "charter-policy", version)]
struct Cli {
    #[command(subcommand)]
    command: Command,
    /// Print one JSON document
    #[arg(long, global = true)]
    json: bool,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Parse and validate a folder, as the service does before it loads it
    Check {
        #[command(flatten)]
        folder: FolderArg,
        /// Require a manifest
        #[arg(long)]
        manifest: bool,
    },
    /// Run the folder's examples, and list policies and conditions that none of them covers
    Test {
        #[command(flatten)]
        folder: FolderArg,
        /// Fail if less is covered
        #[arg(long, value_name = "PERCENT", default_value = "0", value_parser = clap::value_parser!(u8).range(0..=100))]
        min_coverage: u8,
    },
    /// Prove that a folder keeps its invariants, that no policy can fail and that each can match
    Prove {
        #[command(flatten)]
        folder: FolderArg,
        #[command(flatten)]
        solver: SolverArgs,
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

impl Command {
    /// The one folder that it is about.
    fn folder(&self) -> Option<PathBuf> {
        match self {
            Self::Check { folder, .. } | Self::Test { folder, .. } | Self::Prove { folder, .. } => {
                folder.resolve().ok()
            }
            Self::Diff { .. } => None,
        }
    }
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
    #[error(transparent)]
    Command(#[from] CommandError),
    #[error("`--domain`: {0}")]
    Domain(#[from] DomainArgError),
    #[error(transparent)]
    Io(#[from] io::Error),
}

fn main() -> ExitCode {
    let cli = Cli::parse();
    let mut out = io::stdout().lock();
    let out = &mut TerminalSafeWriter::new(&mut out);
    let done = match run(&cli, out) {
        Err(Error::Command(CommandError::Policies(error))) if cli.json => {
            let document = match cli.command.folder() {
                Some(dir) => folder_header::document_of_faults(&dir, &error),
                None => error.document(),
            };
            let printed = writeln!(out, "{document:#}");
            printed.map(|()| ExitCode::from(2)).map_err(Error::from)
        }
        done => done,
    };
    match done {
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

fn run(cli: &Cli, out: &mut dyn Write) -> Result<ExitCode, Error> {
    let output = match &cli.command {
        Command::Check { folder, manifest } => commands::check(&folder.resolve()?, *manifest)?,
        Command::Test {
            folder,
            min_coverage,
        } => {
            let tested = commands::test(&folder.resolve()?, &Progress::default())
                .map_err(CommandError::from)?;
            tested.output(*min_coverage).map_err(CommandError::from)?
        }
        Command::Prove { folder, solver } => {
            let options = Options {
                limits: solver.limits(),
                ..Options::default()
            };
            commands::prove(&folder.resolve()?, None, &options, || solver.find(None))?
        }
        Command::Diff {
            old,
            new,
            domain,
            solver,
        } => {
            let (old, new) = (domain.within_revision(old)?, domain.within_revision(new)?);
            commands::diff(&old, &new, solver.limits(), || solver.find(None))?
        }
    };
    Ok(output.print(cli.json, out)?)
}
