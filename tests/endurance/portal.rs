//! People, many times over: refreshes in parallel, deactivations against everything, the time of a
//! refused sign-in, and a client in another language that knows only the documents.

use std::collections::VecDeque;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use charter_domain::clock::{Clock as _, SystemClock};
use test_support::choices::Choices;
use test_support::process::Home;
use test_support::service::{
    Anonymous, PASSWORD, Persona as _, Service, TeamRole, all_at_once, cookie_of,
};
use test_support::services::TestDatabase;

use super::timing::{moments, welch_t};

const ORGANIZATION: &str = "/api/portal/organization";
const UNLIMITED: &str = "[portal]\nfailed_logins_per_quarter_hour = 0\n";

/// However many tabs refresh at once, there is one successor; a spent token ends the session once
/// its moment is over.
async fn parallel_refreshes(database: TestDatabase, rounds: usize) {
    const TABS: usize = 8;
    let service = Service::on(database).await;
    let acme = service.organization("acme").await;
    let owner = acme.person(TeamRole::Owner).await;
    let mut cookie = owner.cookie.clone();
    let mut before = String::new();
    for _ in 0..rounds {
        let tabs = (0..TABS).map(|_| service.anonymous().refresh(&cookie).write());
        let answers = all_at_once(tabs).await;
        let next = cookie_of(&answers[0]);
        assert!(
            answers
                .iter()
                .all(|answer| answer.status == 200 && cookie_of(answer) == next)
        );
        assert_ne!(next, cookie);
        before = std::mem::replace(&mut cookie, next);
        // No faster than a session may be refreshed.
        service.clock.advance(1);
    }
    service.clock.advance(11);
    service
        .anonymous()
        .refresh(&before)
        .await
        .assert_refused(401, "INVALID_TOKEN");
    service
        .anonymous()
        .refresh(&cookie)
        .await
        .assert_refused(401, "INVALID_TOKEN");
    service.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn parallel_refreshes_have_one_successor() {
    Box::pin(parallel_refreshes(TestDatabase::sqlite(), 100)).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "minutes long"]
async fn parallel_refreshes_have_one_successor_in_full() {
    Box::pin(parallel_refreshes(TestDatabase::sqlite(), 10_000)).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "minutes long"]
async fn parallel_refreshes_have_one_successor_on_postgres_in_full() {
    if let Some(database) = TestDatabase::empty_postgres().await {
        Box::pin(parallel_refreshes(database, 10_000)).await;
    }
}

/// Needs a quiet machine: |t| of 4.5 or more would tell the classes apart.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "minutes long, and needs a quiet machine"]
async fn the_time_of_a_refused_sign_in_does_not_tell_its_reason_in_full() {
    const SAMPLES: usize = 1_500;
    const CLASSES: [&str; 3] = ["wrong password", "nobody", "disabled"];
    let service = Service::with(TestDatabase::sqlite(), UNLIMITED).await;
    let acme = service.organization("acme").await;
    acme.person_named("known@acme.example", TeamRole::Owner)
        .await;
    let disabled = acme
        .person_named("idle@acme.example", TeamRole::Member)
        .await;
    let id = charter_domain::id::UserId::parse_uuid(&disabled.id).expect("an id");
    let by = service.operator();
    acme.stored()
        .by(&by)
        .set_member_active(id, false)
        .await
        .expect("disabled");
    let clock = SystemClock::start();
    let mut choices = Choices::new(11);
    let mut samples = [const { Vec::new() }; 3];
    while samples.iter().any(|samples| samples.len() < SAMPLES) {
        let class = choices.below(CLASSES.len());
        let email = [
            "known@acme.example",
            "nobody@acme.example",
            "idle@acme.example",
        ][class];
        // The account's wait is over each time.
        service.clock.advance(301);
        let request = service
            .anonymous()
            .log_in(email, "another password")
            .write();
        let began = clock.monotonic();
        let answer = request.send().await;
        let taken = clock.monotonic().saturating_sub(began);
        answer.assert_refused(401, "INVALID_LOGIN");
        samples[class].push(taken.as_secs_f64() * 1e3);
    }
    // The slowest are the machine's doing: they only blur.
    for samples in &mut samples {
        samples.sort_by(f64::total_cmp);
        samples.truncate(samples.len() * 95 / 100);
    }
    for (class, samples) in CLASSES.iter().zip(&samples) {
        let (mean, median) = (moments(samples).0, samples[samples.len() / 2]);
        println!(
            "{class}: {} samples, mean {mean:.3} ms, median {median:.3} ms",
            samples.len()
        );
    }
    for (one, other) in [(0, 1), (0, 2), (1, 2)] {
        let t = welch_t(&samples[one], &samples[other]);
        println!("{} against {}: t = {t:.2}", CLASSES[one], CLASSES[other]);
        assert!(
            t.abs() < 4.5,
            "{} can be told from {}",
            CLASSES[one],
            CLASSES[other]
        );
    }
    service.stop().await;
}

/// Sign-ins survive a kill: what was spent stays spent, and its use is noticed.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn reuse_is_noticed_after_a_kill() {
    let home = Home::new();
    let charter = home.serve();
    let (email, password) = (
        charter.demo.value("CHARTER_PORTAL_EMAIL").to_owned(),
        charter.demo.value("CHARTER_PORTAL_PASSWORD").to_owned(),
    );
    let mut cookies = vec![cookie_of(
        &Anonymous::at(charter.main).log_in(&email, &password).await,
    )];
    for _ in 0..5 {
        let last = cookies.last().expect("a cookie");
        cookies.push(cookie_of(&Anonymous::at(charter.main).refresh(last).await));
    }
    charter.kill();
    let charter = home.serve();
    let anonymous = Anonymous::at(charter.main);
    // Within its moment a spent token gets its successor again, by whatever process.
    let again = anonymous.refresh(&cookies[4]).await;
    assert_eq!(cookie_of(&again), cookies[5]);
    tokio::time::sleep(std::time::Duration::from_millis(10_100)).await;
    anonymous
        .refresh(&cookies[0])
        .await
        .assert_refused(401, "INVALID_TOKEN");
    anonymous
        .refresh(&cookies[5])
        .await
        .assert_refused(401, "INVALID_TOKEN");
    anonymous
        .log_in(&email, PASSWORD)
        .await
        .assert_refused(401, "INVALID_LOGIN");
    charter.stop();
}

