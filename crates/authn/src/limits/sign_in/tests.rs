//! The limits, by a clock that stands.

use super::*;
use crate::limits::stopped_clock::Stopped;

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
async fn who_is_known_is_counted_by_itself() {
    let clock = Arc::new(Stopped::default());
    let attempts = SignInAttempts::new(5, QUARTER, clock.clone());
    let account = email(1);
    let (mine, other) = (KnownClient::Device([1; 16]), KnownClient::Device([2; 16]));
    let stranger = || attempts.begin(ip("198.51.100.1"), Some(&account));
    let known = |client| attempts.begin_known(ip("198.51.100.1"), &account, client);
    for _ in 0..5 {
        stranger().await.expect("free").failed();
    }
    assert!(stranger().await.is_err(), "network and account are used up");
    for _ in 0..5 {
        known(mine).await.expect("its own").failed();
    }
    assert!(known(mine).await.is_err(), "its own is used up");
    known(other).await.expect("another one's").succeeded();
    let session = SessionId::from_uuid(uuid::Uuid::from_u128(1));
    known(KnownClient::Session(session))
        .await
        .expect("another one's")
        .succeeded();
    clock.advance(FIRST_WAIT);
    known(mine).await.expect("waited").succeeded();
    for _ in 0..5 {
        known(mine).await.expect("free again").failed();
    }
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
    assert_eq!(begin().await.err(), Some(NoPlace::QueueFull));
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
