//! How often strangers may try: for each client network in a sliding window, and for each account a
//! wait that doubles (contract section 5). Kept in memory, by this process.
//!
//! An attempt that is under way holds a place as if it were to fail, so that a burst of parallel
//! guesses gets no more of them than the same guesses one by one. Whoever finds no place but no
//! limit either waits for one.

mod window;

use std::collections::VecDeque;
use std::hash::Hash;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use ipnet::IpNet;
use moka::sync::Cache;
use parking_lot::Mutex;
use tokio::sync::Notify;

use crate::domain::clock::Clock;
use crate::domain::email::EmailAddress;

pub use window::{Exceeded, NetworkLimit, SlidingLimit, network};
use window::{Window, remembered};

/// Failures of one account that cost no wait.
const FREE_FAILURES: u32 = 5;
const FIRST_WAIT: Duration = Duration::from_secs(1);
const LONGEST_WAIT: Duration = Duration::from_mins(5);
/// After that long without an attempt an account's failures are forgotten.
const ACCOUNT_MEMORY: Duration = Duration::from_hours(24);

/// Guesses of passwords, limited for each client network and each account.
pub struct SignInAttempts {
    networks: Gates<IpNet, Failures>,
    accounts: Gates<EmailAddress, Wait>,
    window: Window,
    clock: Arc<dyn Clock>,
}

/// A guess under way. Dropped without a word, it counts as no guess.
pub struct Attempt {
    network: Option<Place<Failures>>,
    account: Option<Place<Wait>>,
    clock: Arc<dyn Clock>,
}

impl SignInAttempts {
    /// At most `limit` failures in `length` for each network; zero is no limit.
    #[must_use]
    pub fn new(limit: usize, length: Duration, clock: Arc<dyn Clock>) -> Self {
        Self {
            networks: Gates(remembered(length)),
            accounts: Gates(remembered(ACCOUNT_MEMORY)),
            window: Window { limit, length },
            clock,
        }
    }

    /// Begins a guess, when there is a place for it; `None` is a guess at no account.
    ///
    /// # Errors
    ///
    /// [`Exceeded`].
    pub async fn begin(
        &self,
        client: IpAddr,
        account: Option<&EmailAddress>,
    ) -> Result<Attempt, Exceeded> {
        let window = self.window;
        let network = if window.limit == 0 {
            None
        } else {
            let failures = || Failures {
                window,
                at: VecDeque::new(),
            };
            Some(
                self.networks
                    .enter(network(client), failures, &*self.clock)
                    .await?,
            )
        };
        let account = match account {
            Some(account) => Some(
                self.accounts
                    .enter(account.clone(), Wait::default, &*self.clock)
                    .await?,
            ),
            None => None,
        };
        Ok(Attempt {
            network,
            account,
            clock: Arc::clone(&self.clock),
        })
    }

    /// Forgets an account's failures: its owner has another password.
    pub fn forgive(&self, account: &EmailAddress) {
        self.accounts.0.invalidate(account);
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

    /// The password was right: the account's failures are forgotten, the network's stay.
    pub fn succeeded(self) {
        if let Some(account) = self.account {
            account.leave(|wait| *wait = Wait::default());
        }
    }
}

/// What decides how many attempts may be under way.
trait Rule: Send {
    fn room(&mut self, now: Duration) -> Result<usize, Exceeded>;
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

struct Gates<K, R>(Cache<K, Arc<Gate<R>>>);

struct Gate<R> {
    state: Mutex<GateState<R>>,
    changed: Notify,
}

struct GateState<R> {
    rule: R,
    under_way: usize,
}

impl<K: Hash + Eq + Send + Sync + 'static, R: Rule + 'static> Gates<K, R> {
    async fn enter(
        &self,
        key: K,
        rule: impl FnOnce() -> R,
        clock: &dyn Clock,
    ) -> Result<Place<R>, Exceeded> {
        let gate = self.0.get_with(key, || {
            Arc::new(Gate {
                state: Mutex::new(GateState {
                    rule: rule(),
                    under_way: 0,
                }),
                changed: Notify::new(),
            })
        });
        while !gate.try_enter(clock.monotonic())? {
            gate.changed.notified().await;
        }
        Ok(Place { gate })
    }
}

impl<R: Rule> Gate<R> {
    /// False where there is no place now. Whoever passes or is turned away wakes the next in line,
    /// since what let it go may concern more than one.
    fn try_enter(&self, now: Duration) -> Result<bool, Exceeded> {
        let mut state = self.state.lock();
        let room = state.rule.room(now);
        let enters = match room {
            Ok(room) if state.under_way >= room => return Ok(false),
            Ok(_) => {
                state.under_way += 1;
                Ok(true)
            }
            Err(exceeded) => Err(exceeded),
        };
        drop(state);
        self.changed.notify_one();
        enters
    }
}

/// One attempt's place at a gate.
struct Place<R: Rule> {
    gate: Arc<Gate<R>>,
}

impl<R: Rule> Place<R> {
    fn leave(self, note: impl FnOnce(&mut R)) {
        note(&mut self.gate.state.lock().rule);
    }
}

impl<R: Rule> Drop for Place<R> {
    fn drop(&mut self) {
        let mut state = self.gate.state.lock();
        state.under_way = state.under_way.saturating_sub(1);
        drop(state);
        self.gate.changed.notify_one();
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
            let exceeded = attempts.begin(ip("192.0.2.2"), Some(&email(1))).await.err();
            let wait = exceeded.expect("a wait").retry_after;
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
