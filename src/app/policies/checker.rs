//! Runs the gates in a process of its own: a policy can overflow its parser's stack, which ends the
//! process that parses it.

use std::collections::BTreeSet;
use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use serde::Serialize;
use serde::de::DeserializeOwned;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWriteExt};
use tokio::process::{Child, Command};

use charter_authz::folder::Folder;
use charter_policy::gates::{CheckRequest, Gate, Verdict};
use charter_policy::stop::StopJob;
use charter_policy::{limits, solver};

/// A verdict is a few reports.
const MAX_VERDICT_BYTES: u64 = 4 * 1024 * 1024;

/// What a process says when it dies is a line or two.
const MAX_COMPLAINT_BYTES: u64 = 2_000;

/// This program, as the one that checks.
pub(super) struct Checker {
    program: PathBuf,
    search_path: Option<OsString>,
    timeout: Duration,
    /// So much more for each policy.
    per_policy: Duration,
}

impl Checker {
    /// `search_path` is where the solver is looked for.
    pub(super) fn new(
        program: &Path,
        search_path: Option<OsString>,
        timeout: Duration,
        per_policy: Duration,
    ) -> Self {
        Self {
            program: program.to_owned(),
            search_path,
            timeout,
            per_policy,
        }
    }

    /// Time for the checks of this folder.
    pub(super) fn timeout(&self, folder: &Folder) -> Duration {
        let policies = u32::try_from(folder.policy_count()).unwrap_or(u32::MAX);
        self.timeout
            .saturating_add(self.per_policy.saturating_mul(policies))
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
    pub(super) async fn check(&self, job: &CheckRequest) -> Verdict {
        match self.within(job.time, &[], job).await {
            Ok(verdict) => verdict,
            Err(reason) => unfinished(reason),
        }
    }

    /// The names of the files that only forbid more. It does not let requests go first.
    pub(super) async fn stops(&self, job: &StopJob) -> Result<BTreeSet<String>, String> {
        self.within(self.timeout, &["--stops"], job).await
    }

    async fn within<T: DeserializeOwned>(
        &self,
        time: Duration,
        arguments: &[&str],
        job: &impl Serialize,
    ) -> Result<T, String> {
        match tokio::time::timeout(time, self.run(arguments, job)).await {
            Ok(answer) => answer,
            Err(_elapsed) => Err(format!(
                "the check took longer than {time:?} and was ended; raise `policies.check_timeout` or \
                 `policies.check_timeout_per_policy`"
            )),
        }
    }

    async fn run<T: DeserializeOwned>(
        &self,
        arguments: &[&str],
        job: &impl Serialize,
    ) -> Result<T, String> {
        let told = |what: &str, error: &dyn std::fmt::Display| {
            format!("the check of the policies could not {what}: {error}")
        };
        let job = serde_json::to_vec(job).map_err(|error| told("be described", &error))?;
        let mut child = Command::new(&self.program)
            .args(["policy", "gate"])
            .args(arguments)
            // Settings may stand in the environment, keys among them: not the solver's business.
            .env_clear()
            .envs(self.search_path.iter().map(|path| ("PATH", path)))
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .process_group(0)
            .kill_on_drop(true)
            .spawn()
            .map_err(|error| told("be started", &error))?;
        let mut group = Group(child.id());
        let (answer, complaint) = talk(&mut child, &job)
            .await
            .map_err(|error| told("be heard", &error))?;
        let status = child
            .wait()
            .await
            .map_err(|error| told("be waited for", &error))?;
        if !status.success() {
            let complaint = String::from_utf8_lossy(&complaint);
            return Err(format!(
                "the check of the policies ended early ({status}), as when they are nested too deeply \
                 or too large {}",
                complaint.trim()
            ));
        }
        // It ended all that it started.
        group.0 = None;
        serde_json::from_slice(&answer).map_err(|error| told("be understood", &error))
    }
}

/// The checker and the solvers that it started. They end together, however the check does: a solver
/// whose checker was killed would go on for minutes.
struct Group(Option<u32>);

impl Drop for Group {
    fn drop(&mut self) {
        if let Some(leader) = self.0 {
            limits::end_group(leader);
        }
    }
}

fn unfinished(reason: String) -> Verdict {
    Verdict {
        unfinished: true,
        ..Verdict::refused(Gate::Validation, reason)
    }
}

/// What it answers, and what it complains of.
async fn talk(child: &mut Child, job: &[u8]) -> std::io::Result<(Vec<u8>, Vec<u8>)> {
    let stdin = child.stdin.take();
    let (stdout, stderr) = (child.stdout.take(), child.stderr.take());
    let write = async {
        if let Some(mut stdin) = stdin {
            // A checker that died has closed it; its end tells more than this error.
            let _ = stdin.write_all(job).await;
        }
    };
    let ((), answer, complaint) = tokio::join!(
        write,
        read(stdout, MAX_VERDICT_BYTES),
        read(stderr, MAX_COMPLAINT_BYTES)
    );
    Ok((answer?, complaint?))
}

async fn read(from: Option<impl AsyncRead + Unpin>, most: u64) -> std::io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    if let Some(from) = from {
        from.take(most).read_to_end(&mut bytes).await?;
    }
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;
    use charter_authz::folder::Files;
    use charter_policy::gates::Demand;

    /// Whether it runs: who was killed may be there for a while, as nobody's zombie.
    fn runs(process: &str) -> bool {
        let stat = fs::read_to_string(format!("/proc/{process}/stat")).unwrap_or_default();
        let state = stat.rsplit_once(") ").map(|(_, rest)| rest.to_owned());
        state.is_some_and(|state| !state.starts_with(['Z', 'X']))
    }

    #[tokio::test]
    async fn a_check_that_takes_too_long_leaves_no_process_behind() {
        let dir = tempfile::TempDir::new().expect("a directory");
        let (program, told) = (dir.path().join("slow"), dir.path().join("told"));
        let script = format!(
            "#!/bin/sh\nsleep 600 &\necho $! > '{0}.new'\nmv '{0}.new' '{0}'\nwait\n",
            told.display()
        );
        fs::write(&program, script).expect("a script");
        fs::set_permissions(&program, fs::Permissions::from_mode(0o755)).expect("a program");
        let time = Duration::from_secs(3);
        let job = CheckRequest {
            dir: dir.path().to_owned(),
            candidate: Files::default(),
            live: None,
            baseline: None,
            tests: Demand::No,
            min_coverage: 0,
            proofs: Demand::No,
            solver: None,
            proofs_kept: None,
            hold_widening: false,
            is_stop: false,
            time,
        };
        let search_path = Some("/usr/bin:/bin".into());
        let checker = Checker::new(&program, search_path, time, Duration::ZERO);
        let started = async {
            loop {
                if let Ok(process) = fs::read_to_string(&told) {
                    break process.trim().to_owned();
                }
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
        };
        let (process, verdict) = tokio::join!(started, checker.check(&job));
        assert!(verdict.unfinished, "{verdict:?}");
        while runs(&process) {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    }
}
