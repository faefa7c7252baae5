//! What was accepted last, put in force again without its checks: a start or a domain's first check may refuse the
//! folder, or not have finished.

use std::sync::Arc;

use crate::settings::PolicyStart;
use charter_authz::folder::Folder;
use charter_authz::policy_health::PolicyHealth;
use charter_domain::timestamp::Timestamp;
use charter_policy::gates::GateRequirement;

use super::checked_folder::Policies;
use super::folder_reading::{FolderReading, FromFolder, Phase};
use super::last_accepted::LastAccepted;
use super::report::{NOT_CHECKED_AGAIN, report_unread, set_folder, set_warning};
use super::taken::{Started, TakenFolder, UnfitFolder};

impl Policies {
    /// Restores what was in force before the stop, and reports the folder as refused.
    pub(super) async fn restore<L: FromFolder>(
        &self,
        last: &LastAccepted,
        unfit: UnfitFolder,
        now: Timestamp,
        phase: Phase,
    ) -> Result<Started<L>, UnfitFolder> {
        let Some(revision) = last.revision() else {
            return Err(unfit);
        };
        let (dir, files) = (self.dir.clone(), revision.files.clone());
        let loaded = phase.run(move || {
            let folder = Folder::from_files(&dir, files)?;
            L::from_folder(&folder).map(|loaded| (folder, loaded))
        });
        let (folder, loaded) = match loaded.await {
            Some(Ok(loaded)) => loaded,
            Some(Err(error)) => {
                let reason = format!(
                    "{}\nthe policies that were in force before cannot be loaded by this version either\n{}",
                    unfit.reason,
                    error.report()
                );
                return Err(UnfitFolder { reason, ..unfit });
            }
            None => return Err(unfit),
        };
        tracing::error!(
            domain = self.domain.as_deref(),
            digest = %folder.digest(),
            "the policy folder was refused; the policies from before the stop are in force (`policies.start`)\n{}",
            unfit.reason
        );
        metrics::counter!("charter_policies_reloads_total", "outcome" => "refused").increment(1);
        let mut health = PolicyHealth::default();
        set_folder(&mut health, &folder, revision.since);
        let (is_unfinished, last_checked) = (unfit.is_unfinished, unfit.last_checked.clone());
        let refused = unfit.refused_at(now);
        if is_unfinished {
            // Not yet, perhaps not at all.
            health.refused = Some(refused);
        } else {
            health.refuse(refused);
        }
        Ok(Started {
            loaded,
            taken: TakenFolder {
                is_unfinished,
                proved: false,
                is_checked: true,
                last_checked,
                new: None,
                folder: folder.clone(),
            },
            health,
        })
    }

    /// A domain's folder that is as it was accepted last, before its checks run again: whatever they find, it would be
    /// what is in force. `None` if it is another one, or cannot be loaded.
    pub(super) async fn take_unchanged<L: FromFolder>(
        &self,
        read: &FolderReading,
        phase: Phase,
    ) -> Option<Started<L>> {
        let folder = read.folder.as_ref().ok()?;
        let last = read.last.revision()?;
        let is_unchanged = self.rules.start == PolicyStart::LastAccepted
            && *last.digest == **folder.whole_digest()
            && folder.is_custom_domain() == L::IS_OWN_DOMAIN
            && self.check_version(folder, &read.last).ok()? == last.version;
        if !is_unchanged {
            return None;
        }
        let loading = folder.clone();
        let loaded = phase.run(move || L::from_folder(&loading).ok()).await??;
        let is_checked =
            self.rules.tests == GateRequirement::Off && self.rules.proofs == GateRequirement::Off;
        let mut health = PolicyHealth::default();
        set_folder(&mut health, folder, last.since);
        set_warning(&mut health.warnings, NOT_CHECKED_AGAIN, !is_checked);
        report_unread(&mut health, folder.unread());
        Some(Started {
            loaded,
            health,
            taken: TakenFolder {
                is_unfinished: false,
                folder: folder.clone(),
                proved: false,
                is_checked,
                last_checked: Some(read.check_input()),
                new: None,
            },
        })
    }

    /// What was accepted last, while a check of the folder goes on; `None` without such policies.
    pub(super) async fn restore_meanwhile<L: FromFolder>(
        &self,
        read: &FolderReading,
        now: Timestamp,
        phase: Phase,
    ) -> Option<Started<L>> {
        let folder = read.folder.as_ref().ok()?;
        if self.rules.start != PolicyStart::LastAccepted {
            return None;
        }
        let unfit = UnfitFolder {
            digest: Some(Arc::clone(folder.whole_digest())),
            reason: "the check of this folder has not finished".to_owned(),
            gates: Vec::new(),
            // It is checked again beside what is in force.
            last_checked: None,
            is_unfinished: true,
        };
        self.restore(&read.last, unfit, now, phase).await.ok()
    }
}
