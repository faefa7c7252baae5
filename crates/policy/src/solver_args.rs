//! Arguments that choose the solver.

use std::path::{Path, PathBuf};
use std::time::Duration;

use clap::Args;

use super::solver::{Solver, SolverError, SolverLimits};

/// The solver and its time limit.
#[derive(Debug, Args)]
pub struct SolverArgs {
    /// The solver's program; if left out, `policies.solver` of the settings, else `cvc5` on the search path
    #[arg(long, value_name = "PROGRAM")]
    solver: Option<PathBuf>,
    /// How many seconds it may take in all; what is open by then is not proved
    #[arg(long, value_name = "SECONDS", default_value = "120")]
    timeout: u64,
}

impl SolverArgs {
    /// Finds the solver of the argument, else of the settings, else on the search path.
    ///
    /// # Errors
    ///
    /// There is none, or it does not answer.
    pub fn find(&self, of_settings: Option<&Path>) -> Result<Solver, SolverError> {
        Solver::find(self.solver.as_deref().or(of_settings))
    }

    /// Limits for the solver.
    #[must_use]
    pub fn limits(&self) -> SolverLimits {
        SolverLimits {
            whole: Duration::from_secs(self.timeout),
            ..SolverLimits::default()
        }
    }
}
