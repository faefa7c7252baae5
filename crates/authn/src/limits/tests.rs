//! Tests of the limits on anonymous clients, for each implementation.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use super::failures::{FIRST_WAIT, FREE_FAILURES, LONGEST_WAIT};
use super::stopped_clock::StoppedClock;
use super::*;
use charter_domain::email::EmailAddress;
use charter_domain::id::{SessionId, UserId};

/// Every test uses the trait; add other implementations here.
fn limits(failed_sign_ins: usize, clock: &Arc<StoppedClock>) -> Arc<dyn AnonymousLimits> {
    let config = LimitsConfig {
        registrations_per_hour: 2,
        failed_sign_ins_per_quarter_hour: failed_sign_ins,
        forgotten_passwords_per_hour: 0,
        refreshes_per_minute: 1,
        password_hashes_per_minute: 0,
    };
    Arc::new(InProcessLimits::new(config, Arc::clone(clock) as _))
}

fn ip(text: &str) -> IpAddr {
    text.parse().expect("an address")
}

fn email(name: usize) -> EmailAddress {
    EmailAddress::parse(&format!("u{name}@example.com")).expect("an address")
}

#[tokio::test]
async fn each_action_has_a_window_that_slides() {
    let clock = Arc::new(StoppedClock::default());
    let limits = limits(0, &clock);
    let register = |client| limits.count(LimitedAction::Registration(network(ip(client))));
    assert_eq!(register("192.0.2.1").await, Ok(()));
    clock.advance(Duration::from_mins(50));
    assert_eq!(register("192.0.2.1").await, Ok(()));
    let retry_after = Duration::from_mins(10);
    let exceeded = Exceeded {
        limit: 2,
        retry_after,
    };
    assert_eq!(register("192.0.2.1").await, Err(exceeded));
    assert_eq!(register("192.0.2.2").await, Ok(()));
    clock.advance(retry_after);
    assert_eq!(register("192.0.2.1").await, Ok(()));
    assert!(
        register("192.0.2.1").await.is_err(),
        "only the oldest has left"
    );
    for _ in 0..99 {
        let forgotten = LimitedAction::ForgottenPassword(network(ip("192.0.2.1")));
        assert_eq!(limits.count(forgotten).await, Ok(()), "zero is no limit");
    }
    for _ in 0..10 {
        let mail = LimitedAction::ResetMail(email(1));
        assert_eq!(limits.count(mail).await, Ok(()));
    }
    let eleventh = limits.count(LimitedAction::ResetMail(email(1))).await;
    assert_eq!(eleventh.map_err(|exceeded| exceeded.limit), Err(10));
    assert_eq!(
        limits.count(LimitedAction::ResetMail(email(2))).await,
        Ok(())
    );
}

#[tokio::test]
async fn failed_refreshes_are_given_back_and_a_user_has_five_sessions() {
    let limits = limits(0, &Arc::default());
    let id = |n| uuid::Uuid::from_u128(n);
    let refresh = |n| limits.count(LimitedAction::Refresh(SessionId::from_uuid(id(n))));
    assert_eq!(refresh(1).await, Ok(()));
    assert!(refresh(1).await.is_err());
    let first = LimitedAction::Refresh(SessionId::from_uuid(id(1)));
    limits.give_back(&first).await;
    assert_eq!(refresh(1).await, Ok(()));
    assert!(refresh(1).await.is_err());
    let of_user = || limits.count(LimitedAction::RefreshOfUser(UserId::from_uuid(id(2))));
    for _ in 0..5 {
        assert_eq!(of_user().await, Ok(()));
    }
    assert!(of_user().await.is_err());
}

#[tokio::test]
async fn one_subscriber_is_one_network() {
    let limits = limits(0, &Arc::default());
    let register = |client| limits.count(LimitedAction::Registration(network(ip(client))));
    for (client, other) in [
        ("2001:db8::1", "2001:db8::ffff:2"),
        ("192.0.2.1", "::ffff:192.0.2.1"),
    ] {
        assert!(register(client).await.is_ok() && register(other).await.is_ok());
        assert!(register(client).await.is_err());
    }
    assert!(register("2001:db8:0:1::1").await.is_ok());
}

#[tokio::test]
async fn the_wait_of_an_account_doubles_and_ends() {
    let clock = Arc::new(StoppedClock::default());
    let attempts = limits(0, &clock);
    for _ in 0..FREE_FAILURES {
        attempts
            .begin_sign_in(ip("192.0.2.1"), Some(&email(1)))
            .await
            .expect("free")
            .failed()
            .await;
    }
    let mut waits = Vec::new();
    for _ in 0..11 {
        let refused = attempts
            .begin_sign_in(ip("192.0.2.2"), Some(&email(1)))
            .await
            .err();
        let Some(AttemptError::Exceeded(Exceeded {
            retry_after: wait, ..
        })) = refused
        else {
            panic!("no wait");
        };
        waits.push(wait.as_secs());
        clock.advance(wait.checked_sub(Duration::from_millis(1)).expect("longer"));
        assert!(
            attempts
                .begin_sign_in(ip("192.0.2.2"), Some(&email(1)))
                .await
                .is_err()
        );
        clock.advance(Duration::from_millis(1));
        attempts
            .begin_sign_in(ip("192.0.2.2"), Some(&email(1)))
            .await
            .expect("waited")
            .failed()
            .await;
    }
    assert_eq!(waits, [1, 2, 4, 8, 16, 32, 64, 128, 256, 300, 300]);
    assert!(
        attempts
            .begin_sign_in(ip("192.0.2.1"), Some(&email(2)))
            .await
            .is_ok()
    );
    clock.advance(LONGEST_WAIT);
    attempts
        .begin_sign_in(ip("192.0.2.1"), Some(&email(1)))
        .await
        .expect("waited")
        .succeeded()
        .await;
    assert!(
        attempts
            .begin_sign_in(ip("192.0.2.1"), Some(&email(1)))
            .await
            .is_ok()
    );
}

