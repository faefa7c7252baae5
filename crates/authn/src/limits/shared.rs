//! Limits on anonymous clients, counted by all replicas in Redis.
//!
//! Each process counts by itself, too: it has the queues of attempts, and its limits apply while Redis is unreachable.

use std::net::IpAddr;

use async_trait::async_trait;
use tokio::time::Instant;

use charter_domain::email::EmailAddress;

use super::anonymous::{AnonymousLimits, AttemptError, KnownClient, LimitedAction, SignInAttempt};
use super::in_process::{ACCOUNT_MEMORY, InProcessLimits, WAIT_TIMEOUT};
use super::shared_places::{SharedPlace, exceeded, milliseconds};
use super::window::{Exceeded, Window, network};
use crate::nonces::SharedCounters;

/// `KEYS[1]`: events by time. `ARGV`: limit, milliseconds of the window, 1 to count an event. Returns the milliseconds
/// to wait.
const WINDOW: &str = "
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local limit, length = tonumber(ARGV[1]), tonumber(ARGV[2])
redis.call('ZREMRANGEBYSCORE', KEYS[1], '-inf', now - length)
if ARGV[3] == '1' and redis.call('ZCARD', KEYS[1]) >= limit then
  local oldest = redis.call('ZRANGE', KEYS[1], 0, 0, 'WITHSCORES')
  return math.max(1, oldest[2] + length - now)
end
local number = redis.call('INCR', KEYS[2])
redis.call('ZADD', KEYS[1], now, number)
redis.call('PEXPIRE', KEYS[1], length)
redis.call('PEXPIRE', KEYS[2], length)
return 0";
const GIVE_BACK: &str = "return #redis.call('ZPOPMAX', KEYS[1])";
/// `ARGV`: milliseconds after which they are forgotten.
const FAILED: &str = "
local time = redis.call('TIME')
redis.call('HSET', KEYS[1], 'last', time[1] * 1000 + math.floor(time[2] / 1000))
redis.call('PEXPIRE', KEYS[1], ARGV[1])
return redis.call('HINCRBY', KEYS[1], 'count', 1)";
const FORGET: &str = "return redis.call('DEL', KEYS[1])";

/// Counts in Redis, and in this process.
pub struct SharedLimits {
    own: InProcessLimits,
    counters: SharedCounters,
}

struct Attempt {
    own: Box<dyn SignInAttempt>,
    counters: SharedCounters,
    network: Option<(String, Window, Option<SharedPlace>)>,
    account: Option<(String, Option<SharedPlace>)>,
}

impl SharedLimits {
    #[must_use]
    pub const fn new(own: InProcessLimits, counters: SharedCounters) -> Self {
        Self { own, counters }
    }

    async fn begun(
        &self,
        own: Box<dyn SignInAttempt>,
        network: Option<(String, Window)>,
        account: Option<String>,
        deadline: Instant,
    ) -> Result<Box<dyn SignInAttempt>, AttemptError> {
        let counters = &self.counters;
        let network = match network {
            Some((name, window)) => {
                let place = SharedPlace::of_network(counters, &name, window, deadline).await?;
                Some((name, window, place))
            }
            None => None,
        };
        let account = match account {
            Some(name) => {
                let place = SharedPlace::of_account(counters, &name, deadline).await?;
                Some((name, place))
            }
            None => None,
        };
        Ok(Box::new(Attempt {
            own,
            counters: counters.clone(),
            network,
            account,
        }))
    }
}

#[async_trait]
impl AnonymousLimits for SharedLimits {
    async fn count(&self, action: LimitedAction) -> Result<(), Exceeded> {
        self.own.count(action.clone()).await?;
        let window = self.own.window_of(&action);
        if window.limit == 0 {
            return Ok(());
        }
        let wait = in_window(&self.counters, &name_of(&action), window, Count::IfRoom).await;
        if wait > 0 {
            self.own.give_back(&action).await;
            return Err(exceeded(window.limit as u64, wait));
        }
        Ok(())
    }

    async fn give_back(&self, action: &LimitedAction) {
        self.own.give_back(action).await;
        let keys = [self.counters.key(&name_of(action))];
        self.counters.run(GIVE_BACK, &keys, &[]).await;
    }

