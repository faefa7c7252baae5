//! Puts claims to a solver process, starts another one when it fails, and keeps to the budget.

use std::pin::pin;
use std::task::{Context, Poll, Waker};
use std::thread;
use std::time::Duration;

use cedar_policy_symcc::err::Error;
use cedar_policy_symcc::{CedarSymCompiler, Env, WellFormedAsserts};

use super::Budget;
use super::process::Process;

/// So much longer than its own limit the solver is waited for.
const GRACE: Duration = Duration::from_secs(1);
/// A solver that fails so often without an answer in between is not started again.
const MAX_FAILURES: usize = 3;

/// What the solver says of a claim.
#[derive(Debug)]
pub(in crate::policy) enum Answer {
    /// It always holds.
    Holds,
    /// It does not, it says, and this is why. To be believed once it was tried.
    Fails(Box<Env>),
    /// It does not say, for this reason.
    Open(String),
}

/// One solver process after the other.
pub(in crate::policy) struct Session<'a> {
    budget: Budget<'a>,
    compiler: Option<CedarSymCompiler<Process>>,
    failures: usize,
    /// How many claims needed the solver.
    pub(in crate::policy) questions: usize,
}

impl<'a> Session<'a> {
    pub(in crate::policy) const fn new(budget: Budget<'a>) -> Self {
        Self {
            budget,
            compiler: None,
            failures: 0,
            questions: 0,
        }
    }

    /// Whether the time for all questions is over.
    pub(in crate::policy) fn is_over(&self) -> bool {
        self.budget.left().is_zero()
    }

    /// Whether nothing makes these formulas true at once.
    pub(in crate::policy) fn never(&mut self, formulas: &WellFormedAsserts<'_>) -> Answer {
        if formulas.asserts().iter().any(|term| *term == false.into()) {
            return Answer::Holds;
        }
        let left = self.budget.left();
        if left.is_zero() {
            return Answer::Open(OUT_OF_TIME.to_owned());
        }
        if self.failures >= MAX_FAILURES {
            return Answer::Open("the solver failed too often".to_owned());
        }
        let limit = self.budget.limits.question;
        let mut compiler = match self.compiler.take() {
            Some(compiler) => compiler,
            None => match start(&self.budget, limit) {
                Ok(compiler) => compiler,
                Err(reason) => {
                    self.failures += 1;
                    return Answer::Open(reason);
                }
            },
        };
        compiler.solver_mut().patience = limit.saturating_add(GRACE).min(left);
        self.questions += 1;
        match at_once(compiler.check_sat(formulas)) {
            Ok(found) => {
                self.failures = 0;
                self.compiler = Some(compiler);
                found.map_or(Answer::Holds, |env| Answer::Fails(Box::new(env)))
            }
            Err(Error::SolverUnknown) => {
                self.failures = 0;
                self.compiler = Some(compiler);
                Answer::Open("the solver answered `unknown`".to_owned())
            }
            // It may be in the middle of an answer: the next question goes to another process.
            Err(error @ Error::SolverError(_)) => {
                self.failures += 1;
                Answer::Open(format!("the solver failed: {error}"))
            }
            Err(Error::ModelInvalid { .. } | Error::DecodeModel(_) | Error::ConcretizeError(_)) => {
                Answer::Open(DOES_NOT_REPRODUCE.to_owned())
            }
            Err(error) => Answer::Open(error.to_string()),
        }
    }
}

/// What is said of a counterexample that is none.
pub(in crate::policy) const DOES_NOT_REPRODUCE: &str =
    "the solver's counterexample does not reproduce";

/// What is said of what was not asked in time.
pub(in crate::policy) const OUT_OF_TIME: &str = "the time for all proofs is over";

fn start(budget: &Budget<'_>, limit: Duration) -> Result<CedarSymCompiler<Process>, String> {
    let process = Process::start(&budget.solver.program, limit)
        .map_err(|error| format!("cannot start the solver: {error}"))?;
    CedarSymCompiler::new(process).map_err(|error| error.to_string())
}

/// Nothing in these futures waits: scripts are written to memory, the process is waited for in the
/// thread.
pub(in crate::policy) fn at_once<T>(future: impl Future<Output = T>) -> T {
    let mut future = pin!(future);
    let mut context = Context::from_waker(Waker::noop());
    loop {
        if let Poll::Ready(output) = future.as_mut().poll(&mut context) {
            return output;
        }
        thread::yield_now();
    }
}
