//! Limits on anonymous clients, counted in memory by this process (ADR 0012).

use std::collections::VecDeque;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use ipnet::IpNet;
use tokio::time::Instant;

use charter_domain::clock::Clock;
use charter_domain::email::EmailAddress;
use charter_wait_queue::Permit;

use super::anonymous::{AnonymousLimits, AttemptError, KnownClient, LimitedAction, SignInAttempt};
use super::attempt_queues::AttemptQueues;
use super::failures::{AccountFailures, NetworkFailures};
use super::known_networks::KnownNetworks;
use super::window::{Exceeded, SlidingLimit, Window, network};

const MINUTE: Duration = Duration::from_mins(1);
const HOUR: Duration = Duration::from_hours(1);
const QUARTER_HOUR: Duration = Duration::from_mins(15);
/// Emails to one address in an hour: of password resets, and of invitations from one organization. An organization's
/// emails in a day have a budget of their own.
const MAILS_PER_HOUR: usize = 10;
/// Invitations to one address in an hour from all organizations.
const INVITATIONS_PER_HOUR: usize = 30;
/// Further verification emails to one user (contract section 5).
const VERIFICATIONS_PER_HOUR: usize = 3;
/// Reports of leaked keys of one client network.
const LEAK_REPORTS_PER_MINUTE: usize = 60;
/// A user's sessions together may refresh as often as so many of them.
const SESSIONS_OF_PERSON: usize = 5;
/// An account's failures are removed after this time without an attempt.
pub(super) const ACCOUNT_MEMORY: Duration = Duration::from_hours(24);
/// How long an attempt waits in the queue of its network or account.
pub(super) const WAIT_TIMEOUT: Duration = Duration::from_secs(14);

/// Limits from the settings; zero for none.
#[derive(Debug, Clone, Copy)]
pub struct LimitsConfig {
    /// Registrations of one client network.
    pub registrations_per_hour: usize,
    /// Failed sign-ins of one client network.
    pub failed_sign_ins_per_quarter_hour: usize,
    /// Password reset requests of one client network.
    pub forgotten_passwords_per_hour: usize,
    /// Refreshes of one session; a user's sessions together have five times as many.
    pub refreshes_per_minute: usize,
    /// Passwords hashed for one user or invitation.
    pub password_hashes_per_minute: usize,
}

/// Counts in memory.
pub struct InProcessLimits {
    registrations: SlidingLimit<LimitedAction>,
    forgotten_passwords: SlidingLimit<LimitedAction>,
    leak_reports: SlidingLimit<LimitedAction>,
    reset_mails: SlidingLimit<LimitedAction>,
    verification_mails: SlidingLimit<LimitedAction>,
    invitation_mails: SlidingLimit<LimitedAction>,
    invitation_mails_to_address: SlidingLimit<LimitedAction>,
    refreshes: SlidingLimit<LimitedAction>,
    refreshes_of_user: SlidingLimit<LimitedAction>,
    password_hashes: SlidingLimit<LimitedAction>,
    networks: AttemptQueues<IpNet, NetworkFailures>,
    accounts: AttemptQueues<Account, AccountFailures>,
    /// Separate, so that a flood of anonymous clients cannot fill them.
    known_clients: AttemptQueues<(EmailAddress, KnownClient), AccountFailures>,
    known: Arc<KnownNetworks>,
    window: Window,
    clock: Arc<dyn Clock>,
}

/// An account, as attempted from one known network, or from all others.
type Account = (EmailAddress, Option<IpNet>);

struct Attempt {
    network: Option<Permit<(), NetworkFailures>>,
    account: Option<Permit<(), AccountFailures>>,
    /// The client's network, which becomes known if the password is right.
    from: Option<(EmailAddress, IpNet)>,
    known: Arc<KnownNetworks>,
    clock: Arc<dyn Clock>,
}

impl InProcessLimits {
    #[must_use]
    pub fn new(config: LimitsConfig, clock: Arc<dyn Clock>) -> Self {
        let hourly = |limit| SlidingLimit::new(limit, HOUR, Arc::clone(&clock));
        let by_minute = |limit| SlidingLimit::new(limit, MINUTE, Arc::clone(&clock));
        Self {
            registrations: hourly(config.registrations_per_hour),
            forgotten_passwords: hourly(config.forgotten_passwords_per_hour),
            leak_reports: by_minute(LEAK_REPORTS_PER_MINUTE),
            reset_mails: hourly(MAILS_PER_HOUR),
            verification_mails: hourly(VERIFICATIONS_PER_HOUR),
            invitation_mails: hourly(MAILS_PER_HOUR),
            invitation_mails_to_address: hourly(INVITATIONS_PER_HOUR),
            refreshes: by_minute(config.refreshes_per_minute),
            refreshes_of_user: by_minute(
                config
                    .refreshes_per_minute
                    .saturating_mul(SESSIONS_OF_PERSON),
            ),
            password_hashes: by_minute(config.password_hashes_per_minute),
            networks: AttemptQueues::new(QUARTER_HOUR),
            accounts: AttemptQueues::new(ACCOUNT_MEMORY),
            known_clients: AttemptQueues::new(ACCOUNT_MEMORY),
            known: Arc::new(KnownNetworks::new()),
            window: Window {
                limit: config.failed_sign_ins_per_quarter_hour,
                length: QUARTER_HOUR,
            },
            clock,
        }
    }

