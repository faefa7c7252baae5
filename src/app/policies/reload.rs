//! Takes an edit of the folder while requests are served, or says why not.

use std::sync::Arc;
use std::thread;
use std::time::Duration;

use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::oneshot;
use tokio_util::sync::CancellationToken;

use crate::authz::decision_log::Shadow;
use crate::authz::engine::{Health, Refused};
use crate::authz::folder::{Files, Folder};
use crate::authz::snapshot::Snapshot;
use crate::http::state::State;
use crate::policy::gates::{Gate, Verdict};
use crate::policy::limits;

use super::shadow::ShadowFolder;
use super::watch::Watch;
use super::{Policies, SETTLE, health, warn_of_unknown_names};

/// How often the folder is looked at whatever was heard of it.
const POLL: Duration = Duration::from_secs(1);
/// How often a folder that keeps changing is read again before the next poll.
const TRIES: usize = 10;
/// When a check that did not come to its end is tried again.
const RETRY: Duration = Duration::from_secs(30);
/// A log line or `/readyz` is not the place for more.
const MAX_REASON_BYTES: usize = 8_000;

/// The work of taking edits.
pub(crate) struct Reloader {
    policies: Policies,
    shadow: Option<ShadowFolder>,
    state: Arc<State>,
    /// What is in force.
    live: Files,
    /// Whose invariants a candidate must keep, beside its own.
    baseline: Files,
    /// What was judged last.
    judged: Option<Judged>,
    /// When to judge the same folder again, on the clock that never steps back.
    retry_at: Option<Duration>,
    /// Snapshots that requests may still hold.
    retired: Vec<Arc<Snapshot>>,
}

/// What a judgement depends on.
#[derive(Clone, PartialEq, Eq)]
struct Judged {
    /// The files, or why they cannot be read.
    read: Result<Files, String>,
    approved: bool,
}

impl Reloader {
    /// `shadow` is what is asked beside the policies in force.
    pub(crate) fn new(
        policies: Policies,
        shadow: Option<Arc<Shadow>>,
        state: Arc<State>,
        folder: &Folder,
    ) -> Self {
        let files = folder.files().clone();
        Self {
            judged: Some(Judged {
                read: Ok(files.clone()),
                approved: policies
                    .memory
                    .approved()
                    .iter()
                    .any(|digest| **digest == **folder.whole_digest()),
            }),
            shadow: policies
                .shadow
                .clone()
                .zip(shadow)
                .map(|(dir, shadow)| ShadowFolder::new(dir, shadow)),
            policies,
            state,
            live: files.clone(),
            baseline: files,
            retry_at: None,
            retired: Vec::new(),
        }
    }

    /// Runs until it is told to stop.
    pub(crate) async fn run(mut self, stop: CancellationToken) {
        let mut watch = Watch::new();
        watch.arm(&self.policies.dir);
        let changed = watch.changed();
        let mut hangup = signal(SignalKind::hangup())
            .inspect_err(|error| tracing::warn!(%error, "SIGHUP cannot be heard"))
            .ok();
        let mut poll = tokio::time::interval(POLL);
        poll.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        loop {
            let asked = async {
                match &mut hangup {
                    Some(hangup) => hangup.recv().await,
                    None => std::future::pending().await,
                }
            };
            tokio::select! {
                _ = poll.tick() => {}
                () = changed.notified() => {
                    // Changes come in bursts; one look is enough for all of them.
                    tokio::time::sleep(SETTLE).await;
                }
                _ = asked => {
                    tracing::info!("SIGHUP: the policies are looked at anew");
                    self.judged = None;
                }
                () = stop.cancelled() => break,
            }
            self.drop_retired().await;
            if self
                .retry_at
                .is_some_and(|at| self.state.clock.monotonic() >= at)
            {
                self.judged = None;
            }
            // A stop does not wait for a proof.
            tokio::select! {
                looked = self.look() => if looked { watch.arm(&self.policies.dir) },
                () = stop.cancelled() => break,
            }
            if let Some(shadow) = &mut self.shadow {
                tokio::select! {
                    () = shadow.look(&self.policies.checker) => {}
                    () = stop.cancelled() => break,
                }
            }
        }
    }

    /// Looks at the folder; says whether there was something new.
    async fn look(&mut self) -> bool {
        let mut read = self.read().await;
        if self.judged.as_ref().is_some_and(|judged| {
            judged.read == read.files() && judged.approved == self.is_approved(&read)
        }) {
            return false;
        }
        for _ in 0..TRIES {
            tokio::time::sleep(SETTLE).await;
            let again = self.read().await;
            if again.files() == read.files() {
                let judged = Judged {
                    read: read.files(),
                    approved: self.is_approved(&read),
                };
                self.judge(read, judged.approved).await;
                self.judged = Some(judged);
                return true;
            }
            read = again;
        }
        tracing::warn!("the policy folder keeps changing, it is looked at again in a second");
        true
    }

    async fn read(&self) -> Read {
        let dir = self.policies.dir.clone();
        let read = tokio::task::spawn_blocking(move || Folder::read(&dir)).await;
        match read {
            Ok(Ok(folder)) => Read::Whole(Box::new(folder)),
            Ok(Err(error)) => Read::Broken(error.report()),
            Err(error) => Read::Broken(error.to_string()),
        }
    }

