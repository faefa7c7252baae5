//! The policies at start: the folder if it passes its gates, else what was in force before the
//! stop. A domain's folder is taken in the same way, whenever it comes.

use std::sync::Arc;
use std::time::Duration;

use crate::settings::PolicyStart;
use charter_authz::folder::{DOMAINS, Files, Folder};
use charter_authz::policy_health::PolicyHealth;
use charter_authz::snapshot::Snapshot;
use charter_domain::timestamp::Timestamp;
use charter_policy::gates::{
    CheckRequest, GateRequirement, GateVerdict, PolicyGate, approval_hint,
};
use charter_store::TakenAs;

use super::super::StartError;
use super::baseline::InvariantBaseline;
use super::checked_folder::Policies;
use super::folder_reading::{FolderReading, FromFolder, Phase};
use super::last_accepted::LastAccepted;
use super::report::{
    MORE_TIME, gate_outcomes, health, log_findings, new_revision, report_unread, set_folder,
};
use super::taken::{Started, TakenFolder, UnfitFolder};
use super::writable::report_writable;

/// Minimal time limit of the checks at start.
const START_TIMEOUT: Duration = Duration::from_mins(5);

impl Policies {
    /// Reads the folder and runs the required gates. If it fails and the settings allow it, the
    /// policies that were in force before the stop are used.
    ///
    /// # Errors
    ///
    /// The faults of the folder, and errors of the database.
    pub(in crate::app) async fn start(&self, now: Timestamp) -> Result<Started, StartError> {
        let last = self.accepted.last().await?;
        let read = self.read_after(last, &Files::new()).await;
        let started = self.take_or_restore(read, now, Phase::Start).await;
        let mut started = started.map_err(|unfit| StartError::Policies(unfit.reason))?;
        let found = self.writable_warnings().await.unwrap_or_default();
        report_writable(&mut started.health, &PolicyHealth::default(), &found);
        Ok(started)
    }

    /// The folder, or else, if the settings allow it, what was accepted last.
    pub(super) async fn take_or_restore<L: FromFolder>(
        &self,
        read: FolderReading,
        now: Timestamp,
        phase: Phase,
    ) -> Result<Started<L>, UnfitFolder> {
        let last = Arc::clone(&read.last);
        match self.take_folder(read, now, phase).await {
            Err(unfit) if self.rules.start == PolicyStart::LastAccepted => {
                self.restore(&last, unfit, now, phase).await
            }
            taken => taken,
        }
    }

    /// Records the revision once the service is able to start.
    ///
    /// # Errors
    ///
    /// It cannot be written.
    pub(in crate::app) async fn record_start(&self, taken: &TakenFolder) -> Result<(), StartError> {
        if let Some(new) = &taken.new {
            self.accepted.accept(new.clone()).await?;
        }
        Ok(())
    }

    /// The folder, if it passes the gates as the successor of what was accepted last.
    pub(super) async fn take_folder<L: FromFolder>(
        &self,
        read: FolderReading,
        now: Timestamp,
        phase: Phase,
    ) -> Result<Started<L>, UnfitFolder> {
        let last_checked = read.check_input();
        let FolderReading {
            folder,
            last,
            approved,
            ..
        } = read;
        let last = &*last;
        let folder = folder.map_err(unreadable)?;
        let unfit = |reason| UnfitFolder {
            digest: Some(Arc::clone(folder.whole_digest())),
            reason,
            gates: Vec::new(),
            last_checked: Some(last_checked.clone()),
            is_unfinished: false,
        };
        if folder.is_custom_domain() != L::IS_OWN_DOMAIN {
            return Err(unfit(self.misplaced()));
        }
        let version = self.check_version(&folder, last).map_err(unfit)?;
        let request = self
            .start_check_request(&folder, last, approved, phase)
            .await
            .map_err(unfit)?;
        let verdict = self.check_if_required(&request, phase).await;
        if let Some(report) = refusal(&verdict) {
            return Err(UnfitFolder {
                gates: gate_outcomes(&verdict),
                is_unfinished: verdict.unfinished,
                ..unfit(report)
            });
        }
        self.check_promise(&folder, last, approved).map_err(unfit)?;
        let loaded = load(&folder, phase).await.map_err(unfit)?;
        let approved = self.require_still_approved(folder.whole_digest(), (approved, last));
        approved.await.map_err(unfit)?;
        log_findings(&verdict);
        // An unchanged folder stays in force since the earlier time.
        let same = last
            .revision()
            .filter(|last| *last.digest == **folder.whole_digest() && last.version == version);
        let new = || new_revision(&folder, version, taken_as(phase, &verdict), now);
        let new = same.is_none().then(new);
        Ok(Started {
            loaded,
            health: health_in_force(&verdict, &folder, same.map_or(now, |last| last.since)),
            taken: TakenFolder {
                new,
                proved: verdict.proved,
                is_checked: true,
                is_unfinished: false,
                last_checked: Some(last_checked),
                folder,
            },
        })
    }

