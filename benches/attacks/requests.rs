//! Requests that cost the service more than the client, or occupy shared resources.

use std::sync::Arc;

use charter_domain::clock::{Clock as _, SystemClock};
use charter_domain::entropy::OsEntropy;
use charter_domain::id::DecisionId;
use charter_domain::permission::Permission;

use crate::attacker::Attacker;
use crate::person::login;

pub(crate) async fn long_queries(attacker: Arc<Attacker>) {
    let host = attacker.host;
    let query = vec!["a=1"; 2_000].join("&");
    let request = format!("GET /healthz?{query} HTTP/1.1\r\nhost: {host}\r\n\r\n");
    attacker.send(8, 200, move |_| request.clone().into()).await;
}

pub(crate) async fn nonces(attacker: Arc<Attacker>) {
    let (keys, host) = (attacker.keys.clone(), attacker.host.to_string());
    let request = move |number: u64| {
        let key = &keys[usize::try_from(number).expect("few") % keys.len()];
        key.request("GET", "/organizations/info", "", &host)
    };
    attacker.send(8, 2_000, request).await;
}

pub(crate) async fn decisions(attacker: Arc<Attacker>) {
    let names = Permission::ALL.iter().take(20);
    let names: Vec<&str> = names.map(|permission| permission.as_str()).collect();
    let body = serde_json::json!({"name": "Mallory", "permissions": names}).to_string();
    let (key, host) = (attacker.keys[0].clone(), attacker.host.to_string());
    let refused = {
        let (key, host) = (key.clone(), host.clone());
        move |_| key.request("POST", "/service-accounts", &body, &host)
    };
    let clock = SystemClock::start();
    let now = clock.now();
    let look_up = move |_| {
        let target = format!("/decisions/{}", DecisionId::generate(now, &OsEntropy));
        key.request("GET", &target, "", &host)
    };
    let grants = Arc::clone(&attacker).send(4, 100, refused);
    futures_util::future::join(grants, attacker.send(8, 100, look_up)).await;
}

pub(crate) async fn writes(attacker: Arc<Attacker>) {
    let (key, host) = (attacker.keys[0].clone(), attacker.host.to_string());
    let request =
        move |number: u64| key.request("PATCH", "/organizations/info", &filled(number), &host);
    attacker.send(8, 300, request).await;
}

/// Replaces the organization's metadata by about 15 kB of new data.
pub(crate) fn filled(number: u64) -> String {
    let value = format!("{number:016}").repeat(60);
    let members = (0..15).map(|key| (format!("key-{key}"), value.clone().into()));
    let metadata: serde_json::Map<String, serde_json::Value> = members.collect();
    serde_json::json!({"metadata": metadata}).to_string()
}

pub(crate) async fn failing(attacker: Arc<Attacker>) {
    let request = format!("GET /nothing HTTP/1.1\r\nhost: {}\r\n\r\n", attacker.host);
    attacker
        .send(8, 4_000, move |_| request.clone().into())
        .await;
}

pub(crate) async fn guesses(attacker: Arc<Attacker>) {
    let host = attacker.host.to_string();
    let request = move |number: u64| {
        let headers = format!("x-forwarded-for: 2001:db8:0:{number:x}::1\r\n");
        login(
            &format!("person-{number}@acme.example"),
            "not the right one",
            &headers,
            &host,
        )
    };
    attacker.send(600, 40, request).await;
}
