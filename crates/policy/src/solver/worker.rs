//! A thread that encodes queries for a solver process and waits for its answers. Encoding can take
//! longer than the timeout and cannot be interrupted; such a thread is abandoned.

use std::path::{Path, PathBuf};
use std::pin::pin;
use std::sync::mpsc::{self, Receiver, Sender};
use std::task::{Context, Poll, Waker};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use cedar_policy_symcc::err::Error;
use cedar_policy_symcc::{CedarSymCompiler, Env};

use super::SolverQuery;
use super::process::SolverProcess;

/// Stack of threads that compile policies to formulas: Cedar's typechecker, compiler and encoder
/// recurse.
pub(super) const COMPILING_STACK_BYTES: usize = 64 * 1024 * 1024;

/// A counterexample, or `None` if the claim holds.
pub(super) type QueryResult = Result<Option<Env>, QueryError>;

pub(super) enum QueryError {
    /// The solver could not be started.
    Start(String),
    /// The solver failed, or its input or output was invalid.
    Query(Box<Error>),
}

/// Handle of the thread.
pub(super) struct QueryWorker {
    queries: Option<Sender<(SolverQuery, Duration)>>,
    answers: Receiver<QueryResult>,
    thread: Option<JoinHandle<()>>,
}

impl QueryWorker {
    /// `limit` is the solver's own limit for one query.
    pub(super) fn start(program: &Path, limit: Duration) -> std::io::Result<Self> {
        let (queries, to_ask) = mpsc::channel();
        let (answered, answers) = mpsc::channel();
        let mut asking = WorkerState {
            program: program.to_owned(),
            limit,
            compiler: None,
        };
        let thread = thread::Builder::new()
            .name("solver-questions".to_owned())
            .stack_size(COMPILING_STACK_BYTES)
            .spawn(move || {
                for (query, timeout) in to_ask {
                    if answered.send(asking.ask(&query, timeout)).is_err() {
                        break;
                    }
                }
            })?;
        Ok(Self {
            queries: Some(queries),
            answers,
            thread: Some(thread),
        })
    }

    /// `None` if there is no answer within `in_all`; the solver itself may take `timeout`.
    pub(super) fn ask(
        &mut self,
        query: SolverQuery,
        timeout: Duration,
        in_all: Duration,
    ) -> Option<QueryResult> {
        let queries = self.queries.as_ref()?;
        queries.send((query, timeout)).ok()?;
        let answer = self.answers.recv_timeout(in_all).ok();
        if answer.is_none() {
            // The abandoned thread ends when it cannot deliver its answer.
            self.thread = None;
        }
        answer
    }
}

impl Drop for QueryWorker {
    fn drop(&mut self) {
        self.queries = None;
        if let Some(thread) = self.thread.take() {
            // The solver ends with the thread. A panic was reported as a missing answer.
            let _ = thread.join();
        }
    }
}

/// State of the thread.
struct WorkerState {
    program: PathBuf,
    limit: Duration,
    compiler: Option<CedarSymCompiler<SolverProcess>>,
}

impl WorkerState {
    fn ask(&mut self, query: &SolverQuery, timeout: Duration) -> QueryResult {
        let mut compiler = match self.compiler.take() {
            Some(compiler) => compiler,
            None => self.begin()?,
        };
        compiler.solver_mut().timeout = timeout;
        let answer = poll_to_completion(compiler.check_sat(&query.assertions()));
        // After other errors the process may be in the middle of an answer: use a new one.
        if matches!(answer, Ok(_) | Err(Error::SolverUnknown)) {
            self.compiler = Some(compiler);
        }
        answer.map_err(|error| QueryError::Query(Box::new(error)))
    }

    fn begin(&self) -> Result<CedarSymCompiler<SolverProcess>, QueryError> {
        let process = SolverProcess::start(&self.program, self.limit)
            .map_err(|error| QueryError::Start(format!("cannot start the solver: {error}")))?;
        CedarSymCompiler::new(process).map_err(|error| QueryError::Query(Box::new(error)))
    }
}

/// These futures never wait: scripts are written to memory, and the thread blocks on the process.
pub(crate) fn poll_to_completion<T>(future: impl Future<Output = T>) -> T {
    let mut future = pin!(future);
    let mut context = Context::from_waker(Waker::noop());
    loop {
        if let Poll::Ready(output) = future.as_mut().poll(&mut context) {
            return output;
        }
        thread::yield_now();
    }
}
