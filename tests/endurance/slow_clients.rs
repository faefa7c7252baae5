//! Clients that trickle, and strangers that upload: an honest client is served all the same, what
//! is slow is cut off, and what nobody signed is not read.

use std::time::Duration;

use charter_domain::clock::{Clock as _, SystemClock};
use test_support::process::{Charter, Home};
use test_support::signed_client::{Client, Http1};
use tokio::task::JoinSet;

const BODY_DEADLINE: Duration = Duration::from_secs(2);

fn home() -> Home {
    Home::new()
        .with("CHARTER__SERVER__BODY_DEADLINE", "2s")
        .with("CHARTER__SERVER__REQUEST_DEADLINE", "4s")
}

/// Sends a signed head, then its body a byte at a time; how long it was listened to.
async fn trickle_body(charter: &Charter) -> impl Future<Output = Duration> + Send + 'static {
    let request = charter.manager().sign("POST", "/accounts", "{}");
    let mut connection = Http1::open(charter.main).await.expect("a connection");
    async move {
        let clock = SystemClock::start();
        let head = request.head_announcing(60_000);
        connection.write(head.as_bytes()).await.expect("it reads");
        loop {
            if connection.write(b" ").await.is_none() {
                break;
            }
            let answer = tokio::time::timeout(Duration::from_millis(100), connection.answer());
            match answer.await {
                Ok(Some((answer, goes_on))) => {
                    answer.assert_refused(400, "INVALID_REQUEST");
                    assert!(!goes_on);
                    break;
                }
                Ok(None) => break,
                Err(_still_listening) => {}
            }
        }
        clock.monotonic()
    }
}

/// Sends a head a byte at a time, for ever.
async fn trickle_head(charter: &Charter) -> impl Future<Output = ()> + Send + 'static {
    let request = charter.manager().sign("GET", "/accounts", "").bytes();
    let mut connection = Http1::open(charter.main).await.expect("a connection");
    async move {
        for byte in request {
            if connection.write(&[byte]).await.is_none() {
                break;
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_honest_client_is_served_among_slow_ones() {
    const SLOW: usize = 100;
    let home = home();
    let charter = home.serve();
    let (mut heads, mut bodies) = (JoinSet::new(), JoinSet::new());
    for _ in 0..SLOW {
        heads.spawn(trickle_head(&charter).await);
        bodies.spawn(trickle_body(&charter).await);
    }
    let clock = SystemClock::start();
    let mut slowest = Duration::ZERO;
    let mut served = 0;
    while bodies.len() > SLOW / 2 || served < 50 {
        // Reads and writes alike, on new connections.
        for (method, target, body) in [
            ("GET", "/organizations/info", ""),
            ("PATCH", "/organizations/info", r#"{"metadata":{"a":1}}"#),
        ] {
            let began = clock.monotonic();
            let request = charter.manager().sign(method, target, body);
            let answer = Client::http1(charter.main).send(&request).await;
            assert_eq!(answer.status, 200, "{}", answer.json());
            slowest = slowest.max(clock.monotonic().saturating_sub(began));
            served += 1;
        }
        while bodies.try_join_next().is_some() {}
    }
    println!(
        "{served} honest requests among {SLOW} slow heads and {SLOW} slow bodies, the slowest {slowest:?}"
    );
    assert!(slowest < BODY_DEADLINE, "{slowest:?}");
    heads.shutdown().await;
    bodies.shutdown().await;
    charter.stop();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_trickling_body_is_cut_at_its_total_deadline() {
    let home = home();
    let charter = home.serve();
    let mut bodies = JoinSet::new();
    for _ in 0..20 {
        bodies.spawn(trickle_body(&charter).await);
    }
    let times = bodies.join_all().await;
    println!(
        "cut after {:?} to {:?}",
        times.iter().min(),
        times.iter().max()
    );
    assert!(times.iter().all(|time| *time >= BODY_DEADLINE));
    // The machine may be busy, but nobody is listened to for ever.
    assert!(
        times.iter().all(|time| *time < BODY_DEADLINE * 4),
        "{times:?}"
    );
    charter.stop();
}

/// Uploads without a signature until the server stops reading; how much it took.
async fn upload(
    charter: &Charter,
    head: &'static str,
) -> impl Future<Output = usize> + Send + 'static {
    let mut connection = Http1::open(charter.main).await.expect("a connection");
    async move {
        let chunk = vec![b'0'; 64 * 1024];
        let mut taken = head.len();
        connection.write(head.as_bytes()).await.expect("it reads");
        while taken < 1 << 30 {
            if connection.write(&chunk).await.is_none() {
                break;
            }
            taken += chunk.len();
        }
        taken
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn unsigned_bodies_are_not_read() {
    const STRANGERS: usize = 200;
    const MEBIBYTE: usize = 1 << 20;
    let home = home();
    let charter = home.serve();
    let mut client = Client::http1(charter.main);
    let get = || charter.manager().sign("GET", "/organizations/info", "");
    assert_eq!(client.send(&get()).await.status, 200);
    let before = charter.resident_kib();
    let mut strangers = JoinSet::new();
    for stranger in 0..STRANGERS {
        // A declared gigabyte, and one in chunks of which this is the first.
        let head = if stranger % 2 == 0 {
            "POST /accounts HTTP/1.1\r\nhost: a\r\ncontent-length: 1073741824\r\n\r\n"
        } else {
            "POST /accounts HTTP/1.1\r\nhost: a\r\ntransfer-encoding: chunked\r\n\r\n40000000\r\n"
        };
        strangers.spawn(upload(&charter, head).await);
    }
    let mut during = before;
    let mut taken = Vec::new();
    while !strangers.is_empty() {
        assert_eq!(client.send(&get()).await.status, 200);
        during = during.max(charter.resident_kib());
        while let Some(bytes) = strangers.try_join_next() {
            taken.push(bytes.expect("a stranger's end"));
        }
    }
    let most = taken.iter().max().expect("strangers") / MEBIBYTE;
    let all = taken.iter().sum::<usize>() / MEBIBYTE;
    println!(
        "of {STRANGERS} GiB it took {all} MiB, at most {most} of one, socket buffers included"
    );
    println!("resident: {before} KiB before, {during} KiB at most");
    // Socket buffers take some, and a moment of lingering, so that the refusal can be read.
    assert!(most < 16, "{most} MiB");
    assert!(
        during < before + 20 * 1024,
        "{before} KiB, then {during} KiB"
    );
    charter.stop();
}