    fn is_approved(&self, read: &Read) -> bool {
        let Read::Whole(folder) = read else {
            return false;
        };
        let approved = self.policies.memory.approved();
        approved
            .iter()
            .any(|digest| **digest == **folder.whole_digest())
    }

    async fn judge(&mut self, read: Read, approved: bool) {
        self.retry_at = None;
        let folder = match read {
            Read::Whole(folder) => folder,
            Read::Broken(reason) => {
                return self.refuse(None, &Verdict::refused(Gate::Folder, reason));
            }
        };
        let digest = Some(Arc::clone(folder.whole_digest()));
        let version = match self.policies.check_version(&folder) {
            Ok(version) => version,
            Err(reason) => return self.refuse(digest, &Verdict::refused(Gate::Folder, reason)),
        };
        if *folder.files() == self.live {
            return self.healthy(&folder);
        }
        let mut job = self.policies.job(&folder);
        job.live = Some(self.live.clone());
        if approved {
            job.hold_widening = false;
        } else {
            job.baseline = Some(self.baseline.clone());
        }
        let verdict = self.policies.checker.check(&job).await;
        if verdict.unfinished {
            self.retry_at = Some(self.state.clock.monotonic() + RETRY);
        }
        if !verdict.refusals.is_empty() {
            return self.refuse(digest, &verdict);
        }
        match load(&folder).await {
            Ok(snapshot) => {
                self.policies.accepted(&folder, version, &verdict);
                self.take(&folder, snapshot, &verdict, approved).await;
            }
            Err(reason) => self.refuse(digest, &Verdict::refused(Gate::Validation, reason)),
        }
    }

    async fn take(
        &mut self,
        folder: &Folder,
        snapshot: Snapshot,
        verdict: &Verdict,
        approved: bool,
    ) {
        let mut health = health(verdict);
        warn_of_unknown_names(&self.state.store, &snapshot, &mut health).await;
        tracing::info!(digest = %snapshot.digest(), "other policies are in force");
        metrics::counter!("charter_policies_reloads_total", "outcome" => "taken").increment(1);
        self.retired.push(self.state.engine.replace(snapshot));
        self.state.engine.report(health);
        self.live.clone_from(folder.files());
        if approved {
            self.baseline.clone_from(folder.files());
        }
    }

    /// The folder is back to what is in force.
    fn healthy(&self, folder: &Folder) {
        let before = self.state.engine.health();
        if before.refused.is_some() {
            tracing::info!(digest = %folder.digest(), "the policy folder is again what is in force");
            let health = Health {
                refused: None,
                ..(*before).clone()
            };
            self.state.engine.report(health);
        }
    }

    fn refuse(&self, digest: Option<Arc<str>>, verdict: &Verdict) {
        let reason = shortened(verdict.report().unwrap_or_default());
        metrics::counter!("charter_policies_reloads_total", "outcome" => "refused").increment(1);
        tracing::error!(
            digest = digest.as_deref(),
            "the policies were changed and are not taken, those before stay in force\n{reason}"
        );
        let before = self.state.engine.health();
        self.state.engine.report(Health {
            refused: Some(Refused {
                digest,
                reason,
                since: self.state.clock.now(),
            }),
            ..(*before).clone()
        });
    }

    /// Taking thousands of policies apart takes long; no request should be the one that does it.
    async fn drop_retired(&mut self) {
        let (unused, used) = std::mem::take(&mut self.retired)
            .into_iter()
            .partition(|snapshot| Arc::strong_count(snapshot) == 1);
        self.retired = used;
        let unused: Vec<Arc<Snapshot>> = unused;
        if !unused.is_empty() {
            aside(move || drop(unused)).await;
        }
    }
}

/// What was found in the folder.
enum Read {
    Whole(Box<Folder>),
    Broken(String),
}

impl Read {
    fn files(&self) -> Result<Files, String> {
        match self {
            Self::Whole(folder) => Ok(folder.files().clone()),
            Self::Broken(reason) => Err(reason.clone()),
        }
    }
}

pub(super) async fn load(folder: &Folder) -> Result<Snapshot, String> {
    let folder = folder.clone();
    let loaded = aside(move || Snapshot::of(&folder).map_err(|error| error.report()));
    loaded.await.ok_or("the policies could not be loaded")?
}

/// Does work that may take seconds on a thread that lets requests go first. Its priority could not
/// be raised again, so the thread ends with it.
pub(super) async fn aside<T: Send + 'static>(
    work: impl FnOnce() -> T + Send + 'static,
) -> Option<T> {
    let (done, result) = oneshot::channel();
    thread::Builder::new()
        .name("policy-load".to_owned())
        .spawn(move || {
            limits::step_back();
            // Nobody waits any more when the service stops.
            let _ = done.send(work());
        })
        .inspect_err(|error| tracing::error!(%error, "no thread for work on policies"))
        .ok()?;
    result.await.ok()
}

fn shortened(mut reason: String) -> String {
    if reason.len() > MAX_REASON_BYTES {
        let end = (0..=MAX_REASON_BYTES)
            .rev()
            .find(|&end| reason.is_char_boundary(end));
        reason.truncate(end.unwrap_or(0));
        reason.push_str("\n… `charter policy check`, `test` and `prove` show the rest");
    }
    reason
}
