//! A thread that writes questions down for a solver process and waits for its answers. Writing one
//! down may take longer than anybody waits, and cannot be interrupted: then the thread is left alone.

use std::path::{Path, PathBuf};
use std::pin::pin;
use std::sync::mpsc::{self, Receiver, Sender};
use std::task::{Context, Poll, Waker};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use cedar_policy_symcc::err::Error;
use cedar_policy_symcc::{CedarSymCompiler, Env};

use super::Question;
use super::process::Process;

/// Of a thread that compiles policies to formulas: Cedar's typechecker, compiler and encoder recurse.
pub(super) const STACK_BYTES: usize = 64 * 1024 * 1024;

/// What came of a question.
pub(super) type Asked = Result<Option<Env>, Failed>;

/// Why there is no answer.
pub(super) enum Failed {
    /// No solver could be started.
    Start(String),
    /// The solver, or what it was given or gave.
    Asked(Box<Error>),
}

/// The thread, while it can be used.
pub(super) struct Asker {
    questions: Option<Sender<(Question, Duration)>>,
    answers: Receiver<Asked>,
    thread: Option<JoinHandle<()>>,
}

impl Asker {
    /// `limit` is the solver's own for one question.
    pub(super) fn start(program: &Path, limit: Duration) -> std::io::Result<Self> {
        let (questions, to_ask) = mpsc::channel();
        let (answered, answers) = mpsc::channel();
        let mut asking = Asking {
            program: program.to_owned(),
            limit,
            compiler: None,
        };
        let thread = thread::Builder::new()
            .name("solver-questions".to_owned())
            .stack_size(STACK_BYTES)
            .spawn(move || {
                for (question, patience) in to_ask {
                    if answered.send(asking.ask(&question, patience)).is_err() {
                        break;
                    }
                }
            })?;
        Ok(Self {
            questions: Some(questions),
            answers,
            thread: Some(thread),
        })
    }

    /// `None` if there is no answer within `in_all`; the solver itself may take `patience`.
    pub(super) fn ask(
        &mut self,
        question: Question,
        patience: Duration,
        in_all: Duration,
    ) -> Option<Asked> {
        let questions = self.questions.as_ref()?;
        questions.send((question, patience)).ok()?;
        let answer = self.answers.recv_timeout(in_all).ok();
        if answer.is_none() {
            // It ends by itself when nobody takes its answer.
            self.thread = None;
        }
        answer
    }
}

impl Drop for Asker {
    fn drop(&mut self) {
        self.questions = None;
        if let Some(thread) = self.thread.take() {
            // With it the solver ends. A panic in it was an answer that did not come.
            let _ = thread.join();
        }
    }
}

/// The thread's own side.
struct Asking {
    program: PathBuf,
    limit: Duration,
    compiler: Option<CedarSymCompiler<Process>>,
}

impl Asking {
    fn ask(&mut self, question: &Question, patience: Duration) -> Asked {
        let mut compiler = match self.compiler.take() {
            Some(compiler) => compiler,
            None => self.begin()?,
        };
        compiler.solver_mut().patience = patience;
        let answer = at_once(compiler.check_sat(&question.formulas()));
        // After another error it may be in the middle of an answer: the next question goes to
        // another process.
        if matches!(answer, Ok(_) | Err(Error::SolverUnknown)) {
            self.compiler = Some(compiler);
        }
        answer.map_err(|error| Failed::Asked(Box::new(error)))
    }

    fn begin(&self) -> Result<CedarSymCompiler<Process>, Failed> {
        let process = Process::start(&self.program, self.limit)
            .map_err(|error| Failed::Start(format!("cannot start the solver: {error}")))?;
        CedarSymCompiler::new(process).map_err(|error| Failed::Asked(Box::new(error)))
    }
}

/// Nothing in these futures waits: scripts are written to memory, the process is waited for in the
/// thread.
pub(crate) fn at_once<T>(future: impl Future<Output = T>) -> T {
    let mut future = pin!(future);
    let mut context = Context::from_waker(Waker::noop());
    loop {
        if let Poll::Ready(output) = future.as_mut().poll(&mut context) {
            return output;
        }
        thread::yield_now();
    }
}
