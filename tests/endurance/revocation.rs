//! A revoked key is refused from the next request on, after a pause of the process too.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use serde_json::Value;
use test_support::process::{Charter, Home};
use test_support::signed_client::{Client, Credentials, Protocol};
use tokio::task::JoinSet;

/// The service account that the demo's reader is.
async fn reader_id(charter: &Charter, client: &mut Client) -> String {
    let list = client
        .send(&charter.manager().sign("GET", "/service-accounts", ""))
        .await
        .json();
    let results = list["results"].as_array().expect("a list");
    let reader = results
        .iter()
        .find(|one| one["name"] == "Demo reader")
        .expect("the reader");
    text(&reader["id"])
}

fn text(value: &Value) -> String {
    value
        .as_str()
        .unwrap_or_else(|| panic!("no text: {value}"))
        .to_owned()
}

fn credentials(key: &Value) -> Credentials {
    Credentials::new(&text(&key["access_key"]), &text(&key["secret_key"]))
}

async fn revocations_hold_at_once(rounds: usize) {
    const CROWD: usize = 3;
    let home = Home::new();
    let charter = home.serve();
    let manager = charter.manager();
    let mut client = Client::http1(charter.main);
    let keys = format!(
        "/service-accounts/{}/keys",
        reader_id(&charter, &mut client).await
    );
    for round in 0..rounds {
        let made = client.send(&manager.sign("POST", &keys, "{}")).await;
        assert_eq!(made.status, 201, "{}", made.json());
        let key = made.json();
        let revoked = credentials(&key);
        let is_revoked = Arc::new(AtomicBool::new(false));
        let mut crowd = JoinSet::new();
        for member in 0..CROWD {
            let (revoked, is_revoked) = (revoked.clone(), Arc::clone(&is_revoked));
            let protocol = if member == 0 {
                Protocol::Http2
            } else {
                Protocol::Http1
            };
            let mut client = Client::new(charter.main, protocol);
            crowd.spawn(async move {
                let mut used = 0;
                loop {
                    // Read before the request is sent: only then must it be refused.
                    let must_be_refused = is_revoked.load(Ordering::SeqCst);
                    let request = revoked.sign("GET", "/organizations/info", "");
                    let answer = client.send(&request).await;
                    if answer.status == 200 {
                        assert!(!must_be_refused, "accepted after its revocation");
                        used += 1;
                    } else {
                        answer.assert_refused(401, "KEY_REVOKED");
                    }
                    if must_be_refused {
                        return used;
                    }
                }
            });
        }
        let used = client
            .send(&revoked.sign("GET", "/organizations/info", ""))
            .await;
        assert_eq!(used.status, 200);
        let path = format!("{keys}/{}", text(&key["id"]));
        let answer = client.send(&manager.sign("DELETE", &path, "")).await;
        assert_eq!(answer.status, 204);
        is_revoked.store(true, Ordering::SeqCst);
        let next = client
            .send(&revoked.sign("GET", "/organizations/info", ""))
            .await;
        next.assert_refused(401, "KEY_REVOKED");
        let used: usize = crowd.join_all().await.iter().sum();
        if round == 0 {
            println!("used {used} times by others before it was revoked");
        }
    }
    charter.stop();
    home.verify_audit();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_next_request_after_a_revocation_is_refused() {
    revocations_hold_at_once(100).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "minutes long"]
async fn the_next_request_after_a_revocation_is_refused_in_full() {
    revocations_hold_at_once(1_000).await;
}

/// Time goes on while it stands: what it kept in memory is too old when it goes on.
async fn a_pause_voids_what_is_in_memory(rounds: usize, pause: Duration) {
    let home = Home::new();
    let charter = home.serve();
    let manager = charter.manager();
    let mut client = Client::http1(charter.main);
    let reader = reader_id(&charter, &mut client).await;
    for _ in 0..rounds {
        let keys = format!("/service-accounts/{reader}/keys");
        let key = client.send(&manager.sign("POST", &keys, "{}")).await.json();
        let revoked = credentials(&key);
        let get = || revoked.sign("GET", "/organizations/info", "");
        assert_eq!(client.send(&get()).await.status, 200);
        charter.signal("STOP");
        home.run(&["key", "--demo", "revoke", &text(&key["access_key"])])
            .success();
        tokio::time::sleep(pause).await;
        let request = get();
        charter.signal("CONT");
        let answer = client.send(&request).await;
        answer.assert_refused(401, "KEY_REVOKED");
    }
    charter.stop();
    home.verify_audit();
}

/// As long as the bound on what is kept in memory.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_process_that_was_paused_takes_nothing_that_was_revoked_meanwhile() {
    a_pause_voids_what_is_in_memory(2, Duration::from_secs(1)).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "minutes: it is paused for five seconds again and again"]
async fn a_process_that_was_paused_takes_nothing_that_was_revoked_meanwhile_in_full() {
    a_pause_voids_what_is_in_memory(20, Duration::from_secs(5)).await;
}