    fn limit_on(&self, action: &LimitedAction) -> &SlidingLimit<LimitedAction> {
        match action {
            LimitedAction::Registration(_) => &self.registrations,
            LimitedAction::ForgottenPassword(_) => &self.forgotten_passwords,
            LimitedAction::LeakReport(_) => &self.leak_reports,
            LimitedAction::ResetMail(_) => &self.reset_mails,
            LimitedAction::VerificationMail(_) => &self.verification_mails,
            LimitedAction::InvitationMail(..) => &self.invitation_mails,
            LimitedAction::InvitationMailToAddress(_) => &self.invitation_mails_to_address,
            LimitedAction::Refresh(_) => &self.refreshes,
            LimitedAction::RefreshOfUser(_) => &self.refreshes_of_user,
            LimitedAction::PasswordHash(_) => &self.password_hashes,
        }
    }

    pub(super) fn window_of(&self, action: &LimitedAction) -> Window {
        self.limit_on(action).window()
    }

    pub(super) const fn window_of_failures(&self) -> Window {
        self.window
    }

    pub(super) fn knows(&self, account: &EmailAddress, network: IpNet) -> bool {
        self.known.has(account, network)
    }

    pub(super) fn known_networks(&self, account: &EmailAddress) -> Vec<IpNet> {
        self.known.of(account)
    }

    fn no_network_failures(&self) -> NetworkFailures {
        NetworkFailures {
            window: self.window,
            at: VecDeque::new(),
            clock: Arc::clone(&self.clock),
        }
    }

    fn no_account_failures(&self) -> AccountFailures {
        AccountFailures::none(Arc::clone(&self.clock))
    }
}

#[async_trait]
impl AnonymousLimits for InProcessLimits {
    async fn count(&self, action: LimitedAction) -> Result<(), Exceeded> {
        self.limit_on(&action).count(action)
    }

    async fn give_back(&self, action: &LimitedAction) {
        self.limit_on(action).give_back(action);
    }

    async fn begin_sign_in(
        &self,
        client: IpAddr,
        account: Option<&EmailAddress>,
    ) -> Result<Box<dyn SignInAttempt>, AttemptError> {
        let (from, deadline) = (network(client), Instant::now() + WAIT_TIMEOUT);
        let network = if self.window.limit == 0 {
            None
        } else {
            let begun = self
                .networks
                .begin(from, || self.no_network_failures(), deadline);
            Some(begun.await?)
        };
        let place = match account {
            Some(account) => {
                let is_known = self.known.has(account, from);
                let key = (account.clone(), is_known.then_some(from));
                let begun = self
                    .accounts
                    .begin(key, || self.no_account_failures(), deadline);
                Some(begun.await?)
            }
            None => None,
        };
        Ok(Box::new(Attempt {
            network,
            account: place,
            from: account.map(|account| (account.clone(), from)),
            known: Arc::clone(&self.known),
            clock: Arc::clone(&self.clock),
        }))
    }

    async fn begin_known_sign_in(
        &self,
        client: IpAddr,
        account: &EmailAddress,
        known: KnownClient,
    ) -> Result<Box<dyn SignInAttempt>, AttemptError> {
        let (key, deadline) = ((account.clone(), known), Instant::now() + WAIT_TIMEOUT);
        let begun = self
            .known_clients
            .begin(key, || self.no_account_failures(), deadline);
        Ok(Box::new(Attempt {
            network: None,
            account: Some(begun.await?),
            from: Some((account.clone(), network(client))),
            known: Arc::clone(&self.known),
            clock: Arc::clone(&self.clock),
        }))
    }

    async fn forgive(&self, account: &EmailAddress) {
        let known = self.known.forget(account).into_iter().map(Some);
        for network in known.chain([None]) {
            self.accounts.forget(&(account.clone(), network));
        }
    }
}

#[async_trait]
impl SignInAttempt for Attempt {
    async fn failed(self: Box<Self>) {
        let now = self.clock.monotonic();
        if let Some(network) = self.network {
            network.update(|failures| failures.at.push_back(now));
        }
        if let Some(account) = self.account {
            account.update(AccountFailures::add);
        }
    }

    async fn succeeded(self: Box<Self>) {
        if let Some(account) = self.account {
            account.update(|failures| failures.count = 0);
        }
        if let Some((account, network)) = self.from {
            self.known.add(&account, network);
        }
    }
}
