//! Runs the gates in a child process: a policy can overflow the parser's stack, which crashes the
//! process.

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
use charter_policy::emergency_stop::StopCheckRequest;
use charter_policy::gates::{CheckRequest, GateVerdict, PolicyGate};
use charter_policy::{process_limits, solver};

use super::check_turns::CheckTurns;

/// A verdict consists of a few reports.
const MAX_VERDICT_BYTES: u64 = 4 * 1024 * 1024;

/// A crash message is a line or two.
const MAX_STDERR_BYTES: u64 = 2_000;

/// Starts this executable for checks.
#[derive(Clone)]
pub(super) struct Checker {
    program: PathBuf,
    search_path: Option<OsString>,
    timeout: Duration,
    /// Additional time for each policy.
    per_policy: Duration,
    /// For the checks of domains.
    pub(super) turns: CheckTurns,
}

impl Checker {
    /// The solver is looked up on `search_path`.
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
            turns: CheckTurns::new(),
        }
    }

    /// Time limit of the checks of this folder.
    pub(super) fn timeout(&self, folder: &Folder) -> Duration {
        let policies = u32::try_from(folder.policy_count()).unwrap_or(u32::MAX);
        self.timeout
            .saturating_add(self.per_policy.saturating_mul(policies))
    }

    /// The path of the solver's program, or its given name if it is not found.
    pub(super) fn solver(&self, named: Option<&Path>) -> Option<PathBuf> {
        let program = named.unwrap_or(Path::new(solver::PROGRAM));
        let search_path = self.search_path.as_deref();
        search_path
            .and_then(|search_path| solver::on_path(program, search_path))
            .or_else(|| named.map(Path::to_owned))
    }

    /// Runs the gates within the request's time limit, before anything is served. A check that does not
    /// finish is a refusal.
    pub(super) async fn check_at_start(&self, request: &CheckRequest) -> GateVerdict {
        self.check_with(request, &[]).await
    }

    /// The same, while requests are served: they go first.
    pub(super) async fn check(&self, request: &CheckRequest) -> GateVerdict {
        self.check_with(request, &["--background"]).await
    }

    async fn check_with(&self, request: &CheckRequest, arguments: &[&str]) -> GateVerdict {
        match self.run_within(request.time, arguments, request).await {
            Ok(verdict) => verdict,
            Err(reason) => unfinished(reason),
        }
    }

    /// Names of the files that only add forbids.
    pub(super) async fn stops(
        &self,
        request: &StopCheckRequest,
    ) -> Result<BTreeSet<String>, String> {
        self.run_within(self.timeout, &["--stops"], request).await
    }

    async fn run_within<T: DeserializeOwned>(
        &self,
        time: Duration,
        arguments: &[&str],
        request: &impl Serialize,
    ) -> Result<T, String> {
        match tokio::time::timeout(time, self.run(arguments, request)).await {
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
        request: &impl Serialize,
    ) -> Result<T, String> {
        let failed = |what: &str, error: &dyn std::fmt::Display| {
            format!("cannot {what} the policy check: {error}")
        };
        let request = serde_json::to_vec(request).map_err(|error| failed("describe", &error))?;
        let command: Vec<&str> = ["gate"].iter().chain(arguments).copied().collect();
        let started = self.spawn(&command);
        let (mut child, mut group) = started.map_err(|error| failed("start", &error))?;
        let (answer, stderr_text) = exchange(&mut child, &request)
            .await
            .map_err(|error| failed("communicate with", &error))?;
        let status = child
            .wait()
            .await
            .map_err(|error| failed("wait for", &error))?;
        if !status.success() {
            let stderr_text = String::from_utf8_lossy(&stderr_text);
            return Err(format!(
                "the policy check crashed ({status}); the policies may be nested too deeply or be too large {}",
                stderr_text.trim()
            ));
        }
        group.ended();
        serde_json::from_slice(&answer).map_err(|error| failed("parse the verdict of", &error))
    }

    /// Starts `charter policy` with these arguments, with pipes and a process group of its own.
    pub(super) fn spawn(&self, arguments: &[&str]) -> std::io::Result<(Child, ProcessGroup)> {
        let child = Command::new(&self.program)
            .arg("policy")
            .args(arguments)
            // The environment may contain keys, which the solver must not see.
            .env_clear()
            .envs(self.search_path.iter().map(|path| ("PATH", path)))
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .process_group(0)
            .kill_on_drop(true)
            .spawn()?;
        let group = ProcessGroup(child.id());
        Ok((child, group))
    }
}

