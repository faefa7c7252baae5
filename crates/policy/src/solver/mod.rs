//! The solver: a program of its own that answers whether a set of formulas can be true at once.
//!
//! It is asked through `cedar-policy-symcc`. Only its plain `unsat` proves anything: silence,
//! `unknown`, an error or a crash leave the claim open.

mod asker;
mod pool;
mod process;
mod program;
mod question;
mod reason;
mod session;

use std::path::{Path, PathBuf};
use std::sync::OnceLock;
use std::time::Duration;

pub(super) use asker::at_once;
pub(super) use pool::spread;
pub use program::on_path;
pub(super) use question::Question;
pub use reason::Reason;
pub(super) use session::{Answer, DOES_NOT_REPRODUCE, Session, out_of_time};

use charter_domain::clock::Clock;
use charter_domain::progress::Progress;

/// What is looked for on the search path where none is named.
pub const PROGRAM: &str = "cvc5";
/// How long the solver may take to tell its version.
const PATIENCE_FOR_VERSION: Duration = Duration::from_secs(5);

/// A solver that is installed.
#[derive(Debug, Clone)]
pub struct Solver {
    program: PathBuf,
    version: String,
    digest: OnceLock<Option<String>>,
    progress: Progress,
}

/// Why no solver can be asked.
#[derive(Debug, thiserror::Error)]
pub enum SolverError {
    /// It is not there.
    #[error(
        "cannot start the solver `{}`: {source}; install the Debian package `cvc5`, or name the program", .program.display()
    )]
    Missing {
        /// What was to be started.
        program: PathBuf,
        /// Why it was not.
        source: std::io::Error,
    },
    /// Something is there that does not answer as the solver does.
    #[error("`{} --version` does not answer as cvc5 does; install the Debian package `cvc5`, or name the program", .program.display())]
    Unfit {
        /// What was started.
        program: PathBuf,
    },
}

impl SolverError {
    /// Whether this machine has none, where none was named: not one that does not answer.
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
    /// The named program, or `cvc5` on the search path.
    ///
    /// # Errors
    ///
    /// It is not there, or is something else.
    pub fn find(program: Option<&Path>) -> Result<Self, SolverError> {
        let program = program.unwrap_or_else(|| Path::new(PROGRAM)).to_owned();
        let answer = process::first_line(&program, &["--version"], PATIENCE_FOR_VERSION).map_err(
            |source| SolverError::Missing {
                program: program.clone(),
                source,
            },
        )?;
        // As in: This is cvc5 version 1.0.3
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

    /// The same, which counts in `progress` what it is asked for.
    #[must_use]
    pub fn watched_by(self, progress: &Progress) -> Self {
        Self {
            progress: progress.clone(),
            ..self
        }
    }

    /// As in `1.0.3`.
    #[must_use]
    pub fn version(&self) -> &str {
        &self.version
    }

    /// SHA-256 of its file, in lowercase hex: two programs may tell the same version. `None` if it
    /// cannot be read, or was named without its place. Libraries that it loads are not in it.
    #[must_use]
    pub fn digest(&self) -> Option<&str> {
        self.digest
            .get_or_init(|| program::digest(&self.program))
            .as_deref()
    }
}

/// How much may be spent.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    /// On one question. What takes longer is not proved.
    pub question: Duration,
    /// On all of them. What is not answered by then is not proved.
    pub whole: Duration,
    /// How many solver processes work side by side.
    pub workers: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            question: Duration::from_secs(10),
            whole: Duration::from_mins(2),
            workers: 2,
        }
    }
}

/// The solver as one run uses it.
#[derive(Clone, Copy)]
pub(super) struct Budget<'a> {
    solver: &'a Solver,
    limits: Limits,
    clock: &'a dyn Clock,
    /// On the monotonic clock.
    end: Duration,
}

impl<'a> Budget<'a> {
    pub(super) fn start(solver: &'a Solver, limits: Limits, clock: &'a dyn Clock) -> Self {
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

    /// What is left of the time for all questions.
    fn left(&self) -> Duration {
        self.end.saturating_sub(self.clock.monotonic())
    }
}
