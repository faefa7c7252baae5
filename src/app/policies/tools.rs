//! Work on policies for the workbench, in child processes.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::process::{ChildStdin, ChildStdout};
use tokio::sync::{Semaphore, mpsc};
use tokio_util::task::TaskTracker;

use charter_authz::custom_domain::CustomDomain;
use charter_authz::fault::LoadError;
use charter_authz::folder::{Files, Folder, nominal_place};
use charter_authz::snapshot::Snapshot;
use charter_http::state::{Busy, FolderRefusal, JobEvent, PolicyJob, PolicyTools};
use charter_policy::gates::{CheckRequest, GateRequirement};
use charter_policy::workbench::{WorkbenchEvent, WorkbenchJob};

use super::checked_folder::Policies;
use super::folder_reading::{FromFolder, run_in_background};

/// Time for a replay of the whole log.
const REPLAY_TIMEOUT: Duration = Duration::from_mins(10);
/// Time for reading the log for the coverage, which a request waits for.
const COVERAGE_LOG_TIME: Duration = Duration::from_secs(10);
const COVERAGE_TIMEOUT: Duration = Duration::from_secs(25);
/// Of one line of a child: a result is a list of counterexamples, or of flips.
const MAX_EVENT_BYTES: u64 = 16 * 1024 * 1024;

/// Starts child processes for the workbench.
pub(in crate::app) struct Tools {
    policies: Arc<Policies>,
    /// Directory of the decision log, if there is one.
    log: Option<PathBuf>,
    jobs: Arc<Semaphore>,
    loads: Semaphore,
    /// The running job. A stop does not wait for it: it ends with its listener, or with the runtime.
    running: TaskTracker,
}

impl Tools {
    pub(in crate::app) fn new(policies: Arc<Policies>, log: Option<PathBuf>) -> Self {
        Self {
            policies,
            log,
            jobs: Arc::new(Semaphore::new(1)),
            loads: Semaphore::new(1),
            running: TaskTracker::new(),
        }
    }

    /// The job for the child, and the time it gets.
    fn describe(&self, job: PolicyJob) -> Result<(WorkbenchJob, Duration), String> {
        let no_log = || "decisions are not logged: set `decisions.enabled`".to_owned();
        Ok(match job {
            PolicyJob::Diff {
                domain,
                in_force,
                candidate,
            } => {
                let folder = Folder::without_place(domain.as_deref(), in_force.clone());
                let time = folder.map_or(Duration::from_mins(1), |folder| {
                    self.policies.checker.timeout(&folder)
                });
                let solver = self.policies.rules.solver.as_deref();
                let job = WorkbenchJob::Diff {
                    domain,
                    in_force,
                    candidate,
                    solver: self.policies.checker.solver(solver),
                    time: time / 2,
                };
                (job, time)
            }
            PolicyJob::Replay { domain, candidate } => {
                let job = WorkbenchJob::Replay {
                    domain,
                    candidate,
                    log: self.log.clone().ok_or_else(no_log)?,
                };
                (job, REPLAY_TIMEOUT)
            }
            PolicyJob::Coverage {
                domain,
                in_force,
                since,
            } => {
                let job = WorkbenchJob::Coverage {
                    domain,
                    in_force,
                    log: self.log.clone(),
                    since: since.timestamp_millis(),
                    time: COVERAGE_LOG_TIME,
                };
                (job, COVERAGE_TIMEOUT)
            }
        })
    }

    /// Checks a folder as the validation gate does, and loads it.
    async fn load_as<L: FromFolder>(
        &self,
        domain: Option<&str>,
        files: Files,
    ) -> Result<Arc<L>, FolderRefusal> {
        let _turn = self.loads.try_acquire().map_err(|_| FolderRefusal::Busy)?;
        let faults = |error: LoadError| FolderRefusal::Faults(error.document());
        let folder = Folder::without_place(domain, files).map_err(faults)?;
        let request = CheckRequest {
            dir: nominal_place(domain),
            tests: GateRequirement::Off,
            proofs: GateRequirement::Off,
            hold_widening: false,
            ..self.policies.check_request(&folder)
        };
        let mut verdict = self.policies.checker.check(&request).await;
        if let Some(refusal) = verdict.refusals.pop() {
            return Err(match refusal.details {
                Some(details) => FolderRefusal::Faults(details),
                None => FolderRefusal::Unfinished(refusal.report),
            });
        }
        let loaded = run_in_background(move || L::from_folder(&folder));
        let failed = || FolderRefusal::Unfinished("it could not be loaded".to_owned());
        let loaded = loaded.await.ok_or_else(failed)?.map_err(faults)?;
        Ok(Arc::new(loaded))
    }
}

