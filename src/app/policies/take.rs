//! What becomes of an edit: it is put in force, or it is told what is wrong with it.

use std::sync::Arc;

use charter_authz::engine::{Health, Refused};
use charter_authz::folder::{Files, Folder};
use charter_authz::snapshot::Snapshot;
use charter_policy::gates::{Finding, Gate, Verdict, how_to_approve};
use charter_store::TakenAs;

use super::read::{Read, behind};
use super::reload::{Checking, Reloader, Subject};
use super::report::{health, log_findings, revision, shortened, warn_of_unknown_names};
use super::watch::RETRY;

/// What `/readyz` says for as long as it is so.
const NOT_RECORDED: &str = "notes: it could not be recorded in the database which policies are in \
    force, it is tried again each second; until then nothing can be approved, and a restart would \
    compare with what was in force before";
/// The same, until the gates have looked at what only forbids more.
const NOT_CHECKED: &str =
    "stop: policies that only forbid more are in force, their checks are not over yet";

impl Reloader {
    /// Takes or refuses what was checked.
    pub(super) async fn conclude(&mut self, checking: Checking, verdict: Verdict) {
        let again = verdict
            .unfinished
            .then(|| self.state.clock.monotonic() + RETRY);
        match checking.of {
            Subject::Edit(read, version) => {
                self.retry_at = again;
                self.judged = Some(read.judged());
                self.conclude_edit(*read, version, &checking.live, verdict)
                    .await;
            }
            Subject::InForce if checking.live == self.live => {
                self.check_again_at = again;
                self.tell_of_stop(&verdict);
            }
            // Another one came; all of it is checked together.
            Subject::InForce => {}
        }
    }

    async fn conclude_edit(
        &mut self,
        read: Read,
        version: Option<u64>,
        before: &Files,
        mut verdict: Verdict,
    ) {
        let Ok(folder) = read.folder else { return };
        let unread = folder.unread().to_vec();
        let digest = Some(Arc::clone(folder.whole_digest()));
        let lost = self.promise.missing_from(folder.files());
        if verdict.refusals.is_empty() && !lost.is_empty() && self.holds_widening(read.approved) {
            let report = format!(
                "invariants that edits are held against are gone or changed: {}{}",
                lost.join(", "),
                how_to_approve(&folder)
            );
            verdict = Verdict::refused(Gate::Widening, report);
        }
        if !verdict.refusals.is_empty() {
            self.refuse(digest, &verdict);
            return;
        }
        // What only forbids more may have come into force since the check began.
        let Some(files) = with_changes(folder.files(), before, &self.live) else {
            self.judged = None;
            return;
        };
        let is_as_checked = files == *folder.files();
        let folder = match Folder::of_files(&self.policies.dir, files) {
            Ok(folder) => folder,
            Err(error) => {
                self.refuse(digest, &Verdict::refused(Gate::Folder, error.report()));
                return;
            }
        };
        let current = self.state.engine.snapshot();
        let loading = folder.clone();
        let loaded =
            behind(move || Snapshot::after(&current, &loading).map_err(|error| error.report()));
        let snapshot = match loaded.await {
            Some(Ok(snapshot)) => snapshot,
            Some(Err(reason)) => {
                self.refuse(digest, &Verdict::refused(Gate::Validation, reason));
                return;
            }
            None => return,
        };
        tracing::info!(digest = %snapshot.digest(), "other policies are in force");
        folder.warn_if_anybody_may_write();
        log_findings(&verdict);
        self.checked = is_as_checked;
        self.can_prove |= verdict.proved;
        self.keep_promise(&folder, read.approved).await;
        let mut told = health(&verdict);
        told.warnings.extend(self.promise.warnings(folder.files()));
        told.warnings
            .extend((!is_as_checked).then(|| NOT_CHECKED.to_owned()));
        told.warnings.extend(unread);
        told.shadow.clone_from(&self.state.engine.health().shadow);
        self.state.engine.report(told);
        self.put_in_force(&folder, snapshot, TakenAs::Edit, version)
            .await;
    }

    fn holds_widening(&self, approved: bool) -> bool {
        self.policies.rules.hold_widening && !approved
    }

    /// An approved folder is the new promise; any other one adds to it.
    async fn keep_promise(&mut self, folder: &Folder, approved: bool) {
        let (mut promise, files) = (self.promise.clone(), folder.files().clone());
        let dir = self.policies.dir.clone();
        let grown = behind(move || {
            if approved {
                promise.renew(files);
            } else {
                promise.grow(&dir, &files);
            }
            promise
        });
        if let Some(promise) = grown.await {
            self.promise = promise;
        }
    }

