//! The folder of one domain, from its first reading until it is gone. It runs beside those of the other domains and
//! waits for none of them.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::oneshot;
use tokio_util::sync::CancellationToken;

use charter_authz::custom_domain::CustomDomain;
use charter_authz::folder::{Files, MAX_DOMAIN_NAME, is_domain_name};
use charter_authz::policy_health::RefusedFolder;
use charter_domain::timestamp::Timestamp;
use charter_http::state::State;

use super::checked_folder::Policies;
use super::folder_follower::FolderFollower;
use super::folder_reading::{CheckInput, FolderReading, Phase};
use super::folder_reloader::FolderReloader;
use super::folder_watch::{POLL, SETTLE};
use super::in_force::OfDomain;
use super::last_accepted::LastAccepted;
use super::report::{NOT_RECORDED, set_warning};
use super::taken::{Started, TakenFolder, UnfitFolder};

/// How long a domain's first check may take before what was accepted last comes into force meanwhile.
const FIRST_CHECK: Duration = Duration::from_secs(20);

/// Why a new domain decides nothing yet.
const NEVER_RECORDED: &str = "the first policies of a domain must be recorded where later ones are compared with them, \
    and the database does not take them; retrying";

pub(super) struct DomainFolder {
    name: String,
    policies: Arc<Policies>,
    state: Arc<State>,
    gone: CancellationToken,
    /// Told when the folder was judged for the first time.
    judged: Option<oneshot::Sender<()>>,
    follower: FolderFollower<CheckInput>,
}

impl DomainFolder {
    pub(super) fn new(
        name: &str,
        policies: &Policies,
        state: Arc<State>,
        gone: CancellationToken,
        judged: oneshot::Sender<()>,
    ) -> Self {
        Self {
            name: name.to_owned(),
            policies: Arc::new(policies.of_domain(name)),
            state,
            gone,
            judged: Some(judged),
            follower: FolderFollower::default(),
        }
    }

    /// Runs until the folder is gone and all that was in force is recorded.
    pub(super) async fn run(mut self, phase: Phase) {
        let (policies, gone) = (Arc::clone(&self.policies), self.gone.clone());
        gone.run_until_cancelled(Box::pin(self.follow(phase))).await;
        while policies.accepted.has_unwritten() {
            // It is tried again.
            let _ = policies.accepted.write().await;
            tokio::time::sleep(POLL).await;
        }
    }

    /// Follows the folder for ever.
    async fn follow(&mut self, mut phase: Phase) {
        let started = loop {
            let found = self.judge(phase).await;
            // Nobody waits after the start.
            let _ = self.judged.take().map(|judged| judged.send(()));
            if let Some(started) = found {
                break started;
            }
            tokio::time::sleep(POLL).await;
            phase = Phase::Serving;
        };
        let place = OfDomain {
            state: Arc::clone(&self.state),
            name: self.name.clone(),
        };
        let (policies, clock) = (Arc::clone(&self.policies), Arc::clone(&self.state.clock));
        let mut reloader = FolderReloader::new(policies, place, clock, &started);
        reloader.follow(None).await;
    }

    /// What is in force now; `None` if nothing is.
    async fn judge(&mut self, phase: Phase) -> Option<TakenFolder> {
        let read = match read(&self.policies, &self.name).await {
            Ok(read) => read,
            Err(reason) => {
                tracing::warn!(domain = self.name, "{reason}");
                self.refuse(reason);
                return None;
            }
        };
        let (input, now) = (read.check_input(), self.state.clock.monotonic());
        if !self.follower.is_due(&input, now) {
            return None;
        }
        if phase == Phase::Serving {
            // Its files may still be being written; the next poll follows soon.
            tokio::time::sleep(SETTLE).await;
            let again = read_again(&self.policies, &self.name).await;
            if again.as_ref() != Some(&input) {
                return None;
            }
        }
        let is_new = read.last.revision().is_none();
        match self.take(read, phase).await {
            Ok(started) if is_new && !self.is_on_record(&started).await => {
                tracing::error!(domain = self.name, "{NEVER_RECORDED}");
                self.refuse(NEVER_RECORDED.to_owned());
                self.follower.judged(input, true, now);
                None
            }
            Ok(started) => Some(self.put_in_force(started).await),
            Err(unfit) => {
                let report = &unfit.reason;
                tracing::error!(domain = self.name, "a domain was refused\n{report}");
                self.follower.judged(input, unfit.is_unfinished, now);
                let refused = unfit.refused_at(self.state.clock.now());
                self.state.domains.refuse(&self.name, refused);
                None
            }
        }
    }

