//! Puts claims to a solver process, starts another one when it fails, and keeps to the budget.

use std::pin::pin;
use std::task::{Context, Poll, Waker};
use std::thread;
use std::time::Duration;

use cedar_policy_symcc::err::Error;
use cedar_policy_symcc::{CedarSymCompiler, Env, WellFormedAsserts};

use super::process::Process;
use super::{Budget, Reason};

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
    Open(Reason),
}

/// One solver process after the other.
pub(in crate::policy) struct Session<'a> {
    budget: Budget<'a>,
    compiler: Option<CedarSymCompiler<Process>>,
    failures: usize,
    /// Whether in one of them it answered what nobody understands.
    is_unfit: bool,
    /// How many claims needed the solver.
    pub(in crate::policy) questions: usize,
}

impl<'a> Session<'a> {
    pub(in crate::policy) const fn new(budget: Budget<'a>) -> Self {
        Self {
            budget,
            compiler: None,
            failures: 0,
            is_unfit: false,
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
            return Answer::Open(out_of_time());
        }
        if self.failures >= MAX_FAILURES {
            let text = "the solver failed too often";
            return Answer::Open(if self.is_unfit {
                text.into()
            } else {
                Reason::unfinished(text)
            });
        }
        let limit = self.budget.limits.question;
        let mut compiler = match self.compiler.take() {
            Some(compiler) => compiler,
            None => match start(&self.budget, limit) {
                Ok(compiler) => compiler,
                Err(reason) => return self.failed(reason),
            },
        };
        compiler.solver_mut().patience = limit.saturating_add(GRACE).min(left);
        self.questions += 1;
        let asked = self.budget.clock.monotonic();
        match at_once(compiler.check_sat(formulas)) {
            Ok(found) => {
                self.succeeded(compiler);
                found.map_or(Answer::Holds, |env| Answer::Fails(Box::new(env)))
            }
            Err(Error::SolverUnknown) => {
                self.succeeded(compiler);
                let text = "the solver answered `unknown`";
                // It also says so when its time for a question is over.
                let took = self.budget.clock.monotonic().saturating_sub(asked);
                Answer::Open(if took >= limit {
                    Reason::unfinished(text)
                } else {
                    text.into()
                })
            }
            // It may be in the middle of an answer: the next question goes to another process.
            Err(Error::SolverError(error)) => self.failed(Reason::of(&error)),
            Err(Error::ModelInvalid { .. } | Error::DecodeModel(_) | Error::ConcretizeError(_)) => {
                Answer::Open(DOES_NOT_REPRODUCE.into())
            }
            Err(error) => Answer::Open(error.to_string().into()),
        }
    }

    fn succeeded(&mut self, compiler: CedarSymCompiler<Process>) {
        self.failures = 0;
        self.is_unfit = false;
        self.compiler = Some(compiler);
    }

    fn failed(&mut self, reason: Reason) -> Answer {
        self.failures += 1;
        self.is_unfit |= !reason.is_unfinished();
        Answer::Open(reason)
    }
}

/// What is said of a counterexample that is none.
pub(in crate::policy) const DOES_NOT_REPRODUCE: &str =
    "the solver's counterexample does not reproduce";

/// What is said of what was not asked in time.
pub(in crate::policy) fn out_of_time() -> Reason {
    Reason::unfinished("the time for all proofs is over")
}

fn start(budget: &Budget<'_>, limit: Duration) -> Result<CedarSymCompiler<Process>, Reason> {
    let process = Process::start(&budget.solver.program, limit)
        .map_err(|error| Reason::unfinished(format!("cannot start the solver: {error}")))?;
    CedarSymCompiler::new(process).map_err(|error| match error {
        Error::SolverError(error) => Reason::of(&error),
        error => error.to_string().into(),
    })
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
