//! Follows a folder while the service runs, the built-in one or that of a domain: reads it and has edits checked, one
//! at a time.
//!
//! Emergency stops take effect at once (`emergency_stop`); other edits take effect or are refused
//! after their check (`take`).

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use tokio::signal::unix::{Signal, SignalKind, signal};

use charter_authz::folder::{Files, Folder};
use charter_authz::policy_health::PolicyHealth;
use charter_domain::clock::Clock;
use charter_policy::gates::{CheckRequest, GateRequirement, GateVerdict, PolicyGate};

use super::baseline::InvariantBaseline;
use super::checked_folder::Policies;
use super::folder_reading::{CheckInput, FolderReading, Phase, run_in_background};
use super::folder_watch::{FolderWatch, POLL, RETRY, SETTLE};
use super::in_force::InForce;
use super::report::{RefusedSubject, report_unread};
use super::taken::TakenFolder;

/// How often a folder that keeps changing is read before the next poll.
const MAX_READS: usize = 10;
/// Consecutive checks that are cancelled for a newer edit; the next one runs to its end, so that a
/// folder that keeps changing makes progress.
const MAX_SUPERSEDED: usize = 2;

/// Takes edits of one folder.
pub(super) struct FolderReloader<P: InForce> {
    pub(super) policies: Arc<Policies>,
    pub(super) place: P,
    pub(super) clock: Arc<dyn Clock>,
    /// The files in force.
    pub(super) live: Files,
    /// Whether the files in force have passed through every gate.
    pub(super) checked: bool,
    /// What a candidate must keep besides its own invariants.
    pub(super) baseline: InvariantBaseline,
    /// Whether a proof has succeeded before: from then on a missing solver is an error.
    pub(super) can_prove: bool,
    /// Inputs of the last finished check.
    pub(super) last_checked: Option<CheckInput>,
    /// The running check.
    pub(super) checking: Option<RunningCheck>,
    /// Consecutive checks that were cancelled for a newer edit.
    superseded: usize,
    /// Changed files that are known not to be emergency stops.
    pub(super) no_stops: Option<Files>,
    /// When to check the same folder again, by the monotonic clock.
    pub(super) retry_at: Option<Duration>,
    /// When to check the policies in force again, by the monotonic clock.
    pub(super) check_again_at: Option<Duration>,
    /// Replaced snapshots that requests may still use.
    pub(super) retired: Vec<Arc<P::Loaded>>,
}

/// A check that runs in a child process.
pub(super) struct RunningCheck {
    pub(super) of: CheckSubject,
    /// The files in force when it began.
    pub(super) live: Files,
    verdict: Pin<Box<dyn Future<Output = GateVerdict> + Send>>,
}

/// The subject of a check.
pub(super) enum CheckSubject {
    /// A reading of the folder, and its manifest's version.
    Edit(Box<FolderReading>, Option<u64>),
    /// The policies in force, which came there before their checks had run.
    InForce,
}

impl RunningCheck {
    fn check_input(&self) -> Option<CheckInput> {
        match &self.of {
            CheckSubject::Edit(read, _) => Some(read.check_input()),
            CheckSubject::InForce => None,
        }
    }
}

impl<P: InForce> FolderReloader<P> {
    pub(super) fn new(
        policies: Arc<Policies>,
        place: P,
        clock: Arc<dyn Clock>,
        started: &TakenFolder,
    ) -> Self {
        let now = clock.monotonic();
        Self {
            policies,
            place,
            clock,
            live: started.folder.files().clone(),
            checked: started.is_checked,
            baseline: InvariantBaseline::new(started.folder.files().clone()),
            can_prove: started.proved,
            last_checked: started.last_checked.clone(),
            checking: None,
            superseded: 0,
            no_stops: None,
            retry_at: started.is_unfinished.then(|| now + RETRY),
            check_again_at: None,
            retired: Vec::new(),
        }
    }