    async fn take(
        &self,
        read: FolderReading,
        phase: Phase,
    ) -> Result<Started<CustomDomain>, UnfitFolder> {
        if let Some(unchanged) = self.policies.take_unchanged(&read, phase).await {
            return Ok(unchanged);
        }
        let now = self.state.clock.now();
        let waiting = async {
            tokio::time::sleep(FIRST_CHECK).await;
            self.policies.restore_meanwhile(&read, now, phase).await
        };
        tokio::select! {
            taken = self.policies.take_or_restore(read.clone(), now, phase) => taken,
            Some(restored) = waiting => Ok(restored),
        }
    }

    /// Whether what follows it could be compared with it after a restart, where the settings demand that.
    async fn is_on_record(&self, started: &Started<CustomDomain>) -> bool {
        let rules = &self.policies.rules;
        match &started.taken.new {
            Some(new) if rules.hold_widening || rules.manifest => {
                self.policies.accepted.accept(new.clone()).await.is_ok()
            }
            _ => true,
        }
    }

    async fn put_in_force(&self, started: Started<CustomDomain>) -> TakenFolder {
        let Started {
            loaded,
            mut health,
            taken,
            ..
        } = started;
        let name = &self.name;
        if health.refused.is_none() {
            tracing::info!(domain = name, digest = %loaded.snapshot().digest(), "a domain is in force");
        }
        let accepted = &self.policies.accepted;
        set_warning(&mut health.warnings, NOT_RECORDED, accepted.has_unwritten());
        self.state.domains.take(name, loaded, health);
        if let Some(new) = &taken.new
            && let Err(error) = accepted.accept(new.clone()).await
        {
            let error = &error as &dyn std::error::Error;
            tracing::error!(domain = name, error, "{NOT_RECORDED}");
            self.state.domains.update(name, |health| {
                set_warning(&mut health.warnings, NOT_RECORDED, true);
            });
        }
        taken
    }

    /// Says why nothing is in force, where its folder is not the reason.
    fn refuse(&self, reason: String) {
        let refused = RefusedFolder {
            digest: None,
            reason,
            since: self.state.clock.now(),
            gates: Vec::new(),
            files: None,
        };
        self.state.domains.refuse(&self.name, refused);
    }
}

/// Why a start would refuse the folder of a domain.
pub(super) async fn refusal(policies: &Policies, name: &str, now: Timestamp) -> Option<String> {
    let policies = policies.of_domain(name);
    match read(&policies, name).await {
        Err(reason) => Some(reason),
        Ok(read) => {
            let taken = policies.take_or_restore::<CustomDomain>(read, now, Phase::Start);
            match taken.await {
                Err(unfit) => Some(unfit.reason),
                Ok(started) => started.health.refused.map(|it| it.reason),
            }
        }
    }
}

async fn read(policies: &Policies, name: &str) -> Result<FolderReading, String> {
    if is_domain_name(name) {
        return policies.read(&Files::new()).await;
    }
    let reason = format!(
        "`{name}` cannot be the name of a domain: use 1 to {MAX_DOMAIN_NAME} characters of `a-z 0-9 -`"
    );
    let last = Arc::new(LastAccepted::none());
    Ok(FolderReading::unreadable(reason, last))
}

async fn read_again(policies: &Policies, name: &str) -> Option<CheckInput> {
    let again = read(policies, name).await.ok()?;
    Some(again.check_input())
}
