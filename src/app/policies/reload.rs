//! Follows the folder while requests are served: looks at it, has edits checked, one at a time.
//!
//! What only forbids more is taken at once (`stops`); what passes its check is taken, or what is
//! wrong with it told (`take`).

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use tokio::signal::unix::{SignalKind, signal};
use tokio_util::sync::CancellationToken;

use charter_authz::engine::Health;
use charter_authz::folder::{Files, Folder};
use charter_authz::snapshot::Snapshot;
use charter_decision_log::Shadow;
use charter_http::state::State;
use charter_policy::gates::{CheckRequest, Demand, Gate, Verdict};
use charter_store::Store;

use super::checked_folder::Policies;
use super::promise::Promise;
use super::read::{Judged, Read, behind};
use super::report::tell_unread;
use super::shadow::ShadowFolder;
use super::start::Taken;
use super::watch::{POLL, SETTLE, Watch};

/// How often a folder that keeps changing is read again before the next poll.
const TRIES: usize = 10;
/// So many checks in a row are given up for a newer edit; the next one is led to its end, so that a
/// folder that never rests still gets somewhere.
const MOST_OVERTAKEN: usize = 2;

/// The work of taking edits.
pub(crate) struct Reloader {
    pub(super) policies: Arc<Policies>,
    shadow: Option<ShadowFolder>,
    pub(super) state: Arc<State>,
    pub(super) store: Arc<Store>,
    /// What is in force.
    pub(super) live: Files,
    /// Whether every gate has looked at what is in force.
    pub(super) checked: bool,
    /// What a candidate must keep, beside its own invariants.
    pub(super) promise: Promise,
    /// Whether the solver answered before: then it is no more excused.
    pub(super) can_prove: bool,
    /// What was judged last.
    pub(super) judged: Option<Judged>,
    /// What is being checked.
    pub(super) checking: Option<Checking>,
    /// How many checks in a row were given up for a newer edit.
    overtaken: usize,
    /// Changed files of which none only forbids more.
    pub(super) no_stops: Option<Files>,
    /// When to judge the same folder again, on the clock that never steps back.
    pub(super) retry_at: Option<Duration>,
    /// When to check again what is in force, likewise.
    pub(super) check_again_at: Option<Duration>,
    /// Snapshots that requests may still hold.
    pub(super) retired: Vec<Arc<Snapshot>>,
}

/// A check under way, in a process of its own.
pub(super) struct Checking {
    pub(super) of: Subject,
    /// What was in force when it began.
    pub(super) live: Files,
    verdict: Pin<Box<dyn Future<Output = Verdict> + Send>>,
}

/// What is checked.
pub(super) enum Subject {
    /// The folder as it was read; its manifest's version.
    Edit(Box<Read>, Option<u64>),
    /// What is in force already, since it only forbids more.
    InForce,
}

impl Checking {
    fn judged(&self) -> Option<Judged> {
        match &self.of {
            Subject::Edit(read, _) => Some(read.judged()),
            Subject::InForce => None,
        }
    }
}