#[async_trait]
impl PolicyTools for Tools {
    async fn load(&self, files: Files) -> Result<Arc<Snapshot>, FolderRefusal> {
        self.load_as(None, files).await
    }

    async fn load_domain(
        &self,
        name: &str,
        files: Files,
    ) -> Result<Arc<CustomDomain>, FolderRefusal> {
        self.load_as(Some(name), files).await
    }

    fn start(&self, job: PolicyJob) -> Result<mpsc::Receiver<JobEvent>, Busy> {
        let turn = Arc::clone(&self.jobs).try_acquire_owned();
        let turn = turn.map_err(|_| Busy)?;
        let (sender, receiver) = mpsc::channel(4);
        let described = self.describe(job);
        let policies = Arc::clone(&self.policies);
        self.running.spawn(async move {
            let work = async {
                let (job, time) = described?;
                let work = tokio::time::timeout(time, run(&policies, &job, &sender));
                let late = |_| format!("it took longer than {time:?} and was ended");
                work.await.map_err(late)?
            };
            let last = tokio::select! {
                ended = work => Some(ended.unwrap_or_else(JobEvent::Failed)),
                // Dropping the work kills its processes.
                () = sender.closed() => None,
            };
            // After the result, the client may start the next job at once.
            drop(turn);
            if let Some(last) = last {
                // The client may be gone.
                let _ = sender.send(last).await;
            }
        });
        Ok(receiver)
    }
}

/// Runs a job in a child process and passes its events on, but for the last one, which it returns.
async fn run(
    policies: &Policies,
    job: &WorkbenchJob,
    events: &mpsc::Sender<JobEvent>,
) -> Result<JobEvent, String> {
    let failed =
        |what: &str, error: &dyn std::fmt::Display| format!("cannot {what} the work: {error}");
    let job = serde_json::to_vec(job).map_err(|error| failed("describe", &error))?;
    let started = policies.checker.spawn(&["workbench"]);
    let (mut child, mut group) = started.map_err(|error| failed("start", &error))?;
    let (stdin, stdout) = (child.stdin.take(), child.stdout.take());
    let (Some(stdin), Some(stdout)) = (stdin, stdout) else {
        return Err("cannot start the work: it has no pipes".to_owned());
    };
    let mut stderr = child.stderr.take();
    let mut stderr_text = Vec::new();
    let complain = async {
        if let Some(stderr) = &mut stderr {
            // It is only a hint.
            let _ = stderr.take(2_000).read_to_end(&mut stderr_text).await;
        }
    };
    let ((), passed_on, ()) = tokio::join!(write(stdin, &job), pass_on(stdout, events), complain);
    let last = passed_on.map_err(|error| failed("follow", &error))?;
    let status = child.wait().await;
    let status = status.map_err(|error| failed("wait for", &error))?;
    let Some(last) = last else {
        let hint = String::from_utf8_lossy(&stderr_text);
        return Err(format!(
            "the work crashed ({status}); the policies may be nested too deeply or be too large {}",
            hint.trim()
        ));
    };
    group.ended();
    Ok(last)
}

async fn write(mut stdin: ChildStdin, job: &[u8]) {
    // A child that died has closed it; its exit status says more than this error.
    let _ = stdin.write_all(job).await;
}

/// The last event; `None` if the output ends before it.
async fn pass_on(
    stdout: ChildStdout,
    events: &mpsc::Sender<JobEvent>,
) -> std::io::Result<Option<JobEvent>> {
    let mut reader = BufReader::new(stdout);
    let mut line = Vec::new();
    loop {
        line.clear();
        let read = (&mut reader)
            .take(MAX_EVENT_BYTES)
            .read_until(b'\n', &mut line)
            .await?;
        if read == 0 {
            return Ok(None);
        }
        let event: WorkbenchEvent = serde_json::from_slice(&line)?;
        if event.is_last() {
            return Ok(Some(event_of(event)));
        }
        // The client may be gone; then the work is cancelled.
        let _ = events.send(event_of(event)).await;
    }
}

fn event_of(event: WorkbenchEvent) -> JobEvent {
    match event {
        WorkbenchEvent::Accepted => JobEvent::Accepted,
        WorkbenchEvent::Progress { done, known } => JobEvent::Progress { done, known },
        WorkbenchEvent::Done(result) => JobEvent::Done(result),
        WorkbenchEvent::Refused(faults) => JobEvent::Refused(faults),
        WorkbenchEvent::Failed(reason) => JobEvent::Failed(reason),
    }
}
