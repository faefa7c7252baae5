//! Takes an edit of the folder while requests are served, or says why not.

use std::io;
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::{Notify, oneshot};
use tokio_util::sync::CancellationToken;

use crate::authz::decision_log::Shadow;
use crate::authz::engine::{Health, Refused};
use crate::authz::folder::{Files, Folder};
use crate::authz::snapshot::Snapshot;
use crate::http::state::State;
use crate::policy::gates::{Demand, Gate, Job, Verdict};
use crate::policy::limits;

use super::memory::Last;
use super::shadow::ShadowFolder;
use super::watch::Watch;
use super::{Policies, SETTLE, Taken, accepted, health, tell, warn_of_unknown_names};

/// How often the folder is looked at whatever was heard of it.
pub(super) const POLL: Duration = Duration::from_secs(1);
/// How often a folder that keeps changing is read again before the next poll.
const TRIES: usize = 10;
/// When a check that did not come to its end is tried again.
pub(super) const RETRY: Duration = Duration::from_secs(30);
/// What `/readyz` says for as long as it is so.
const NOT_NOTED: &str = "notes: it could not be written down which policies are in force, it is tried \
    again each second; until then nothing can be approved, and a restart would compare with what was \
    in force before";
/// A log line or `/readyz` is not the place for more.
const MAX_REASON_BYTES: usize = 8_000;

