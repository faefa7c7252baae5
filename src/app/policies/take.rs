//! Finishes checks: an edit is put in force or refused.

use std::sync::Arc;

use charter_authz::folder::{Files, Folder};
use charter_authz::policy_health::{PolicyHealth, RefusedFolder};
use charter_policy::gates::{GateFinding, GateVerdict, PolicyGate, approval_hint};
use charter_store::TakenAs;

use super::folder_reading::{FolderReading, FromFolder as _, run_in_background};
use super::folder_reloader::{CheckSubject, FolderReloader, RunningCheck};
use super::folder_watch::RETRY;
use super::in_force::InForce;
use super::report::{
    MORE_TIME, NOT_CHECKED, NOT_CHECKED_AGAIN, NOT_RECORDED, RefusedSubject, gate_outcomes, health,
    log_findings, new_revision, set_folder, set_warning, shortened,
};
use super::writable::keep_writable;

impl<P: InForce> FolderReloader<P> {
    /// Handles the result of a check.
    pub(super) async fn finish_check(&mut self, checking: RunningCheck, verdict: GateVerdict) {
        let again = verdict.unfinished.then(|| self.clock.monotonic() + RETRY);
        match checking.of {
            CheckSubject::Edit(read, version) => {
                self.retry_at = again;
                self.last_checked = Some(read.check_input());
                self.finish_edit(*read, version, &checking.live, verdict)
                    .await;
            }
            CheckSubject::InForce if checking.live == self.live => {
                self.check_again_at = again;
                self.report_in_force(&verdict);
            }
            // A newer stop arrived; all of it is checked together.
            CheckSubject::InForce => {}
        }
    }

    async fn finish_edit(
        &mut self,
        read: FolderReading,
        version: Option<u64>,
        before: &Files,
        mut verdict: GateVerdict,
    ) {
        let Ok(folder) = read.folder else { return };
        let unread = folder.unread().to_vec();
        let whole_digest = &Arc::clone(folder.whole_digest());
        let digest = Some(Arc::clone(whole_digest));
        let read_files = Arc::new(folder.files().clone());
        let refused = |digest| RefusedSubject {
            digest,
            files: Some(Arc::clone(&read_files)),
        };
        if verdict.refusals.is_empty() && self.requires_approval(read.approved) {
            verdict = self.lost_invariants(&folder).unwrap_or(verdict);
        }
        if !verdict.refusals.is_empty() {
            self.refuse(refused(digest), &verdict);
            return;
        }
        // An emergency stop may have taken effect since the check began.
        let Some(files) = with_changes(folder.files(), before, &self.live) else {
            self.last_checked = None;
            return;
        };
        let is_as_checked = files == *folder.files();
        let folder = match Folder::from_files(&self.policies.dir, files) {
            Ok(folder) => folder,
            Err(error) => {
                self.refuse(
                    refused(digest),
                    &GateVerdict::refused(PolicyGate::Folder, error.report()),
                );
                return;
            }
        };
        let Some(loaded) = self.load(&folder, refused(digest)).await else {
            return;
        };
        let approved = (read.approved, &*read.last);
        let approved = self.policies.require_still_approved(whole_digest, approved);
        if let Err(reason) = approved.await {
            tracing::warn!(domain = self.domain(), "{reason}");
            self.last_checked = None;
            return;
        }
        let domain = self.domain();
        tracing::info!(domain, digest = %folder.digest(), "new policies are in force");
        log_findings(&verdict);
        self.checked = is_as_checked;
        self.can_prove |= verdict.proved;
        self.update_baseline(&folder, read.approved).await;
        self.report_edit(&verdict, &folder, unread);
        self.put_in_force(&folder, loaded, TakenAs::Edit, version)
            .await;
    }

    /// `None` if it cannot be loaded, which is reported.
    async fn load(&mut self, folder: &Folder, refused: RefusedSubject) -> Option<P::Loaded> {
        let (current, loading) = (self.place.current(), folder.clone());
        let loaded = run_in_background(move || {
            P::Loaded::after(current.as_deref(), &loading).map_err(|error| error.report())
        });
        let loaded = loaded.await?;
        let not_loaded = |reason| {
            self.refuse(
                refused,
                &GateVerdict::refused(PolicyGate::Validation, reason),
            );
        };
        loaded.map_err(not_loaded).ok()
    }

    /// What operators are told of an edit that is taken.
    fn report_edit(&self, verdict: &GateVerdict, folder: &Folder, unread: Vec<String>) {
        let before = self.place.health();
        let mut new_health = health(verdict);
        let warnings = &mut new_health.warnings;
        warnings.extend(self.baseline.warnings(folder.files()));
        warnings.extend((!self.checked).then(|| NOT_CHECKED.to_owned()));
        warnings.extend(unread);
        keep_writable(&mut new_health, &before);
        new_health.shadow.clone_from(&before.shadow);
        new_health.shadow_in_use.clone_from(&before.shadow_in_use);
        new_health.files.clone_from(&before.files);
        new_health.refusals.clone_from(&before.refusals);
        self.place.report(new_health);
    }

    /// The refusal of a folder without an invariant that edits must keep.
    fn lost_invariants(&self, folder: &Folder) -> Option<GateVerdict> {
        let lost = self.baseline.missing_from(folder.files());
        if lost.is_empty() {
            return None;
        }
        let report = format!(
            "invariants that edits must keep are missing or changed: {}{}",
            lost.join(", "),
            approval_hint(folder)
        );
        Some(GateVerdict::refused(PolicyGate::Widening, report))
    }