    /// Exchanges the snapshot; then records which one it is. What is in force does not wait for that.
    pub(super) async fn put_in_force(
        &mut self,
        folder: &Folder,
        snapshot: Snapshot,
        taken_as: TakenAs,
        version: Option<u64>,
    ) {
        let now = self.state.clock.now();
        metrics::counter!("charter_policies_reloads_total", "outcome" => "taken").increment(1);
        let new = revision(folder, version, taken_as, now);
        let digest = Arc::clone(folder.whole_digest());
        self.retired.push(self.state.engine.replace(snapshot));
        self.live.clone_from(folder.files());
        self.state.engine.update(|health| {
            health.whole_digest = Some(Arc::clone(&digest));
            health.since = Some(now);
            if taken_as == TakenAs::Stop {
                note(&mut health.warnings, NOT_CHECKED, true);
            }
        });
        let recorded = self.policies.accepted.accept(new).await;
        if let Err(error) = &recorded {
            tracing::error!(error = error as &dyn std::error::Error, "{NOT_RECORDED}");
        }
        let is_behind = recorded.is_err();
        let snapshot = self.state.engine.snapshot();
        let names = warn_of_unknown_names(&self.store, &snapshot).await;
        self.state.engine.update(|health| {
            note(&mut health.warnings, NOT_RECORDED, is_behind);
            if let Some(names) = &names {
                health
                    .warnings
                    .retain(|warning| !warning.starts_with("names:"));
                health.warnings.extend(names.iter().cloned());
            }
        });
    }

    /// What the gates say of policies that only forbid more and are in force.
    fn tell_of_stop(&mut self, verdict: &Verdict) {
        // Without an end it is checked again, later.
        self.checked = !verdict.unfinished;
        self.can_prove |= verdict.proved;
        log_findings(verdict);
        let found = health(verdict);
        let failing = verdict.refusals.iter().map(Finding::text);
        let failing = failing.chain(found.failed_checks);
        let failing: Vec<String> = failing.map(shortened).collect();
        if !failing.is_empty() {
            tracing::error!(
                "policies that only forbid more are in force and do not pass their checks\n{}",
                failing.join("\n")
            );
        }
        self.state.engine.update(|health| {
            health.failed_checks.clone_from(&failing);
            for warning in &found.warnings {
                note(&mut health.warnings, warning, true);
            }
            health.not_run.clone_from(&found.not_run);
            note(&mut health.warnings, NOT_CHECKED, verdict.unfinished);
        });
    }

    /// Tries again to record what is in force.
    pub(super) async fn record_again(&mut self) {
        if !self.policies.accepted.is_behind() {
            return;
        }
        if self.policies.accepted.write().await.is_ok() {
            tracing::info!("it is recorded again which policies are in force");
            let update = |health: &mut Health| note(&mut health.warnings, NOT_RECORDED, false);
            self.state.engine.update(update);
        }
    }

    /// The folder is back to what is in force.
    pub(super) fn healthy(&self, folder: &Folder) {
        if self.state.engine.health().refused.is_some() {
            tracing::info!(digest = %folder.digest(), "the policy folder is again what is in force");
            self.state.engine.update(|health| health.refused = None);
        }
    }

    pub(super) fn refuse(&self, digest: Option<Arc<str>>, verdict: &Verdict) {
        let mut reason = shortened(verdict.report().unwrap_or_default());
        if verdict.unfinished {
            reason = format!(
                "{reason}\nthe check did not come to its end and is tried again in {RETRY:?}; \
                 `policies.check_timeout` and `policies.check_timeout_per_policy` give it more time"
            );
        }
        metrics::counter!("charter_policies_reloads_total", "outcome" => "refused").increment(1);
        tracing::error!(
            digest = digest.as_deref(),
            "the policies were changed and are not taken, those before stay in force\n{reason}"
        );
        let since = self.state.clock.now();
        self.state.engine.update(|health| {
            health.refused = Some(Refused {
                digest: digest.clone(),
                reason: reason.clone(),
                since,
            });
        });
    }
}

/// A candidate with what changed in the policies in force since it was read; `None` where both
/// changed the same file.
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

/// Has a warning there or not, once.
fn note(warnings: &mut Vec<String>, warning: &str, holds: bool) {
    warnings.retain(|found| found != warning);
    warnings.extend(holds.then(|| warning.to_owned()));
}