/// However often it is killed in between: a spent token that is used again ends its session, whose
/// newest token and access token worked until then.
async fn reuse_across_kills(home: Home, kills: usize) {
    /// Fewer than one person may have open.
    const OPEN: usize = 40;
    // Access tokens are for one address, and the port is another one each time.
    let home = home.with("CHARTER__PORTAL__BASE_URL", "http://127.0.0.1:1");
    let clock = SystemClock::start();
    let grace = Duration::from_millis(10_100);
    let mut charter = home.serve();
    let (email, password) = (
        charter.demo.value("CHARTER_PORTAL_EMAIL").to_owned(),
        charter.demo.value("CHARTER_PORTAL_PASSWORD").to_owned(),
    );
    let mut open = VecDeque::new();
    let mut noticed = 0;
    let (mut killed, mut restarted_over) = (0, 0);
    while killed < kills || !open.is_empty() {
        if killed < kills && open.len() < OPEN {
            let anonymous = Anonymous::at(charter.main);
            let mut answer = anonymous.log_in(&email, &password).await;
            let first = cookie_of(&answer);
            for _ in 0..5 {
                answer = anonymous.refresh(&cookie_of(&answer)).await;
            }
            let token = answer.ok()["access_token"]
                .as_str()
                .expect("a token")
                .to_owned();
            let spent_at = clock.monotonic();
            open.push_back((first, cookie_of(&answer), token, spent_at, killed));
            charter.kill();
            charter = home.serve();
            killed += 1;
        } else {
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        let anonymous = Anonymous::at(charter.main);
        let is_due = |at: Duration| clock.monotonic().saturating_sub(at) > grace;
        while let Some((first, newest, token, _, since)) =
            open.pop_front_if(|(_, _, _, spent_at, _)| is_due(*spent_at))
        {
            let read = || {
                let read = anonymous.get(ORGANIZATION);
                read.header("authorization", &format!("Bearer {token}"))
            };
            read().await.ok();
            for spent in [&first, &newest] {
                let answer = anonymous.refresh(spent).await;
                answer.assert_refused(401, "INVALID_TOKEN");
            }
            read().await.assert_refused(401, "INVALID_TOKEN");
            noticed += 1;
            restarted_over += killed - since;
        }
    }
    println!(
        "{killed} kills, {noticed} of {kills} reuses noticed, each over {} kills on average",
        restarted_over / noticed
    );
    assert_eq!(noticed, kills);
    charter.stop();
    home.verify_audit();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "minutes long"]
async fn reuse_is_noticed_across_kills_in_full() {
    reuse_across_kills(Home::new(), 200).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "minutes long"]
async fn reuse_is_noticed_across_kills_on_postgres_in_full() {
    if let Some(database) = TestDatabase::empty_postgres().await {
        reuse_across_kills(Home::on(database), 200).await;
    }
}

/// A Python that has `PyJWT`; says so if there is none, or fails where everything must be there.
#[expect(
    clippy::disallowed_methods,
    reason = "only the environment says whether this machine must have everything"
)]
fn python_with_jwt() -> Option<&'static str> {
    let has_jwt = |python: &&str| {
        Command::new(python)
            .args(["-c", "import jwt, cryptography"])
            .output()
            .is_ok_and(|output| output.status.success())
    };
    let found = ["python3", "/usr/bin/python3"].into_iter().find(has_jwt);
    let required = std::env::var("CHARTER_REQUIRE_SERVICES").is_ok_and(|value| value == "1");
    assert!(
        found.is_some() || !required,
        "no python3 with PyJWT is installed"
    );
    if found.is_none() {
        println!(
            "SKIPPED: no python3 with PyJWT is installed (python3-jwt and python3-cryptography)"
        );
    }
    found
}

#[test]
fn a_client_that_knows_only_the_documents_goes_all_the_way() {
    let Some(python) = python_with_jwt() else {
        return;
    };
    let home = Home::new();
    let charter = home.serve();
    let program = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/clients/portal.py");
    let output = Command::new(python)
        .arg(program)
        .arg(format!("http://{}", charter.main))
        .arg(home.data().join("mail"))
        .output()
        .expect("it runs");
    println!("{}", String::from_utf8_lossy(&output.stdout));
    let complaint = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{complaint}\n{}", home.log());
    charter.stop();
}
