//! Guesses of passwords, limited for each client network and each account.

use std::collections::VecDeque;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use ipnet::IpNet;

use super::gate::{Gates, NoPlace, Place, Rule};
use super::known::KnownNetworks;
use super::window::{Exceeded, Window, network};
use crate::secrets::device::DeviceId;
use charter_domain::clock::Clock;
use charter_domain::email::EmailAddress;
use charter_domain::id::SessionId;

/// Failures of one account that cost no wait.
const FREE_FAILURES: u32 = 5;
const FIRST_WAIT: Duration = Duration::from_secs(1);
const LONGEST_WAIT: Duration = Duration::from_mins(5);
/// After that long without an attempt an account's failures are forgotten.
const ACCOUNT_MEMORY: Duration = Duration::from_hours(24);

/// Guesses of passwords, limited for each client network and each account.
pub struct SignInAttempts {
    networks: Gates<IpNet, Failures>,
    accounts: Gates<Account, Wait>,
    /// Apart from the accounts', so that no flood of strangers fills their lines.
    known_clients: Gates<(EmailAddress, KnownClient), Wait>,
    known: Arc<KnownNetworks>,
    window: Window,
    clock: Arc<dyn Clock>,
}

/// A client that has shown to be an account's own.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum KnownClient {
    /// By its device cookie.
    Device(DeviceId),
    /// By an access token.
    Session(SessionId),
}

/// An account, as it is tried from one network that is known to it, or from all others.
type Account = (EmailAddress, Option<IpNet>);

/// A guess under way. Dropped without a word, it counts as no guess.
pub struct Attempt {
    network: Option<Place<Failures>>,
    account: Option<Place<Wait>>,
    /// Where it comes from, to be known from then on.
    from: Option<(EmailAddress, IpNet)>,
    known: Arc<KnownNetworks>,
    clock: Arc<dyn Clock>,
}

impl SignInAttempts {
    /// At most `limit` failures in `length` for each network; zero is no limit.
    #[must_use]
    pub fn new(limit: usize, length: Duration, clock: Arc<dyn Clock>) -> Self {
        Self {
            networks: Gates::new(length),
            accounts: Gates::new(ACCOUNT_MEMORY),
            known_clients: Gates::new(ACCOUNT_MEMORY),
            known: Arc::new(KnownNetworks::new()),
            window: Window { limit, length },
            clock,
        }
    }

    /// Begins a guess, when there is a place for it; `None` is a guess at no account.
    ///
    /// # Errors
    ///
    /// [`NoPlace`].
    pub async fn begin(
        &self,
        client: IpAddr,
        account: Option<&EmailAddress>,
    ) -> Result<Attempt, NoPlace> {
        let (window, from) = (self.window, network(client));
        let network = if window.limit == 0 {
            None
        } else {
            let failures = || Failures {
                window,
                at: VecDeque::new(),
            };
            Some(self.networks.enter(from, failures, &*self.clock).await?)
        };
        let place = match account {
            Some(account) => {
                let is_known = self.known.has(account, from);
                let key = (account.clone(), is_known.then_some(from));
                Some(
                    self.accounts
                        .enter(key, Wait::default, &*self.clock)
                        .await?,
                )
            }
            None => None,
        };
        Ok(Attempt {
            network,
            account: place,
            from: account.map(|account| (account.clone(), from)),
            known: Arc::clone(&self.known),
            clock: Arc::clone(&self.clock),
        })
    }

    /// Begins a guess of a client that is known to be the account's, when there is a place for it.
    ///
    /// # Errors
    ///
    /// [`NoPlace`], by its own guesses alone.
    pub async fn begin_known(
        &self,
        client: IpAddr,
        account: &EmailAddress,
        known: KnownClient,
    ) -> Result<Attempt, NoPlace> {
        let key = (account.clone(), known);
        let place = self
            .known_clients
            .enter(key, Wait::default, &*self.clock)
            .await?;
        Ok(Attempt {
            network: None,
            account: Some(place),
            from: Some((account.clone(), network(client))),
            known: Arc::clone(&self.known),
            clock: Arc::clone(&self.clock),
        })
    }

    /// Forgets an account's failures, and which networks knew its password: its owner has another.
    pub fn forgive(&self, account: &EmailAddress) {
        let known = self.known.forget(account).into_iter().map(Some);
        for network in known.chain([None]) {
            self.accounts.forget(&(account.clone(), network));
        }
    }
}

impl Attempt {
    /// The password was wrong.
    pub fn failed(self) {
        let now = self.clock.monotonic();
        if let Some(network) = self.network {
            network.leave(|failures| failures.at.push_back(now));
        }
        if let Some(account) = self.account {
            account.leave(|wait| wait.fail(now));
        }
    }

    /// The password was right: the network is known to the account from now on. The failures are
    /// forgotten that made this try wait; those of the network, whatever the account, stay.
    pub fn succeeded(self) {
        if let Some(account) = self.account {
            account.leave(|wait| *wait = Wait::default());
        }
        if let Some((account, network)) = self.from {
            self.known.add(&account, network);
        }
    }
}

struct Failures {
    window: Window,
    at: VecDeque<Duration>,
}

impl Rule for Failures {
    fn room(&mut self, now: Duration) -> Result<usize, Exceeded> {
        self.window.room(&mut self.at, now)
    }
}

#[derive(Default)]
struct Wait {
    failures: u32,
    last: Duration,
}

impl Wait {
    fn fail(&mut self, now: Duration) {
        self.failures = self.failures.saturating_add(1);
        self.last = now;
    }
}

impl Rule for Wait {
    fn room(&mut self, now: Duration) -> Result<usize, Exceeded> {
        let Some(beyond) = self.failures.checked_sub(FREE_FAILURES) else {
            return Ok((FREE_FAILURES - self.failures) as usize);
        };
        let factor = 1_u32.checked_shl(beyond).unwrap_or(u32::MAX);
        let wait = FIRST_WAIT.saturating_mul(factor).min(LONGEST_WAIT);
        let waited = now.saturating_sub(self.last);
        if waited < wait {
            return Err(Exceeded {
                limit: FREE_FAILURES.into(),
                retry_after: wait.saturating_sub(waited),
            });
        }
        Ok(1)
    }
}

#[cfg(test)]
mod tests;