/// The work of taking edits.
pub(crate) struct Reloader {
    policies: Arc<Policies>,
    shadow: Option<ShadowFolder>,
    state: Arc<State>,
    /// What is in force.
    live: Files,
    /// Whose invariants a candidate must keep, beside its own.
    baseline: Files,
    /// Whether the solver answered before: then it is no more excused.
    can_prove: bool,
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
        started: &Taken,
    ) -> Self {
        let files = started.folder.files().clone();
        let policies = Arc::new(policies);
        Self {
            shadow: policies
                .shadow
                .clone()
                .zip(shadow)
                .map(|(dir, shadow)| ShadowFolder::new(dir, shadow, Arc::clone(&policies))),
            policies,
            state,
            live: files.clone(),
            judged: Some(Judged {
                read: Ok(files.clone()),
                approved: false,
            }),
            baseline: files,
            can_prove: started.proved,
            retry_at: None,
            retired: Vec::new(),
        }
    }

    /// Runs until it is told to stop.
    pub(crate) async fn run(mut self, stop: CancellationToken) {
        let shadow = self.shadow.take();
        let beside = async {
            if let Some(shadow) = shadow {
                shadow.run().await;
            }
        };
        // A stop does not wait for a proof.
        tokio::select! {
            ((), ()) = async { tokio::join!(self.follow(), beside) } => {}
            () = stop.cancelled() => {}
        }
    }

    async fn follow(&mut self) {
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
            }
            self.drop_retired().await;
            self.note_again().await;
            if self
                .retry_at
                .is_some_and(|at| self.state.clock.monotonic() >= at)
            {
                self.judged = None;
            }
            if self.look(&changed).await {
                watch.arm(&self.policies.dir);
            }
        }
    }

    /// Looks at the folder; says whether there was something new.
    async fn look(&mut self, changed: &Notify) -> bool {
        let mut read = self.read().await;
        if self.judged.as_ref() == Some(&read.judged()) {
            return false;
        }
        for _ in 0..TRIES {
            tokio::time::sleep(SETTLE).await;
            let again = self.read().await;
            if again.judged() == read.judged() {
                let judged = read.judged();
                let is_judged = self.judge(read, changed).await;
                self.judged = is_judged.then_some(judged);
                return true;
            }
            read = again;
        }
        tracing::warn!("the policy folder keeps changing, it is looked at again in a second");
        true
    }

    async fn read(&self) -> Read {
        let policies = Arc::clone(&self.policies);
        let read = aside(move || policies.read()).await;
        read.unwrap_or_else(|| Read {
            folder: Err("the policy folder could not be read".to_owned()),
            last: Last::None,
            approved: false,
        })
    }

    /// Returns when the folder is no more what was read: there is something newer to look at.
    async fn overtaken(&self, read: &Judged, changed: &Notify) {
        loop {
            tokio::select! {
                () = changed.notified() => tokio::time::sleep(SETTLE).await,
                () = tokio::time::sleep(POLL) => {}
            }
            if self.read().await.judged() != *read {
                return;
            }
        }
    }

    /// Takes or refuses what was read; says whether it came to an end.
    async fn judge(&mut self, read: Read, changed: &Notify) -> bool {
        self.retry_at = None;
        let judged = read.judged();
        let folder = match read.folder {
            Ok(folder) => folder,
            Err(reason) => {
                self.refuse(None, &Verdict::refused(Gate::Folder, reason));
                return true;
            }
        };
        let digest = Some(Arc::clone(folder.whole_digest()));
        let version = match self.policies.check_version(&folder, &read.last) {
            Ok(version) => version,
            Err(reason) => {
                self.refuse(digest, &Verdict::refused(Gate::Folder, reason));
                return true;
            }
        };
        if *folder.files() == self.live {
            self.healthy(&folder);
            return true;
        }
        let job = self.job(&folder, read.approved);
        let verdict = tokio::select! {
            verdict = self.policies.checker.check(&job) => verdict,
            () = self.overtaken(&judged, changed) => return false,
        };
        if verdict.unfinished {
            self.retry_at = Some(self.state.clock.monotonic() + RETRY);
        }
        if !verdict.refusals.is_empty() {
            self.refuse(digest, &verdict);
            return true;
        }
        let snapshot = match load(&folder).await {
            Ok(snapshot) => snapshot,
            Err(reason) => {
                self.refuse(digest, &Verdict::refused(Gate::Validation, reason));
                return true;
            }
        };
        let edit = Edit {
            folder,
            version,
            verdict,
            before: read.last,
            approved: read.approved,
        };
        self.take(edit, snapshot).await;
        true
    }

    fn job(&self, folder: &Folder, approved: bool) -> Job {
        let mut job = self.policies.job(folder);
        job.live = Some(self.live.clone());
        if approved {
            job.hold_widening = false;
        } else {
            job.baseline = Some(self.baseline.clone());
        }
        if self.can_prove && job.proofs == Demand::IfPossible {
            job.proofs = Demand::Must;
        }
        job
    }

    async fn take(&mut self, edit: Edit, snapshot: Snapshot) {
        tracing::info!(digest = %snapshot.digest(), "other policies are in force");
        metrics::counter!("charter_policies_reloads_total", "outcome" => "taken").increment(1);
        self.retired.push(self.state.engine.replace(snapshot));
        let mut health = health(&edit.verdict);
        self.state.engine.report(health.clone());
        edit.folder.warn_if_anybody_may_write();
        tell(&edit.verdict);
        self.live.clone_from(edit.folder.files());
        if edit.approved {
            self.baseline.clone_from(edit.folder.files());
        }
        self.can_prove |= edit.verdict.proved;
        // The note and the names may take a while; what is in force does not wait for them.
        let (policies, now) = (Arc::clone(&self.policies), self.state.clock.now());
        let noted = aside(move || {
            let note = accepted(&edit.folder, edit.version, &edit.verdict, &edit.before, now);
            policies.memory.accept(note)
        });
        let noted = noted.await;
        if let Err(error) = noted.unwrap_or_else(|| Err(io::Error::other("it was given up"))) {
            tracing::error!(%error, "{NOT_NOTED}");
            health.warnings.push(NOT_NOTED.to_owned());
        }
        let snapshot = self.state.engine.snapshot();
        warn_of_unknown_names(&self.state.store, &snapshot, &mut health).await;
        self.state.engine.report(health);
    }

    /// Tries again to note what is in force.
    async fn note_again(&self) {
        if !self.policies.memory.is_behind() {
            return;
        }
        let policies = Arc::clone(&self.policies);
        let noted = tokio::task::spawn_blocking(move || policies.memory.write()).await;
        if let Ok(Ok(())) = noted {
            tracing::info!("it is noted again which policies are in force");
            let mut health = (*self.state.engine.health()).clone();
            health.warnings.retain(|warning| warning != NOT_NOTED);
            self.state.engine.report(health);
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

/// What passed all gates.
struct Edit {
    folder: Folder,
    /// The manifest's.
    version: Option<u64>,
    verdict: Verdict,
    /// What it takes the place of.
    before: Last,
    approved: bool,
}

/// What was found in the folder, and what is known of it.
pub(super) struct Read {
    pub(super) folder: Result<Folder, String>,
    pub(super) last: Last,
    pub(super) approved: bool,
}

impl Read {
    fn judged(&self) -> Judged {
        let files = self.folder.as_ref().map(|folder| folder.files().clone());
        Judged {
            read: files.map_err(Clone::clone),
            approved: self.approved,
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
async fn aside<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> Option<T> {
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
