//! The solver that a subcommand asks.

use std::path::PathBuf;
use std::time::Duration;

use clap::Args;

use super::super::Error;
use crate::policy::solver::{Limits, Solver};

/// Which solver, and how long.
#[derive(Debug, Args)]
pub(super) struct SolverArgs {
    /// The solver's program [default: `cvc5` on the search path]
    #[arg(long, value_name = "PROGRAM")]
    solver: Option<PathBuf>,
    /// How many seconds it may take in all; what is open by then is not proved
    #[arg(long, value_name = "SECONDS", default_value = "120")]
    timeout: u64,
}

impl SolverArgs {
    pub(super) fn find(&self) -> Result<Solver, Error> {
        Ok(Solver::find(self.solver.as_deref())?)
    }

    pub(super) fn limits(&self) -> Limits {
        Limits {
            whole: Duration::from_secs(self.timeout),
            ..Limits::default()
        }
    }
}
