//! Runs the gates in a process of its own: a policy can overflow its parser's stack, which ends the
//! process that parses it.

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::process::{Child, Command};

use crate::policy::gates::{Gate, Job, Verdict};
use crate::policy::solver;

/// A verdict is a few reports.
const MAX_VERDICT_BYTES: u64 = 4 * 1024 * 1024;

/// This program, as the one that checks.
pub(super) struct Checker {
    program: PathBuf,
    search_path: Option<OsString>,
    timeout: Duration,
}

impl Checker {
    /// `search_path` is where the solver is looked for.
    pub(super) fn new(program: &Path, search_path: Option<OsString>, timeout: Duration) -> Self {
        Self {
            program: program.to_owned(),
            search_path,
            timeout,
        }
    }

    pub(super) const fn timeout(&self) -> Duration {
        self.timeout
    }

    /// The solver's program where it is found now. What is not found stays as it was named, if it
    /// was.
    pub(super) fn solver(&self, named: Option<&Path>) -> Option<PathBuf> {
        let program = named.unwrap_or(Path::new(solver::PROGRAM));
        let search_path = self.search_path.as_deref();
        search_path
            .and_then(|search_path| solver::on_path(program, search_path))
            .or_else(|| named.map(Path::to_owned))
    }

    /// Leads a candidate through the gates, for as long as the job may take. A check that does not
    /// come to its end is a refusal.
    pub(super) async fn check(&self, job: &Job) -> Verdict {
        match tokio::time::timeout(job.time, self.run(job)).await {
            Ok(Ok(verdict)) => verdict,
            Ok(Err(reason)) => unfinished(reason),
            Err(_elapsed) => unfinished(format!(
                "the check took longer than {:?} (`policies.check_timeout`) and was ended",
                job.time
            )),
        }
    }

    async fn run(&self, job: &Job) -> Result<Verdict, String> {
        let told = |what: &str, error: &dyn std::fmt::Display| {
            format!("the check of the policies could not {what}: {error}")
        };
        let job = serde_json::to_vec(job).map_err(|error| told("be described", &error))?;
        let mut child = Command::new(&self.program)
            .args(["policy", "gate"])
            // Settings may stand in the environment, keys among them: not the solver's business.
            .env_clear()
            .envs(self.search_path.iter().map(|path| ("PATH", path)))
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .kill_on_drop(true)
            .spawn()
            .map_err(|error| told("be started", &error))?;
        let answer = talk(&mut child, &job)
            .await
            .map_err(|error| told("be heard", &error))?;
        let status = child
            .wait()
            .await
            .map_err(|error| told("be waited for", &error))?;
        if !status.success() {
            return Err(format!(
                "the check of the policies died ({status}): they are nested too deeply, or too large"
            ));
        }
        serde_json::from_slice(&answer).map_err(|error| told("be understood", &error))
    }
}

fn unfinished(reason: String) -> Verdict {
    Verdict {
        unfinished: true,
        ..Verdict::refused(Gate::Validation, reason)
    }
}

async fn talk(child: &mut Child, job: &[u8]) -> std::io::Result<Vec<u8>> {
    let mut answer = Vec::new();
    let stdin = child.stdin.take();
    let stdout = child.stdout.take();
    let write = async {
        if let Some(mut stdin) = stdin {
            // A checker that died has closed it; its end tells more than this error.
            let _ = stdin.write_all(job).await;
        }
    };
    let read = async {
        match stdout {
            Some(stdout) => {
                stdout
                    .take(MAX_VERDICT_BYTES)
                    .read_to_end(&mut answer)
                    .await
            }
            None => Ok(0),
        }
    };
    let ((), read) = tokio::join!(write, read);
    read?;
    Ok(answer)
}