/// The checker and its solvers. They are killed together: a solver whose checker was killed would
/// run on for minutes.
pub(super) struct ProcessGroup(Option<u32>);

impl ProcessGroup {
    /// It has ended, with all its children.
    pub(super) const fn ended(&mut self) {
        self.0 = None;
    }
}

impl Drop for ProcessGroup {
    fn drop(&mut self) {
        if let Some(leader) = self.0 {
            process_limits::kill_process_group(leader);
        }
    }
}

fn unfinished(reason: String) -> GateVerdict {
    GateVerdict {
        unfinished: true,
        ..GateVerdict::refused(PolicyGate::Validation, reason)
    }
}

/// Sends the request and reads standard output and standard error.
async fn exchange(child: &mut Child, request: &[u8]) -> std::io::Result<(Vec<u8>, Vec<u8>)> {
    let stdin = child.stdin.take();
    let (stdout, stderr) = (child.stdout.take(), child.stderr.take());
    let write = async {
        if let Some(mut stdin) = stdin {
            // A checker that died has closed it; its exit status says more than this error.
            let _ = stdin.write_all(request).await;
        }
    };
    let ((), answer, stderr_text) = tokio::join!(
        write,
        read(stdout, MAX_VERDICT_BYTES),
        read(stderr, MAX_STDERR_BYTES)
    );
    Ok((answer?, stderr_text?))
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
    use charter_policy::gates::GateRequirement;

    /// Whether it runs; a killed process may remain as a zombie.
    fn runs(process: &str) -> bool {
        let stat = fs::read_to_string(format!("/proc/{process}/stat")).unwrap_or_default();
        let state = stat.rsplit_once(") ").map(|(_, rest)| rest.to_owned());
        state.is_some_and(|state| !state.starts_with(['Z', 'X']))
    }

    #[tokio::test]
    async fn a_check_that_takes_too_long_leaves_no_process_behind() {
        let dir = tempfile::TempDir::new().expect("a directory");
        let (program, pid_file) = (dir.path().join("slow"), dir.path().join("pid"));
        let script = format!(
            "#!/bin/sh\nsleep 600 &\necho $! > '{0}.new'\nmv '{0}.new' '{0}'\nwait\n",
            pid_file.display()
        );
        fs::write(&program, script).expect("a script");
        fs::set_permissions(&program, fs::Permissions::from_mode(0o755)).expect("a program");
        let time = Duration::from_secs(3);
        let request = CheckRequest {
            dir: dir.path().to_owned(),
            candidate: Files::default(),
            live: None,
            baseline: None,
            tests: GateRequirement::Off,
            min_coverage: 0,
            proofs: GateRequirement::Off,
            solver: None,
            proof_cache: None,
            hold_widening: false,
            is_stop: false,
            time,
        };
        let search_path = Some("/usr/bin:/bin".into());
        let checker = Checker::new(&program, search_path, time, Duration::ZERO);
        let started = async {
            loop {
                if let Ok(process) = fs::read_to_string(&pid_file) {
                    break process.trim().to_owned();
                }
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
        };
        let (process, verdict) = tokio::join!(started, checker.check(&request));
        assert!(verdict.unfinished, "{verdict:?}");
        while runs(&process) {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    }
}
