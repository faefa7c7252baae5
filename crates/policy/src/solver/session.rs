//! Puts claims to a solver process, starts another one when it fails, and keeps to the budget.

use std::time::Duration;

use cedar_policy_symcc::Env;
use cedar_policy_symcc::err::Error;

use super::asker::{Asked, Asker, Failed};
use super::{Budget, Question, Reason};

/// So much longer than its own limit the solver is waited for.
const GRACE: Duration = Duration::from_secs(1);
/// A solver that fails so often without an answer in between is not started again.
const MAX_FAILURES: usize = 3;

/// What the solver says of a claim.
#[derive(Debug)]
pub(crate) enum Answer {
    /// It always holds.
    Holds,
    /// It does not, it says, and this is why. To be believed once it was tried.
    Fails(Box<Env>),
    /// It does not say, for this reason.
    Open(Reason),
}

/// One solver process after the other.
pub(crate) struct Session<'a> {
    budget: Budget<'a>,
    asker: Option<Asker>,
    failures: usize,
    /// Whether in one of them it answered what nobody understands.
    is_unfit: bool,
    /// How many claims needed the solver.
    pub(crate) questions: usize,
}

impl<'a> Session<'a> {
    pub(crate) const fn new(budget: Budget<'a>) -> Self {
        Self {
            budget,
            asker: None,
            failures: 0,
            is_unfit: false,
            questions: 0,
        }
    }

    /// Whether the time for all questions is over.
    pub(crate) fn is_over(&self) -> bool {
        self.budget.left().is_zero()
    }

    /// Whether a claim holds. It comes back in time, whatever the question takes.
    pub(crate) fn never(&mut self, question: Question) -> Answer {
        if question.is_trivial() {
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
        let mut asker = match self.asker.take() {
            Some(asker) => asker,
            None => match Asker::start(&self.budget.solver.program, limit) {
                Ok(asker) => asker,
                Err(error) => {
                    let text = format!("cannot start a thread: {error}");
                    return self.failed(Reason::unfinished(text));
                }
            },
        };
        self.questions += 1;
        let began = self.budget.clock.monotonic();
        let patience = limit.saturating_add(GRACE).min(left);
        let Some(answer) = asker.ask(question, patience, patience.saturating_add(GRACE)) else {
            // With all of its time another try would end alike.
            let had_its_time = patience > limit;
            return self.failed(if had_its_time {
                TOO_LARGE.into()
            } else {
                Reason::unfinished(TOO_LARGE)
            });
        };
        self.asker = Some(asker);
        let took = self.budget.clock.monotonic().saturating_sub(began);
        self.judge(answer, took >= limit)
    }

    fn judge(&mut self, answer: Asked, is_late: bool) -> Answer {
        let error = match answer {
            Ok(found) => {
                self.succeeded();
                return found.map_or(Answer::Holds, |env| Answer::Fails(Box::new(env)));
            }
            Err(Failed::Start(reason)) => return self.failed(Reason::unfinished(reason)),
            Err(Failed::Asked(error)) => *error,
        };
        match error {
            Error::SolverUnknown => {
                self.succeeded();
                let text = "the solver answered `unknown`";
                // It also says so when its time for a question is over.
                Answer::Open(if is_late {
                    Reason::unfinished(text)
                } else {
                    text.into()
                })
            }
            Error::SolverError(error) => self.failed(Reason::of(&error)),
            Error::ModelInvalid { .. } | Error::DecodeModel(_) | Error::ConcretizeError(_) => {
                Answer::Open(DOES_NOT_REPRODUCE.into())
            }
            error => Answer::Open(error.to_string().into()),
        }
    }

    const fn succeeded(&mut self) {
        self.failures = 0;
        self.is_unfit = false;
    }

    fn failed(&mut self, reason: Reason) -> Answer {
        self.failures += 1;
        self.is_unfit |= !reason.is_unfinished();
        Answer::Open(reason)
    }
}

/// What is said of a question that was not even written down in time.
const TOO_LARGE: &str = "a condition is too large to be put to the solver in time; shorten it, as a chain \
    of `.offset(…)` to a single one";

/// What is said of a counterexample that is none.
pub(crate) const DOES_NOT_REPRODUCE: &str = "the solver's counterexample does not reproduce";

/// What is said of what was not asked in time.
pub(crate) fn out_of_time() -> Reason {
    Reason::unfinished("the time for all proofs is over")
}
