//! Which policies decide from the start on: the folder, if it passes its gates; else what was in
//! force before the stop.

use std::sync::Arc;
use std::time::Duration;

use crate::settings::PolicyStart;
use charter_authz::engine::{Health, Refused};
use charter_authz::folder::Folder;
use charter_authz::snapshot::Snapshot;
use charter_domain::timestamp::Timestamp;
use charter_policy::gates::{CheckRequest, Demand, Verdict, how_to_approve};
use charter_store::{NewPolicyRevision, TakenAs};

use super::super::StartError;
use super::accepted::Last;
use super::checked_folder::Policies;
use super::promise::Promise;
use super::read::{Judged, beside};
use super::report::{health, log_findings, revision, shortened, tell_unread};

/// Time for the checks at start, at least.
const START_TIMEOUT: Duration = Duration::from_mins(5);

/// What decides from the start on.
pub(in crate::app) struct Started {
    pub(in crate::app) snapshot: Snapshot,
    pub(in crate::app) health: Health,
    pub(in crate::app) taken: Taken,
}

/// The folder that was taken at start.
pub(in crate::app) struct Taken {
    pub(super) folder: Folder,
    /// Whether the solver proved it.
    pub(super) proved: bool,
    /// What was judged, good or not; `None` if nothing could be read.
    pub(super) judged: Option<Judged>,
    /// What is to be recorded, if it was not in force before.
    new: Option<NewPolicyRevision>,
}

/// Why the folder is not taken at start.
struct Unfit {
    digest: Option<Arc<str>>,
    reason: String,
    judged: Option<Judged>,
}

impl Policies {
    /// Reads the folder and leads it through the gates that are demanded. A folder that does not pass
    /// leaves in force what was before the stop, if the settings say so.
    ///
    /// # Errors
    ///
    /// Whatever is wrong with it, and the database's.
    pub(in crate::app) async fn start(&self, now: Timestamp) -> Result<Started, StartError> {
        let last = self.accepted.last().await?;
        let unfit = match self.take_folder(&last, now).await {
            Ok(started) => return Ok(started),
            Err(unfit) => unfit,
        };
        if self.rules.start == PolicyStart::Strict {
            return Err(StartError::Policies(unfit.reason));
        }
        match self.restore(&last, unfit, now).await {
            Ok(started) => Ok(started),
            Err(reason) => Err(StartError::Policies(reason)),
        }
    }

    /// Records what was taken at start, once nothing else keeps the service from starting.
    ///
    /// # Errors
    ///
    /// It cannot be written.
    pub(in crate::app) async fn record_start(&self, taken: &Taken) -> Result<(), StartError> {
        if let Some(new) = &taken.new {
            self.accepted.accept(new.clone()).await?;
        }
        Ok(())
    }

    async fn take_folder(&self, last: &Last, now: Timestamp) -> Result<Started, Unfit> {
        let unreadable = |reason| Unfit {
            digest: None,
            reason,
            judged: None,
        };
        let dir = self.dir.clone();
        let folder = beside(move || Folder::read(&dir).map_err(|error| error.report())).await;
        let folder = folder
            .unwrap_or_else(|| Err("the policy folder could not be read".to_owned()))
            .map_err(unreadable)?;
        let approved = self.accepted.is_approved(folder.whole_digest(), last).await;
        let judged = Judged {
            read: Ok(folder.files().clone()),
            approved,
        };
        let unfit = |reason| Unfit {
            digest: Some(Arc::clone(folder.whole_digest())),
            reason,
            judged: Some(judged.clone()),
        };
        let version = self.check_version(&folder, last).map_err(unfit)?;
        let job = self
            .job_at_start(&folder, last, approved)
            .await
            .map_err(unfit)?;
        let mut verdict = Verdict::default();
        if job.tests != Demand::No || job.proofs != Demand::No || job.hold_widening {
            verdict = self.checker.check(&job).await;
            if let Some(report) = verdict.report() {
                return Err(unfit(report));
            }
        }
        self.check_promise(&folder, last, approved).map_err(unfit)?;
        let loading = folder.clone();
        let loaded = beside(move || Snapshot::of(&loading).map_err(|error| error.report())).await;
        let snapshot = loaded
            .unwrap_or_else(|| Err("the policies could not be loaded".to_owned()))
            .map_err(unfit)?;
        folder.warn_if_anybody_may_write();
        log_findings(&verdict);
        // The same folder is in force since it was first.
        let same = last
            .revision()
            .filter(|last| *last.digest == **folder.whole_digest() && last.version == version);
        let taken_as = if verdict.is_stop {
            TakenAs::Stop
        } else {
            TakenAs::Start
        };
        let mut health = health(&verdict);
        tell_unread(&mut health, folder.unread());
        Ok(Started {
            snapshot,
            health: Health {
                whole_digest: Some(Arc::clone(folder.whole_digest())),
                since: Some(same.map_or(now, |last| last.since)),
                ..health
            },
            taken: Taken {
                new: same
                    .is_none()
                    .then(|| revision(&folder, version, taken_as, now)),
                proved: verdict.proved,
                judged: Some(judged),
                folder,
            },
        })
    }

