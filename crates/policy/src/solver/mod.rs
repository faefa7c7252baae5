//! The solver: a separate program that decides whether a set of formulas is satisfiable.
//!
//! It is used through `cedar-policy-symcc`. Only `unsat` proves a claim: no answer, `unknown`, an
//! error or a crash leave it open.

mod open_reason;
mod pool;
mod process;
mod program;
mod query;
mod session;
mod worker;

use std::path::{Path, PathBuf};
use std::sync::OnceLock;
use std::time::Duration;

pub use open_reason::OpenReason;
pub(super) use pool::run_parallel;
pub use program::on_path;
pub(super) use query::SolverQuery;
pub(super) use session::{DOES_NOT_REPRODUCE, SolverAnswer, SolverSession, out_of_time};
pub(super) use worker::poll_to_completion;

use charter_domain::clock::Clock;
use charter_domain::progress::Progress;

/// Name that is searched on the search path if no program is given.
pub const PROGRAM: &str = "cvc5";
/// Timeout for the version query.
const VERSION_TIMEOUT: Duration = Duration::from_secs(5);

/// An installed solver.
#[derive(Debug, Clone)]
pub struct Solver {
    program: PathBuf,
    version: String,
    digest: OnceLock<Option<String>>,
    progress: Progress,
}

/// Why no solver can be used.
#[derive(Debug, thiserror::Error)]
pub enum SolverError {
    /// It is not installed.
    #[error(
        "cannot start the solver `{}`: {source}; install the Debian package `cvc5`, or name the program", .program.display()
    )]
    Missing {
        /// The program.
        program: PathBuf,
        /// Why it could not be started.
        source: std::io::Error,
    },
    /// The program is not cvc5.
    #[error("`{} --version` does not answer as cvc5 does; install the Debian package `cvc5`, or name the program", .program.display())]
    Unfit {
        /// The program.
        program: PathBuf,
    },
}

impl SolverError {
    /// Whether no solver is installed and none was named. A solver that does not answer is not
    /// absent.
    #[must_use]
    pub fn is_absent(&self) -> bool {
        matches!(
            self,
            Self::Missing { program, source }
                if source.kind() == std::io::ErrorKind::NotFound && program == Path::new(PROGRAM)
        )
    }
}

impl Solver {
    /// Finds the named program, or `cvc5` on the search path.
    ///
    /// # Errors
    ///
    /// It is not installed, or is another program.
    pub fn find(program: Option<&Path>) -> Result<Self, SolverError> {
        let program = program.unwrap_or_else(|| Path::new(PROGRAM)).to_owned();
        let answer =
            process::first_line(&program, &["--version"], VERSION_TIMEOUT).map_err(|source| {
                SolverError::Missing {
                    program: program.clone(),
                    source,
                }
            })?;
        // For example: This is cvc5 version 1.0.3
        let version = answer
            .as_deref()
            .and_then(|line| line.split_once("cvc5 version "))
            .map(|(_, version)| version.split_whitespace().next().unwrap_or_default());
        match version {
            Some(version) if !version.is_empty() => Ok(Self {
                version: version.to_owned(),
                program,
                digest: OnceLock::new(),
                progress: Progress::default(),
            }),
            _ => Err(SolverError::Unfit { program }),
        }
    }

    /// Counts its work in `progress`.
    #[must_use]
    pub fn with_progress(self, progress: &Progress) -> Self {
        Self {
            progress: progress.clone(),
            ..self
        }
    }

    /// For example `1.0.3`.
    #[must_use]
    pub fn version(&self) -> &str {
        &self.version
    }

    /// SHA-256 of the program file in lowercase hex, since different programs may report the same
    /// version. Does not cover shared libraries. `None` if the file cannot be read or was named
    /// without a path; then nothing is cached.
    #[must_use]
    pub fn digest(&self) -> Option<&str> {
        self.digest
            .get_or_init(|| program::digest(&self.program))
            .as_deref()
    }
}

/// Limits of a run.
#[derive(Debug, Clone, Copy)]
pub struct SolverLimits {
    /// Time for one query; what takes longer is not proved.
    pub query: Duration,
    /// Time for all queries; what is unanswered by then is not proved.
    pub whole: Duration,
    /// Number of parallel solver processes.
    pub workers: usize,
}

impl Default for SolverLimits {
    fn default() -> Self {
        Self {
            query: Duration::from_secs(10),
            whole: Duration::from_mins(2),
            workers: 2,
        }
    }
}

/// The solver with the limits of one run.
#[derive(Clone, Copy)]
pub(super) struct SolverBudget<'a> {
    solver: &'a Solver,
    limits: SolverLimits,
    clock: &'a dyn Clock,
    /// On the monotonic clock.
    end: Duration,
}

impl<'a> SolverBudget<'a> {
    pub(super) fn start(solver: &'a Solver, limits: SolverLimits, clock: &'a dyn Clock) -> Self {
        Self {
            solver,
            limits,
            clock,
            end: clock.monotonic().saturating_add(limits.whole),
        }
    }

    pub(super) const fn workers(&self) -> usize {
        self.limits.workers
    }

    const fn progress(&self) -> &Progress {
        &self.solver.progress
    }

    /// Time left for all queries.
    fn remaining(&self) -> Duration {
        self.end.saturating_sub(self.clock.monotonic())
    }
}