impl Reloader {
    /// `shadow` is what is asked beside the policies in force.
    pub(crate) fn new(
        policies: Policies,
        shadow: Option<Arc<Shadow>>,
        (state, store): (Arc<State>, Arc<Store>),
        started: &Taken,
    ) -> Self {
        let policies = Arc::new(policies);
        let shadow = policies.shadow.clone().zip(shadow);
        Self {
            shadow: shadow.map(|(dir, shadow)| {
                ShadowFolder::new(dir, shadow, Arc::clone(&policies), Arc::clone(&state))
            }),
            policies,
            state,
            store,
            live: started.folder.files().clone(),
            checked: true,
            promise: Promise::new(started.folder.files().clone()),
            can_prove: started.proved,
            judged: started.judged.clone(),
            checking: None,
            overtaken: 0,
            no_stops: None,
            retry_at: None,
            check_again_at: None,
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
                    self.no_stops = None;
                    self.retry_at = None;
                    self.check_again_at = None;
                }
                (checking, verdict) = finished(&mut self.checking) => {
                    self.overtaken = 0;
                    self.conclude(checking, verdict).await;
                }
            }
            self.drop_retired().await;
            self.record_again().await;
            if self
                .retry_at
                .is_some_and(|at| self.state.clock.monotonic() >= at)
            {
                self.retry_at = None;
                self.judged = None;
            }
            if self.look().await {
                watch.arm(&self.policies.dir);
            }
            self.check_what_is_in_force();
        }
    }

    /// Looks at the folder; says whether there was something new.
    async fn look(&mut self) -> bool {
        let Some(mut read) = self.read().await else {
            return false;
        };
        self.tell_unread(&read);
        if self.is_known(&read.judged()) {
            return false;
        }
        let mut rests_but_for_tests = false;
        for _ in 0..TRIES {
            tokio::time::sleep(SETTLE).await;
            let Some(again) = self.read().await else {
                return false;
            };
            self.take_stops(&read, &again).await;
            if again.judged() == read.judged() {
                self.consider(again);
                return true;
            }
            rests_but_for_tests = again.is_alike_but_for_tests(&read);
            read = again;
        }
        tracing::warn!("the policy folder keeps changing, it is looked at again in a second");
        if rests_but_for_tests {
            self.consider(read);
        }
        true
    }

    /// Files that are not read make no edit: they are told as soon as they are seen.
    fn tell_unread(&self, read: &Read) {
        let unread = read.folder.as_ref().map_or(&[][..], Folder::unread);
        let health = self.state.engine.health();
        let told = health.warnings.iter().filter(|it| it.starts_with("files:"));
        if !told.eq(unread) {
            let update = |health: &mut Health| tell_unread(health, unread);
            self.state.engine.update(update);
        }
    }

    fn is_known(&self, judged: &Judged) -> bool {
        let checking = self.checking.as_ref().and_then(Checking::judged);
        self.judged.as_ref() == Some(judged) || checking.as_ref() == Some(judged)
    }

    /// `None` while it is not known what was in force.
    async fn read(&mut self) -> Option<Read> {
        let read = self.policies.read(&self.live).await;
        read.inspect_err(|reason| tracing::warn!("{reason}")).ok()
    }

    /// Begins to check a folder that rests, or says at once what is wrong with it.
    fn consider(&mut self, read: Read) {
        let judged = read.judged();
        let folder = match &read.folder {
            Ok(folder) => folder.clone(),
            Err(reason) => {
                self.refuse(None, &Verdict::refused(Gate::Folder, reason));
                self.judged = Some(judged);
                return;
            }
        };
        let digest = Some(Arc::clone(folder.whole_digest()));
        let version = match self.policies.check_version(&folder, &read.last) {
            Ok(version) => version,
            Err(reason) => {
                self.refuse(digest, &Verdict::refused(Gate::Folder, reason));
                self.judged = Some(judged);
                return;
            }
        };
        if *folder.files() == self.live {
            self.give_up_edit();
            self.healthy(&folder);
            self.judged = Some(judged);
            return;
        }
        if self.is_edit_checked() {
            if self.overtaken >= MOST_OVERTAKEN {
                return;
            }
            self.overtaken += 1;
            self.give_up_edit();
        }
        let job = self.job(&folder, read.approved);
        self.check(Subject::Edit(Box::new(read), version), job);
    }

    const fn is_edit_checked(&self) -> bool {
        matches!(
            &self.checking,
            Some(Checking {
                of: Subject::Edit(..),
                ..
            })
        )
    }

    fn give_up_edit(&mut self) {
        if self.is_edit_checked() {
            self.checking = None;
        }
    }

    /// What was taken before its check is checked when nothing else is.
    fn check_what_is_in_force(&mut self) {
        let now = self.state.clock.monotonic();
        if self.checked || self.checking.is_some() || self.check_again_at.is_some_and(|at| now < at)
        {
            return;
        }
        self.check_again_at = None;
        let Ok(folder) = Folder::of_files(&self.policies.dir, self.live.clone()) else {
            return;
        };
        let job = CheckRequest {
            live: None,
            is_stop: true,
            hold_widening: false,
            ..self.job(&folder, false)
        };
        self.check(Subject::InForce, job);
    }

    fn check(&mut self, of: Subject, job: CheckRequest) {
        let policies = Arc::clone(&self.policies);
        self.checking = Some(Checking {
            of,
            live: self.live.clone(),
            verdict: Box::pin(async move { policies.checker.check(&job).await }),
        });
    }

    fn job(&self, folder: &Folder, approved: bool) -> CheckRequest {
        let mut job = self.policies.job(folder);
        job.live = Some(self.live.clone());
        if approved {
            job.hold_widening = false;
        } else {
            job.baseline = Some(self.promise.files().clone());
        }
        if self.can_prove && job.proofs == Demand::IfPossible {
            job.proofs = Demand::Must;
        }
        job
    }

    /// Taking thousands of policies apart takes long; no request should be the one that does it.
    async fn drop_retired(&mut self) {
        let (unused, used) = std::mem::take(&mut self.retired)
            .into_iter()
            .partition(|snapshot| Arc::strong_count(snapshot) == 1);
        self.retired = used;
        let unused: Vec<Arc<Snapshot>> = unused;
        if !unused.is_empty() {
            behind(move || drop(unused)).await;
        }
    }
}

/// Waits for the check under way; for ever, if there is none.
async fn finished(checking: &mut Option<Checking>) -> (Checking, Verdict) {
    let verdict = match checking {
        Some(checking) => checking.verdict.as_mut().await,
        None => std::future::pending().await,
    };
    match checking.take() {
        Some(checking) => (checking, verdict),
        None => std::future::pending().await,
    }
}