    /// The domain's name, for the log.
    pub(super) fn domain(&self) -> Option<&str> {
        self.policies.domain.as_deref()
    }

    /// Follows the folder for ever: by polling, and with a `watch` by notifications, too.
    pub(super) async fn follow(&mut self, mut watch: Option<FolderWatch>) {
        if let Some(watch) = &mut watch {
            watch.watch(&self.policies.dir);
        }
        let changed = watch
            .as_ref()
            .map(FolderWatch::change_signal)
            .unwrap_or_default();
        let mut hangup = signal(SignalKind::hangup())
            .inspect_err(|error| tracing::warn!(%error, "cannot listen for SIGHUP"))
            .ok();
        let mut poll = tokio::time::interval(POLL);
        poll.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                _ = poll.tick() => {}
                () = changed.notified() => {
                    // Changes come in bursts; one reading covers all of them.
                    tokio::time::sleep(SETTLE).await;
                }
                () = received(&mut hangup) => {
                    tracing::info!(domain = self.domain(), "SIGHUP: checking the policies again");
                    self.last_checked = None;
                    self.no_stops = None;
                    self.retry_at = None;
                    self.check_again_at = None;
                }
                (checking, verdict) = finished(&mut self.checking) => {
                    self.superseded = 0;
                    self.finish_check(checking, verdict).await;
                }
            }
            self.drop_retired().await;
            self.retry_recording().await;
            if self.retry_at.is_some_and(|at| self.clock.monotonic() >= at) {
                self.retry_at = None;
                self.last_checked = None;
            }
            if self.poll_folder().await
                && let Some(watch) = &mut watch
            {
                watch.watch(&self.policies.dir);
            }
            self.check_policies_in_force();
        }
    }

    /// Reads the folder; returns whether it has changed.
    async fn poll_folder(&mut self) -> bool {
        let Some(mut read) = self.read().await else {
            return false;
        };
        self.report_unread(&read);
        if self.is_known(&read.check_input()) {
            return false;
        }
        let mut rests_but_for_tests = false;
        for _ in 0..MAX_READS {
            tokio::time::sleep(SETTLE).await;
            let Some(again) = self.read().await else {
                return false;
            };
            self.take_stops(&read, &again).await;
            if again.check_input() == read.check_input() {
                self.start_check(again);
                return true;
            }
            rests_but_for_tests = again.is_alike_but_for_tests(&read);
            read = again;
        }
        let domain = self.domain();
        tracing::warn!(
            domain,
            "the policy folder keeps changing; reading it again in a second"
        );
        if rests_but_for_tests {
            self.start_check(read);
        }
        true
    }

    /// Reports ignored files as soon as they are seen; they do not count as an edit.
    fn report_unread(&self, read: &FolderReading) {
        let unread = read.folder.as_ref().map_or(&[][..], Folder::unread);
        let health = self.place.health();
        let reported = health.warnings.iter().filter(|it| it.starts_with("files:"));
        if !reported.eq(unread) {
            let update = |health: &mut PolicyHealth| report_unread(health, unread);
            self.place.update(update);
        }
    }

    fn is_known(&self, last_checked: &CheckInput) -> bool {
        let checking = self.checking.as_ref().and_then(RunningCheck::check_input);
        self.last_checked.as_ref() == Some(last_checked) || checking.as_ref() == Some(last_checked)
    }

    /// `None` while the last revision is unknown.
    async fn read(&mut self) -> Option<FolderReading> {
        let read = self.policies.read(&self.live).await;
        read.inspect_err(|reason| tracing::warn!(domain = self.domain(), "{reason}"))
            .ok()
    }

    /// Starts the check of a folder, or refuses it at once.
    fn start_check(&mut self, read: FolderReading) {
        let last_checked = read.check_input();
        let folder = match &read.folder {
            Ok(folder) => folder.clone(),
            Err(reason) => {
                let verdict = GateVerdict::refused(PolicyGate::Folder, reason);
                self.refuse(RefusedSubject::default(), &verdict);
                self.last_checked = Some(last_checked);
                return;
            }
        };
        let version = match self.policies.check_version(&folder, &read.last) {
            Ok(version) => version,
            Err(reason) => {
                let subject = RefusedSubject {
                    digest: Some(Arc::clone(folder.whole_digest())),
                    files: Some(Arc::new(folder.files().clone())),
                };
                self.refuse(subject, &GateVerdict::refused(PolicyGate::Folder, reason));
                self.last_checked = Some(last_checked);
                return;
            }
        };
        if *folder.files() == self.live {
            self.cancel_edit_check();
            self.clear_refusal(&folder);
            self.last_checked = Some(last_checked);
            return;
        }
        if self.is_edit_checked() {
            if self.superseded >= MAX_SUPERSEDED {
                return;
            }
            self.superseded += 1;
            self.cancel_edit_check();
        }
        let request = self.check_request(&folder, read.approved);
        self.check(CheckSubject::Edit(Box::new(read), version), request);
    }

    const fn is_edit_checked(&self) -> bool {
        matches!(
            &self.checking,
            Some(RunningCheck {
                of: CheckSubject::Edit(..),
                ..
            })
        )
    }

    fn cancel_edit_check(&mut self) {
        if self.is_edit_checked() {
            self.checking = None;
        }
    }

    /// Checks what came into force without its checks while no other check runs.
    fn check_policies_in_force(&mut self) {
        let now = self.clock.monotonic();
        if self.checked || self.checking.is_some() || self.check_again_at.is_some_and(|at| now < at)
        {
            return;
        }
        self.check_again_at = None;
        let Ok(folder) = Folder::from_files(&self.policies.dir, self.live.clone()) else {
            return;
        };
        let request = self.check_request(&folder, false);
        let request = CheckRequest {
            live: None,
            // Its own invariants are proved in any case.
            baseline: request.baseline.filter(|files| *files != self.live),
            is_stop: true,
            hold_widening: false,
            ..request
        };
        self.check(CheckSubject::InForce, request);
    }

    fn check(&mut self, of: CheckSubject, request: CheckRequest) {
        let policies = Arc::clone(&self.policies);
        self.checking = Some(RunningCheck {
            of,
            live: self.live.clone(),
            verdict: Box::pin(async move { policies.check(&request, Phase::Serving).await }),
        });
    }

    fn check_request(&self, folder: &Folder, approved: bool) -> CheckRequest {
        let mut request = self.policies.check_request(folder);
        request.live = Some(self.live.clone());
        if approved {
            request.hold_widening = false;
        } else {
            request.baseline = Some(self.baseline.files().clone());
        }
        if self.can_prove && request.proofs == GateRequirement::IfPossible {
            request.proofs = GateRequirement::Required;
        }
        request
    }

    /// Dropping thousands of policies takes long and must not delay a request.
    async fn drop_retired(&mut self) {
        let (unused, used) = std::mem::take(&mut self.retired)
            .into_iter()
            .partition(|loaded| Arc::strong_count(loaded) == 1);
        self.retired = used;
        let unused: Vec<Arc<P::Loaded>> = unused;
        if !unused.is_empty() {
            run_in_background(move || drop(unused)).await;
        }
    }
}

/// Waits for the signal; for ever if it cannot be listened for.
pub(super) async fn received(signal: &mut Option<Signal>) {
    match signal {
        Some(signal) => drop(signal.recv().await),
        None => std::future::pending().await,
    }
}

/// Waits for the running check; for ever if there is none.
async fn finished(checking: &mut Option<RunningCheck>) -> (RunningCheck, GateVerdict) {
    let verdict = match checking {
        Some(checking) => checking.verdict.as_mut().await,
        None => std::future::pending().await,
    };
    match checking.take() {
        Some(checking) => (checking, verdict),
        None => std::future::pending().await,
    }
}