    fn requires_approval(&self, approved: bool) -> bool {
        self.policies.rules.hold_widening && !approved
    }

    /// An approved folder replaces the baseline, any other extends it.
    async fn update_baseline(&mut self, folder: &Folder, approved: bool) {
        let (mut baseline, files) = (self.baseline.clone(), folder.files().clone());
        let dir = self.policies.dir.clone();
        let grown = run_in_background(move || {
            if approved {
                baseline.replace(files);
            } else {
                baseline.extend(&dir, &files);
            }
            baseline
        });
        if let Some(baseline) = grown.await {
            self.baseline = baseline;
        }
    }

    /// Replaces the snapshot, then records the revision. Recording does not delay the policies.
    pub(super) async fn put_in_force(
        &mut self,
        folder: &Folder,
        loaded: P::Loaded,
        taken_as: TakenAs,
        version: Option<u64>,
    ) {
        let now = self.clock.now();
        metrics::counter!("charter_policies_reloads_total", "outcome" => "taken").increment(1);
        let new = new_revision(folder, version, taken_as, now);
        self.retired.extend(self.place.replace(loaded));
        self.live.clone_from(folder.files());
        self.place.update(|health| {
            set_folder(health, folder, now);
            if taken_as == TakenAs::Stop {
                health.gates.clear();
                set_warning(&mut health.warnings, NOT_CHECKED, true);
            }
        });
        let recorded = self.policies.accepted.accept(new).await;
        if let Err(error) = &recorded {
            let (domain, error) = (self.domain(), error as &dyn std::error::Error);
            tracing::error!(domain, error, "{NOT_RECORDED}");
        }
        let is_behind = recorded.is_err();
        let names = self.place.unknown_names().await;
        self.place.update(|health| {
            set_warning(&mut health.warnings, NOT_RECORDED, is_behind);
            if let Some(names) = &names {
                health
                    .warnings
                    .retain(|warning| !warning.starts_with("names:"));
                health.warnings.extend(names.iter().cloned());
            }
        });
    }

    /// Reports the result of checking what is in force: an emergency stop, or a domain's folder that has not changed
    /// since it was accepted.
    fn report_in_force(&mut self, verdict: &GateVerdict) {
        // An unfinished check is repeated later.
        self.checked = !verdict.unfinished;
        self.can_prove |= verdict.proved;
        log_findings(verdict);
        let found = health(verdict);
        let failing = verdict.refusals.iter().map(GateFinding::text);
        let failing = failing.chain(found.failed_checks);
        let failing: Vec<String> = failing.map(shortened).collect();
        if !failing.is_empty() {
            tracing::error!(
                domain = self.domain(),
                "what is in force does not pass its checks\n{}",
                failing.join("\n")
            );
        }
        self.place.update(|health| {
            health.failed_checks.clone_from(&failing);
            for warning in &found.warnings {
                set_warning(&mut health.warnings, warning, true);
            }
            health.not_run.clone_from(&found.not_run);
            health.gates.clone_from(&found.gates);
            if !verdict.unfinished {
                set_warning(&mut health.warnings, NOT_CHECKED, false);
                set_warning(&mut health.warnings, NOT_CHECKED_AGAIN, false);
            }
        });
    }

    /// Retries recording the revision in force.
    pub(super) async fn retry_recording(&mut self) {
        if !self.policies.accepted.has_unwritten() {
            return;
        }
        if self.policies.accepted.write().await.is_ok() {
            let domain = self.domain();
            tracing::info!(domain, "the active policy revision is persisted");
            let update =
                |health: &mut PolicyHealth| set_warning(&mut health.warnings, NOT_RECORDED, false);
            self.place.update(update);
        }
    }

    /// The folder is again what is in force.
    pub(super) fn clear_refusal(&self, folder: &Folder) {
        if self.place.health().refused.is_some() {
            tracing::info!(domain = self.domain(), digest = %folder.digest(), "the policy folder is the same as the policies in force again");
            self.place.update(|health| health.refused = None);
        }
    }

    pub(super) fn refuse(&self, subject: RefusedSubject, verdict: &GateVerdict) {
        let mut reason = shortened(verdict.report().unwrap_or_default());
        if verdict.unfinished {
            reason = format!(
                "{reason}\nthe check did not finish and is repeated in {RETRY:?}; {MORE_TIME}"
            );
        }
        metrics::counter!("charter_policies_reloads_total", "outcome" => "refused").increment(1);
        tracing::error!(
            domain = self.domain(),
            digest = subject.digest.as_deref(),
            "the edited policies were refused; the previous ones stay in force\n{reason}"
        );
        let refused = RefusedFolder {
            digest: subject.digest,
            reason,
            since: self.clock.now(),
            gates: gate_outcomes(verdict),
            files: subject.files,
        };
        self.place.update(|health| health.refuse(refused.clone()));
    }
}

/// The candidate with the changes since `before` of the policies in force; `None` if both changed
/// the same file.
fn with_changes(candidate: &Files, before: &Files, live: &Files) -> Option<Files> {
    let mut files = candidate.clone();
    for (name, text) in live
        .iter()
        .filter(|(name, text)| before.get(*name) != Some(*text))
    {
        let found = candidate.get(name);
        if found != Some(text) && found != before.get(name) {
            return None;
        }
        files.insert(name.clone(), Arc::clone(text));
    }
    Some(files)
}
