//! Asks the solver, restarts it when it fails, and keeps to the time limits.

use std::time::Duration;

use cedar_policy_symcc::Env;
use cedar_policy_symcc::err::Error;

use super::worker::{QueryError, QueryResult, QueryWorker};
use super::{OpenReason, SolverBudget, SolverQuery};

/// Additional time to wait beyond the solver's own limit.
const GRACE_PERIOD: Duration = Duration::from_secs(1);
/// Consecutive failures after which the solver is not restarted.
const MAX_FAILURES: usize = 3;

/// The answer of the solver.
#[derive(Debug)]
pub(crate) enum SolverAnswer {
    /// The claim holds.
    Holds,
    /// The claim does not hold for this request, which must be confirmed by evaluation.
    Refuted(Box<Env>),
    /// Undecided, with the reason.
    Open(OpenReason),
}

/// A sequence of solver processes.
pub(crate) struct SolverSession<'a> {
    budget: SolverBudget<'a>,
    worker: Option<QueryWorker>,
    failures: usize,
    /// Whether an answer could not be parsed.
    is_unfit: bool,
    /// Number of claims that needed the solver.
    pub(crate) queries: usize,
}

impl<'a> SolverSession<'a> {
    pub(crate) const fn new(budget: SolverBudget<'a>) -> Self {
        Self {
            budget,
            worker: None,
            failures: 0,
            is_unfit: false,
            queries: 0,
        }
    }

    /// Whether the time for all queries is over.
    pub(crate) fn is_over(&self) -> bool {
        self.budget.remaining().is_zero()
    }

    /// Asks whether a claim holds. Returns in time, whatever the query takes.
    pub(crate) fn prove(&mut self, query: SolverQuery) -> SolverAnswer {
        if query.is_trivial() {
            return SolverAnswer::Holds;
        }
        let left = self.budget.remaining();
        if left.is_zero() {
            return SolverAnswer::Open(out_of_time());
        }
        if self.failures >= MAX_FAILURES {
            let text = "the solver failed too often";
            return SolverAnswer::Open(if self.is_unfit {
                text.into()
            } else {
                OpenReason::unfinished(text)
            });
        }
        let limit = self.budget.limits.query;
        let mut worker = match self.worker.take() {
            Some(worker) => worker,
            None => match QueryWorker::start(&self.budget.solver.program, limit) {
                Ok(worker) => worker,
                Err(error) => {
                    let text = format!("cannot start a thread: {error}");
                    return self.failed(OpenReason::unfinished(text));
                }
            },
        };
        self.queries += 1;
        let began = self.budget.clock.monotonic();
        let timeout = limit.saturating_add(GRACE_PERIOD).min(left);
        let Some(answer) = worker.ask(query, timeout, timeout.saturating_add(GRACE_PERIOD)) else {
            // It had the full time: another try would end the same.
            let had_its_time = timeout > limit;
            return self.failed(if had_its_time {
                TOO_LARGE.into()
            } else {
                OpenReason::unfinished(TOO_LARGE)
            });
        };
        self.worker = Some(worker);
        let took = self.budget.clock.monotonic().saturating_sub(began);
        self.interpret(answer, took >= limit)
    }

    fn interpret(&mut self, answer: QueryResult, is_late: bool) -> SolverAnswer {
        let error = match answer {
            Ok(found) => {
                self.succeeded();
                return found.map_or(SolverAnswer::Holds, |env| {
                    SolverAnswer::Refuted(Box::new(env))
                });
            }
            Err(QueryError::Start(reason)) => return self.failed(OpenReason::unfinished(reason)),
            Err(QueryError::Query(error)) => *error,
        };
        match error {
            Error::SolverUnknown => {
                self.succeeded();
                let text = "the solver answered `unknown`";
                // The solver also answers `unknown` when its time is over.
                SolverAnswer::Open(if is_late {
                    OpenReason::unfinished(text)
                } else {
                    text.into()
                })
            }
            Error::SolverError(error) => self.failed(OpenReason::of(&error)),
            Error::ModelInvalid { .. } | Error::DecodeModel(_) | Error::ConcretizeError(_) => {
                SolverAnswer::Open(DOES_NOT_REPRODUCE.into())
            }
            error => SolverAnswer::Open(error.to_string().into()),
        }
    }

    const fn succeeded(&mut self) {
        self.failures = 0;
        self.is_unfit = false;
    }

    fn failed(&mut self, reason: OpenReason) -> SolverAnswer {
        self.failures += 1;
        self.is_unfit |= !reason.is_unfinished();
        SolverAnswer::Open(reason)
    }
}

const TOO_LARGE: &str = "a condition is too large to be put to the solver in time; shorten it: products and \
    chains of `.offset(…)` cost most";

pub(crate) const DOES_NOT_REPRODUCE: &str = "the solver's counterexample does not reproduce";

pub(crate) fn out_of_time() -> OpenReason {
    OpenReason::unfinished("the time for all proofs is over")
}
