//! Mail over SMTP: what cannot be sent is kept and tried again, and nobody's request waits for it.

use std::net::SocketAddr;
use std::sync::Arc;

use parking_lot::Mutex;
use serde_json::json;
use test_support::polling::until;
use test_support::service::{PASSWORD, Persona, Service};
use test_support::services::TestDatabase;
use tokio::io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;

type Mails = Arc<Mutex<Vec<String>>>;

/// Speaks as much SMTP (RFC 5321) as a mail needs.
async fn receive(stream: TcpStream, mails: Mails) -> Option<()> {
    let mut stream = BufReader::new(stream);
    stream.write_all(b"220 sink\r\n").await.ok()?;
    let mut said = String::new();
    loop {
        let mut line = String::new();
        if stream.read_line(&mut line).await.ok()? == 0 {
            return None;
        }
        let command = line.get(..4).unwrap_or_default().to_ascii_uppercase();
        if command != "DATA" {
            said.push_str(&line);
            stream.write_all(b"250 ok\r\n").await.ok()?;
            continue;
        }
        stream.write_all(b"354 go on\r\n").await.ok()?;
        // Its envelope first.
        let mut mail = std::mem::take(&mut said);
        loop {
            let mut line = String::new();
            stream.read_line(&mut line).await.ok()?;
            if line == ".\r\n" {
                break;
            }
            mail.push_str(&line);
        }
        mails.lock().push(mail);
        stream.write_all(b"250 taken\r\n").await.ok()?;
    }
}

async fn serve(listener: TcpListener, mails: Mails) {
    let mut connections = JoinSet::new();
    while let Ok((stream, _)) = listener.accept().await {
        connections.spawn(receive(stream, Arc::clone(&mails)));
    }
}

/// A mail server, until the set is dropped.
async fn mail_server(address: SocketAddr) -> (Mails, JoinSet<()>) {
    let listener = TcpListener::bind(address).await.expect("the port is free");
    let (mails, mut sink) = (Mails::default(), JoinSet::new());
    sink.spawn(serve(listener, Arc::clone(&mails)));
    (mails, sink)
}

/// The service, with a mail server at a port that nobody listens on yet.
async fn without_mail_server() -> (Service, SocketAddr) {
    let address = {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        listener.local_addr().expect("an address")
    };
    let settings = format!(
        "[mail]\nsmtp_url = \"smtp://{address}\"\nfrom = \"Charter <no-reply@example.com>\""
    );
    let service = Service::with(TestDatabase::sqlite(), &settings).await;
    (service, address)
}

/// How often sending failed, as far as this process knows.
async fn failures(service: &Service) -> u64 {
    outcomes(service, "failed").await
}

/// Waits until sending failed so often.
async fn tried(service: &Service, count: u64) {
    until("tried", async || failures(service).await >= count).await;
}