    async fn check_if_required(&self, request: &CheckRequest, phase: Phase) -> GateVerdict {
        if request.tests == GateRequirement::Off
            && request.proofs == GateRequirement::Off
            && !request.hold_widening
        {
            return GateVerdict::default();
        }
        self.check(request, phase).await
    }

    /// Runs the gates. Those of domains take turns; the built-in policies need none.
    pub(super) async fn check(&self, request: &CheckRequest, phase: Phase) -> GateVerdict {
        let check = async {
            match phase {
                Phase::Start => self.checker.check_at_start(request).await,
                Phase::Serving => self.checker.check(request).await,
            }
        };
        match self.domain {
            None => check.await,
            Some(_) => self.checker.turns.run(check).await,
        }
    }

    /// Why a folder is neither the built-in one nor that of its domain.
    fn misplaced(&self) -> String {
        if self.domain.is_some() {
            return format!("`{}` is not directly below `{DOMAINS}`", self.dir.display());
        }
        "`policies.dir` is directly below a folder called `domains`, where only domains of one's own \
         are: move it"
            .to_owned()
    }

    /// With `widening = "approved"`, a restart does not remove invariants.
    fn check_promise(
        &self,
        folder: &Folder,
        last: &LastAccepted,
        approved: bool,
    ) -> Result<(), String> {
        let Some(revision) = last
            .revision()
            .filter(|_| self.rules.hold_widening && !approved)
        else {
            return Ok(());
        };
        let missing = InvariantBaseline::new(revision.files.clone()).missing_from(folder.files());
        if missing.is_empty() {
            return Ok(());
        }
        Err(format!(
            "invariants that were in force are missing or changed: {}{}",
            missing.join(", "),
            approval_hint(folder)
        ))
    }

    /// The check of the folder against what was in force before the stop. The earlier invariants
    /// are not required: without approvals, a restart is the way to remove them.
    async fn start_check_request(
        &self,
        folder: &Folder,
        last: &LastAccepted,
        approved: bool,
        phase: Phase,
    ) -> Result<CheckRequest, String> {
        let mut request = self.check_request(folder);
        // Domains are many, and do without.
        if phase == Phase::Start && self.domain.is_none() {
            // A slow start, for example on a busy machine, harms nobody.
            request.time = request.time.max(START_TIMEOUT);
        }
        let before = last.revision();
        if let Some(before) = before
            && *before.digest == **folder.whole_digest()
        {
            request.hold_widening = false;
            request.is_stop = before.is_stop;
            return Ok(request);
        }
        if before.is_none() && !last.is_lost() {
            request.hold_widening = false;
            return Ok(request);
        }
        if last.is_lost() {
            tracing::warn!(
                domain = self.domain.as_deref(),
                "the database has no record of the policies that were in force before"
            );
        }
        request.hold_widening &= !approved;
        if let Some(before) = before {
            // Another version of this program may not be able to load it.
            let (dir, files) = (self.dir.clone(), before.files.clone());
            let is_sound = phase.run(move || {
                let folder = Folder::from_files(&dir, files);
                folder
                    .and_then(|folder| Snapshot::from_folder(&folder))
                    .is_ok()
            });
            request.live = is_sound
                .await
                .unwrap_or(false)
                .then(|| before.files.clone());
        }
        let is_held = request.hold_widening && request.live.is_none();
        let may_be_older = self.rules.manifest && last.is_lost();
        if !approved && (is_held || may_be_older) {
            return Err(format!(
                "the policies that were in force before are unknown, so the folder cannot be compared with them{}",
                approval_hint(folder)
            ));
        }
        Ok(request)
    }
}

async fn load<L: FromFolder>(folder: &Folder, phase: Phase) -> Result<L, String> {
    let folder = folder.clone();
    let loaded = phase.run(move || L::from_folder(&folder).map_err(|error| error.report()));
    let loaded = loaded.await;
    loaded.unwrap_or_else(|| Err("the policies could not be loaded".to_owned()))
}

const fn taken_as(phase: Phase, verdict: &GateVerdict) -> TakenAs {
    match phase {
        _ if verdict.is_stop => TakenAs::Stop,
        Phase::Start => TakenAs::Start,
        Phase::Serving => TakenAs::Edit,
    }
}

/// The health of a folder that is put in force now and was there since then.
fn health_in_force(verdict: &GateVerdict, folder: &Folder, since: Timestamp) -> PolicyHealth {
    let mut health = health(verdict);
    report_unread(&mut health, folder.unread());
    set_folder(&mut health, folder, since);
    health
}

fn unreadable(reason: String) -> UnfitFolder {
    UnfitFolder {
        digest: None,
        gates: gate_outcomes(&GateVerdict::refused(PolicyGate::Folder, reason.as_str())),
        reason,
        last_checked: None,
        is_unfinished: false,
    }
}

fn refusal(verdict: &GateVerdict) -> Option<String> {
    let report = verdict.report()?;
    Some(if verdict.unfinished {
        format!("{report}\nthe check did not finish; {MORE_TIME}")
    } else {
        report
    })
}
