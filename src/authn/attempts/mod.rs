//! How often strangers may try: for each client network in a sliding window, and for each account a
//! wait that doubles (contract section 5); networks that know its password have one of their own.
//!
//! An attempt that is under way holds a place as if it were to fail, so that a burst of parallel
//! guesses gets no more of them than the same guesses one by one. Whoever finds no place but no
//! limit either waits for one.

mod gate;
mod known;
mod window;

use std::collections::VecDeque;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use ipnet::IpNet;

use crate::domain::clock::Clock;
use crate::domain::email::EmailAddress;

use gate::{Gates, Place, Rule};
use known::KnownNetworks;
use window::Window;
pub use window::{Exceeded, NetworkLimit, SlidingLimit, network};

/// Failures of one account that cost no wait.
const FREE_FAILURES: u32 = 5;
const FIRST_WAIT: Duration = Duration::from_secs(1);
const LONGEST_WAIT: Duration = Duration::from_mins(5);
/// After that long without an attempt an account's failures are forgotten.
const ACCOUNT_MEMORY: Duration = Duration::from_hours(24);

/// Why a guess has no place.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NoPlace {
    /// A limit is reached.
    Exceeded(Exceeded),
    /// Too many others wait for one.
    Crowded,
}

impl From<Exceeded> for NoPlace {
    fn from(exceeded: Exceeded) -> Self {
        Self::Exceeded(exceeded)
    }
}

/// Guesses of passwords, limited for each client network and each account.
pub struct SignInAttempts {
    networks: Gates<IpNet, Failures>,
    accounts: Gates<Account, Wait>,
    known: Arc<KnownNetworks>,
    window: Window,
    clock: Arc<dyn Clock>,
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
mod tests {
    use super::window::tests::Stopped;
    use super::*;

    const QUARTER: Duration = Duration::from_mins(15);

    fn ip(text: &str) -> IpAddr {
        text.parse().expect("an address")
    }

    fn email(name: usize) -> EmailAddress {
        EmailAddress::parse(&format!("u{name}@example.com")).expect("an address")
    }

    #[tokio::test]
    async fn the_wait_of_an_account_doubles_and_ends() {
        let clock = Arc::new(Stopped::default());
        let attempts = SignInAttempts::new(0, QUARTER, clock.clone());
        for _ in 0..FREE_FAILURES {
            attempts
                .begin(ip("192.0.2.1"), Some(&email(1)))
                .await
                .expect("free")
                .failed();
        }
        let mut waits = Vec::new();
        for _ in 0..11 {
            let refused = attempts.begin(ip("192.0.2.2"), Some(&email(1))).await.err();
            let Some(NoPlace::Exceeded(Exceeded {
                retry_after: wait, ..
            })) = refused
            else {
                panic!("no wait");
            };
            waits.push(wait.as_secs());
            clock.advance(wait.checked_sub(Duration::from_millis(1)).expect("longer"));
            assert!(
                attempts
                    .begin(ip("192.0.2.2"), Some(&email(1)))
                    .await
                    .is_err()
            );
            clock.advance(Duration::from_millis(1));
            attempts
                .begin(ip("192.0.2.2"), Some(&email(1)))
                .await
                .expect("waited")
                .failed();
        }
        assert_eq!(waits, [1, 2, 4, 8, 16, 32, 64, 128, 256, 300, 300]);
        assert!(
            attempts
                .begin(ip("192.0.2.1"), Some(&email(2)))
                .await
                .is_ok()
        );
        clock.advance(LONGEST_WAIT);
        attempts
            .begin(ip("192.0.2.1"), Some(&email(1)))
            .await
            .expect("waited")
            .succeeded();
        assert!(
            attempts
                .begin(ip("192.0.2.1"), Some(&email(1)))
                .await
                .is_ok()
        );
    }