    async fn begin_sign_in(
        &self,
        client: IpAddr,
        account: Option<&EmailAddress>,
    ) -> Result<Box<dyn SignInAttempt>, AttemptError> {
        let deadline = Instant::now() + WAIT_TIMEOUT;
        let own = self.own.begin_sign_in(client, account).await?;
        let from = network(client);
        let window = self.own.window_of_failures();
        let limited = (window.limit > 0).then(|| (format!("network {from}"), window));
        let account = account.map(|account| {
            if self.own.knows(account, from) {
                format!("account {account} from {from}")
            } else {
                format!("account {account}")
            }
        });
        self.begun(own, limited, account, deadline).await
    }

    async fn begin_known_sign_in(
        &self,
        client: IpAddr,
        account: &EmailAddress,
        known: KnownClient,
    ) -> Result<Box<dyn SignInAttempt>, AttemptError> {
        let deadline = Instant::now() + WAIT_TIMEOUT;
        let own = self.own.begin_known_sign_in(client, account, known).await?;
        let known = match known {
            KnownClient::Device(device) => format!("{device:?}"),
            KnownClient::Session(session) => session.to_string(),
        };
        let account = format!("account {account} by {known}");
        self.begun(own, None, Some(account), deadline).await
    }

    async fn forgive(&self, account: &EmailAddress) {
        for network in self.own.known_networks(account) {
            let keys = [self
                .counters
                .key(&format!("account {account} from {network}"))];
            self.counters.run(FORGET, &keys, &[]).await;
        }
        let keys = [self.counters.key(&format!("account {account}"))];
        self.counters.run(FORGET, &keys, &[]).await;
        self.own.forgive(account).await;
    }
}

#[async_trait]
impl SignInAttempt for Attempt {
    async fn failed(self: Box<Self>) {
        // It is counted before its place is free, so that nobody passes in between.
        if let Some((name, window, place)) = self.network {
            in_window(&self.counters, &name, window, Count::Always).await;
            SharedPlace::leave(place).await;
        }
        if let Some((name, place)) = self.account {
            let keys = [self.counters.key(&name)];
            let kept = [milliseconds(ACCOUNT_MEMORY)];
            self.counters.run(FAILED, &keys, &kept).await;
            SharedPlace::leave(place).await;
        }
        self.own.failed().await;
    }

    async fn succeeded(self: Box<Self>) {
        if let Some((_, _, place)) = self.network {
            SharedPlace::leave(place).await;
        }
        if let Some((name, place)) = self.account {
            let keys = [self.counters.key(&name)];
            self.counters.run(FORGET, &keys, &[]).await;
            SharedPlace::leave(place).await;
        }
        self.own.succeeded().await;
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Count {
    IfRoom,
    Always,
}

/// The milliseconds to wait; 0 while Redis is unreliable, when only this process's count applies.
async fn in_window(counters: &SharedCounters, name: &str, window: Window, count: Count) -> u64 {
    let keys = [
        counters.key(name),
        counters.key(&format!("numbers of {name}")),
    ];
    let args = [
        window.limit as u64,
        milliseconds(window.length),
        u64::from(count == Count::IfRoom),
    ];
    counters.run(WINDOW, &keys, &args).await.unwrap_or(0)
}

fn name_of(action: &LimitedAction) -> String {
    match action {
        LimitedAction::Registration(network) => format!("registration {network}"),
        LimitedAction::ForgottenPassword(network) => format!("forgotten {network}"),
        LimitedAction::LeakReport(network) => format!("leak report {network}"),
        LimitedAction::ResetMail(address) => format!("reset {address}"),
        LimitedAction::VerificationMail(user) => format!("verification {user}"),
        LimitedAction::InvitationMail(organization, address) => {
            format!("invitation {organization} {address}")
        }
        LimitedAction::InvitationMailToAddress(address) => format!("invitation {address}"),
        LimitedAction::Refresh(session) => format!("refresh {session}"),
        LimitedAction::RefreshOfUser(user) => format!("refresh {user}"),
        LimitedAction::PasswordHash(id) => format!("hash {id}"),
    }
}