#[tokio::test]
async fn guesses_from_elsewhere_do_not_make_a_known_network_wait() {
    let clock = Arc::new(StoppedClock::default());
    let attempts = limits(0, &clock);
    let begin = |from: &'static str| {
        let account = email(1);
        let attempts = &attempts;
        async move { attempts.begin_sign_in(ip(from), Some(&account)).await }
    };
    begin("192.0.2.1").await.expect("free").succeeded().await;
    for _ in 0..5 {
        begin("198.51.100.1").await.expect("free").failed().await;
    }
    assert!(begin("198.51.100.1").await.is_err());
    assert!(begin("198.51.100.2").await.is_err(), "nobody knows it");
    for _ in 0..5 {
        begin("192.0.2.1").await.expect("its own").failed().await;
    }
    assert!(begin("192.0.2.1").await.is_err(), "its own is used up");
    clock.advance(LONGEST_WAIT);
    begin("192.0.2.1").await.expect("waited").succeeded().await;
    begin("198.51.100.1").await.expect("waited").failed().await;
    assert!(begin("198.51.100.1").await.is_err(), "theirs goes on");
    // Another password: who knew the old one is as strange as anybody.
    attempts.forgive(&email(1)).await;
    for _ in 0..5 {
        begin("192.0.2.1").await.expect("free").failed().await;
    }
    assert!(begin("198.51.100.1").await.is_err());
}

#[tokio::test]
async fn known_clients_are_counted_by_themselves() {
    let clock = Arc::new(StoppedClock::default());
    let attempts = limits(5, &clock);
    let account = email(1);
    let (mine, other) = (KnownClient::Device([1; 16]), KnownClient::Device([2; 16]));
    let stranger = || attempts.begin_sign_in(ip("198.51.100.1"), Some(&account));
    let known = |client| attempts.begin_known_sign_in(ip("198.51.100.1"), &account, client);
    for _ in 0..5 {
        stranger().await.expect("free").failed().await;
    }
    assert!(stranger().await.is_err(), "network and account are used up");
    for _ in 0..5 {
        known(mine).await.expect("its own").failed().await;
    }
    assert!(known(mine).await.is_err(), "its own is used up");
    known(other).await.expect("another one's").succeeded().await;
    let session = SessionId::from_uuid(uuid::Uuid::from_u128(1));
    known(KnownClient::Session(session))
        .await
        .expect("another one's")
        .succeeded()
        .await;
    clock.advance(FIRST_WAIT);
    known(mine).await.expect("waited").succeeded().await;
    for _ in 0..5 {
        known(mine).await.expect("free again").failed().await;
    }
}

#[tokio::test]
async fn waiting_attempts_are_bounded() {
    let attempts = limits(0, &Arc::default());
    let account = email(1);
    let mut inside = Vec::new();
    for _ in 0..FREE_FAILURES {
        let attempt = attempts
            .begin_sign_in(ip("192.0.2.1"), Some(&account))
            .await;
        inside.push(attempt.expect("a place"));
    }
    let begin = || Box::pin(attempts.begin_sign_in(ip("192.0.2.1"), Some(&account)));
    let mut waiting: Vec<_> = (0..512).map(|_| begin()).collect();
    for waiting in &mut waiting {
        assert!(futures_util::FutureExt::now_or_never(waiting).is_none());
    }
    assert_eq!(begin().await.err(), Some(AttemptError::Busy));
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
    attempts: Arc<dyn AnonymousLimits>,
    account: impl Fn(usize) -> EmailAddress,
    client: impl Fn(usize) -> IpAddr,
    is_right: bool,
) -> usize {
    let mut tasks = tokio::task::JoinSet::new();
    for n in 0..100 {
        let (attempts, account, client) = (attempts.clone(), account(n), client(n));
        tasks.spawn(async move {
            let Ok(attempt) = attempts.begin_sign_in(client, Some(&account)).await else {
                return 0;
            };
            for _ in 0..n % 7 {
                tokio::task::yield_now().await;
            }
            if is_right {
                attempt.succeeded().await;
            } else {
                attempt.failed().await;
            }
            1
        });
    }
    tasks.join_all().await.into_iter().sum()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_burst_gets_no_more_guesses_than_its_share() {
    let attempts = |limit| limits(limit, &Arc::default());
    let one = |_| ip("192.0.2.1");
    let many = |n: usize| ip(&format!("192.0.2.{n}"));
    for _ in 0..50 {
        assert_eq!(guesses(attempts(5), email, one, false).await, 5);
        assert_eq!(guesses(attempts(5), |_| email(1), many, false).await, 5);
        assert_eq!(guesses(attempts(5), |_| email(1), one, true).await, 100);
        assert_eq!(guesses(attempts(0), email, one, false).await, 100);
    }
}