    #[tokio::test]
    async fn who_guesses_elsewhere_does_not_make_a_known_network_wait() {
        let clock = Arc::new(Stopped::default());
        let attempts = SignInAttempts::new(0, QUARTER, clock.clone());
        let begin = |from: &'static str| {
            let account = email(1);
            let attempts = &attempts;
            async move { attempts.begin(ip(from), Some(&account)).await }
        };
        begin("192.0.2.1").await.expect("free").succeeded();
        for _ in 0..5 {
            begin("198.51.100.1").await.expect("free").failed();
        }
        assert!(begin("198.51.100.1").await.is_err());
        assert!(begin("198.51.100.2").await.is_err(), "nobody knows it");
        for _ in 0..5 {
            begin("192.0.2.1").await.expect("its own").failed();
        }
        assert!(begin("192.0.2.1").await.is_err(), "its own is used up");
        clock.advance(LONGEST_WAIT);
        begin("192.0.2.1").await.expect("waited").succeeded();
        begin("198.51.100.1").await.expect("waited").failed();
        assert!(begin("198.51.100.1").await.is_err(), "theirs goes on");
        // Another password: who knew the old one is as strange as anybody.
        attempts.forgive(&email(1));
        for _ in 0..5 {
            begin("192.0.2.1").await.expect("free").failed();
        }
        assert!(begin("198.51.100.1").await.is_err());
    }

    #[tokio::test]
    async fn so_many_wait_and_no_more() {
        let attempts = SignInAttempts::new(0, QUARTER, Arc::new(Stopped::default()));
        let account = email(1);
        let mut inside = Vec::new();
        for _ in 0..FREE_FAILURES {
            let attempt = attempts.begin(ip("192.0.2.1"), Some(&account)).await;
            inside.push(attempt.expect("a place"));
        }
        let begin = || Box::pin(attempts.begin(ip("192.0.2.1"), Some(&account)));
        let mut waiting: Vec<_> = (0..512).map(|_| begin()).collect();
        for waiting in &mut waiting {
            assert!(futures_util::FutureExt::now_or_never(waiting).is_none());
        }
        assert_eq!(begin().await.err(), Some(NoPlace::Crowded));
        // Whoever gives up waiting makes room in the line.
        waiting.pop();
        let mut next = begin();
        assert!(futures_util::FutureExt::now_or_never(&mut next).is_none());
        // Whoever is called and has gone passes the call on.
        inside.clear();
        drop(waiting);
        drop(next.await.expect("a place"));
    }

    /// How many of many parallel attempts get to guess; each guess takes a few turns.
    async fn guesses(
        attempts: Arc<SignInAttempts>,
        account: impl Fn(usize) -> EmailAddress,
        client: impl Fn(usize) -> IpAddr,
        is_right: bool,
    ) -> usize {
        let mut tasks = tokio::task::JoinSet::new();
        for n in 0..100 {
            let (attempts, account, client) = (attempts.clone(), account(n), client(n));
            tasks.spawn(async move {
                let Ok(attempt) = attempts.begin(client, Some(&account)).await else {
                    return 0;
                };
                for _ in 0..n % 7 {
                    tokio::task::yield_now().await;
                }
                if is_right {
                    attempt.succeeded();
                } else {
                    attempt.failed();
                }
                1
            });
        }
        tasks.join_all().await.into_iter().sum()
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 4)]
    async fn a_burst_gets_no_more_guesses_than_its_share() {
        let attempts = |limit| {
            Arc::new(SignInAttempts::new(
                limit,
                QUARTER,
                Arc::new(Stopped::default()),
            ))
        };
        let one = |_| ip("192.0.2.1");
        let many = |n: usize| ip(&format!("192.0.2.{n}"));
        for _ in 0..50 {
            assert_eq!(guesses(attempts(5), email, one, false).await, 5);
            assert_eq!(guesses(attempts(5), |_| email(1), many, false).await, 5);
            assert_eq!(guesses(attempts(5), |_| email(1), one, true).await, 100);
            assert_eq!(guesses(attempts(0), email, one, false).await, 100);
        }
    }
}