    /// What was in force before the stop. The folder is told as refused.
    async fn restore(&self, last: &Last, unfit: Unfit, now: Timestamp) -> Result<Started, String> {
        let Some(revision) = last.revision() else {
            return Err(unfit.reason);
        };
        let (dir, files) = (self.dir.clone(), revision.files.clone());
        let loaded = beside(move || {
            let folder = Folder::of_files(&dir, files)?;
            Snapshot::of(&folder).map(|snapshot| (folder, snapshot))
        });
        let (folder, snapshot) = match loaded.await {
            Some(Ok(loaded)) => loaded,
            Some(Err(error)) => {
                return Err(format!(
                    "{}\nnor can what was in force before be loaded by this version\n{}",
                    unfit.reason,
                    error.report()
                ));
            }
            None => return Err(unfit.reason),
        };
        tracing::error!(
            digest = %folder.digest(),
            "the policy folder cannot be taken: what was in force before the stop is in force again \
             (`policies.start`)\n{}",
            unfit.reason
        );
        metrics::counter!("charter_policies_reloads_total", "outcome" => "refused").increment(1);
        Ok(Started {
            snapshot,
            health: Health {
                whole_digest: Some(Arc::clone(folder.whole_digest())),
                since: Some(revision.since),
                refused: Some(Refused {
                    digest: unfit.digest,
                    reason: shortened(unfit.reason),
                    since: now,
                }),
                ..Health::default()
            },
            taken: Taken {
                folder,
                proved: false,
                judged: unfit.judged,
                new: None,
            },
        })
    }

    /// Under `widening = "approved"` a restart takes no invariant back.
    fn check_promise(&self, folder: &Folder, last: &Last, approved: bool) -> Result<(), String> {
        let Some(revision) = last
            .revision()
            .filter(|_| self.rules.hold_widening && !approved)
        else {
            return Ok(());
        };
        let missing = Promise::new(revision.files.clone()).missing_from(folder.files());
        if missing.is_empty() {
            return Ok(());
        }
        Err(format!(
            "invariants that were in force are gone or changed: {}{}",
            missing.join(", "),
            how_to_approve(folder)
        ))
    }

    /// A check of the folder in the light of what was in force before the stop. Its invariants count
    /// no more: restarting is how they are taken back, where nothing has to be approved.
    async fn job_at_start(
        &self,
        folder: &Folder,
        last: &Last,
        approved: bool,
    ) -> Result<CheckRequest, String> {
        let mut job = self.job(folder);
        // Nobody is served worse by a start that takes longer, as on a busy machine.
        job.time = job.time.max(START_TIMEOUT);
        let before = last.revision();
        if let Some(before) = before
            && *before.digest == **folder.whole_digest()
        {
            job.hold_widening = false;
            job.is_stop = before.is_stop;
            return Ok(job);
        }
        if before.is_none() && !last.is_lost() {
            job.hold_widening = false;
            return Ok(job);
        }
        if last.is_lost() {
            tracing::warn!("the database does not say which policies were in force before");
        }
        job.hold_widening &= !approved;
        if let Some(before) = before {
            // Another version of this program may not be able to read it any more.
            let (dir, files) = (self.dir.clone(), before.files.clone());
            let is_sound = beside(move || {
                let folder = Folder::of_files(&dir, files);
                folder.and_then(|folder| Snapshot::of(&folder)).is_ok()
            });
            job.live = is_sound
                .await
                .unwrap_or(false)
                .then(|| before.files.clone());
        }
        let is_held = job.hold_widening && job.live.is_none();
        let may_be_older = self.rules.manifest && last.is_lost();
        if !approved && (is_held || may_be_older) {
            return Err(format!(
                "what was in force before is not known any more, so the policies cannot be held against \
                 it{}",
                how_to_approve(folder)
            ));
        }
        Ok(job)
    }
}