async fn outcomes(service: &Service, outcome: &str) -> u64 {
    let metrics = service.operator_side().get("/metrics").await.body;
    let metrics = String::from_utf8(metrics).expect("text");
    let failed = metrics.lines().find_map(|line| {
        line.strip_prefix(&format!("charter_mails_total{{outcome=\"{outcome}\"}} "))
    });
    failed.map_or(0, |count| count.parse().expect("a number"))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_mail_that_cannot_be_sent_is_sent_later() {
    let (service, address) = without_mail_server().await;
    let owner = service.register("zoo").await;
    let forgot = json!({"email": owner.email});
    service
        .anonymous()
        .post("/api/auth/forgot-password", forgot)
        .await
        .ok();
    // Both are tried, and fail.
    tried(&service, 2).await;
    let (mails, _sink) = mail_server(address).await;
    service.clock.advance(91);
    // Any mail wakes the sender; without one it looks by itself, every five seconds.
    service.register("other").await;
    until("all are sent", async || mails.lock().len() >= 3).await;
    let mails = mails.lock().clone();
    assert_eq!(mails.len(), 3, "{mails:?}");
    let to_owner: Vec<_> = mails
        .iter()
        .filter(|mail| mail.contains("To: owner@zoo.example"))
        .collect();
    assert_eq!(to_owner.len(), 2, "{mails:?}");
    assert!(
        to_owner
            .iter()
            .any(|mail| mail.contains("/verify-email?token="))
    );
    assert!(
        to_owner
            .iter()
            .any(|mail| mail.contains("/reset-password?token="))
    );
    assert!(
        to_owner
            .iter()
            .all(|mail| mail.contains("From: Charter <no-reply@example.com>"))
    );
    let from_file = service.sign_in(&owner.email, PASSWORD).await;
    from_file.get("/api/portal/team").await.ok();
    assert!(
        service.mails().is_empty(),
        "with a mail server there are no files"
    );
    service.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_mail_whose_link_is_withdrawn_is_not_sent() {
    let (service, address) = without_mail_server().await;
    let acme = service.organization("acme").await;
    let owner = acme.person(test_support::service::TeamRole::Owner).await;
    let before = failures(&service).await;
    let invite = |role: &str| {
        let body = json!({"email": "grace@example.com", "role": role});
        owner.post("/api/portal/team/invite", body)
    };
    for (number, role) in [(1, "admin"), (2, "member")] {
        invite(role).await.ok();
        // Each is tried, and fails.
        tried(&service, before + number).await;
    }
    let (mails, _sink) = mail_server(address).await;
    service.clock.advance(91);
    // Any mail wakes the sender.
    service.register("other").await;
    until("none waits", async || service.waiting_mails().await == 0).await;
    let mails = mails.lock().clone();
    let to_grace = mails
        .iter()
        .filter(|mail| mail.contains("To: grace@example.com"));
    assert_eq!((mails.len(), to_grace.count()), (2, 1), "{mails:?}");
    service.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_mail_outlives_a_clock_that_is_ahead_for_a_while() {
    let (service, address) = without_mail_server().await;
    let failed = failures(&service).await;
    service.register("zoo").await;
    tried(&service, failed + 1).await;
    service.clock.set_wall(70 * 86_400);
    // Any mail wakes the sender.
    let kept = outcomes(&service, "kept").await;
    service.register("other").await;
    until("it is kept", async || {
        outcomes(&service, "kept").await > kept
    })
    .await;
    tried(&service, failed + 2).await;
    service.clock.set_wall(-70 * 86_400);
    let (mails, _sink) = mail_server(address).await;
    service.register("another").await;
    until("none waits", async || service.waiting_mails().await == 0).await;
    assert_eq!(mails.lock().len(), 3);
    service.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_service_names_itself_and_writes_to_international_domains() {
    for (more, portal, name) in [
        (
            "helo = \"charter.example.net\"\n",
            "",
            "charter.example.net",
        ),
        (
            "",
            "[portal]\nbase_url = \"https://portal.bücher.example\"\n",
            "portal.xn--bcher-kva.example",
        ),
    ] {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let address = listener.local_addr().expect("an address");
        let mails = Mails::default();
        let mut sink = JoinSet::new();
        sink.spawn(serve(listener, Arc::clone(&mails)));
        let settings = format!(
            "[mail]\nsmtp_url = \"smtp://{address}\"\nfrom = \"Bücher <no-reply@bücher.example>\"\n{more}{portal}"
        );
        let service = Service::with(TestDatabase::sqlite(), &settings).await;
        let body = json!({
            "orgName": "Zoo", "orgSlug": "zoo",
            "ownerEmail": "ada@münchen.example", "ownerPassword": PASSWORD,
        });
        service
            .anonymous()
            .post("/api/auth/register", body)
            .await
            .ok();
        until("it is sent", async || !mails.lock().is_empty()).await;
        let mail = mails.lock().pop().expect("a mail");
        for part in [
            format!("EHLO {name}\r\n").as_str(),
            "MAIL FROM:<no-reply@xn--bcher-kva.example>",
            "RCPT TO:<ada@xn--mnchen-3ya.example>",
            "To: ada@xn--mnchen-3ya.example",
            "<no-reply@xn--bcher-kva.example>",
        ] {
            assert!(mail.contains(part), "no `{part}` in\n{mail}");
        }
        assert!(!mail.contains("SMTPUTF8"), "{mail}");
        service.stop().await;
    }
}
