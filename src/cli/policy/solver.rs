//! The solver that a subcommand asks.

use std::path::PathBuf;
use std::time::Duration;

use clap::Args;

use super::super::Error;
use crate::settings::Policies;
use charter_policy::solver::{Limits, Solver};

/// Which solver, and how long.
#[derive(Debug, Args)]
pub(super) struct SolverArgs {
    /// The solver's program; if left out, `policies.solver` of the settings, else `cvc5` on the search path
    #[arg(long, value_name = "PROGRAM")]
    solver: Option<PathBuf>,
    /// How many seconds it may take in all; what is open by then is not proved
    #[arg(long, value_name = "SECONDS", default_value = "120")]
    timeout: u64,
}

impl SolverArgs {
    pub(super) fn find(&self, settings: &Policies) -> Result<Solver, Error> {
        let program = self.solver.as_deref().or(settings.solver.as_deref());
        Ok(Solver::find(program)?)
    }

    pub(super) fn limits(&self) -> Limits {
        Limits {
            whole: Duration::from_secs(self.timeout),
            ..Limits::default()
        }
    }
}
