//! The attacks and their requirements.

use std::sync::Arc;

use crate::attacker::{Attacker, Attacking, issue_key};
use crate::charter::Charter;
use crate::observe::Beside;
use crate::person::{exchange, login};
use crate::{connections, requests, unread};

pub(crate) struct Attack {
    pub(crate) name: &'static str,
    pub(crate) settings: &'static [(&'static str, &'static str)],
    /// Whether the service's standard error is a pipe that nobody reads.
    pub(crate) unread_log: bool,
    /// The permissions of each key of the attacker.
    pub(crate) keys: &'static [&'static [&'static str]],
    pub(crate) begin: fn(Arc<Attacker>) -> Attacking,
    /// What another client does besides signed reads.
    pub(crate) beside: Option<fn(&Charter) -> Beside>,
}

/// Without requirements.
const PLAIN: Attack = Attack {
    name: "",
    settings: &[],
    unread_log: false,
    keys: &[],
    begin: |_| Box::pin(std::future::pending()),
    beside: None,
};

pub(crate) const ATTACKS: [Attack; 12] = [
    Attack {
        name: "unread-page-http2: 16 connections, window 0, 100 streams of swagger-ui-bundle.js each",
        begin: |attacker| Box::pin(unread::page_over_http2(attacker)),
        ..PLAIN
    },
    Attack {
        name: "unread-page-http1: 400 connections that ask for swagger-ui-bundle.js and do not read",
        begin: |attacker| Box::pin(unread::page_over_http1(attacker)),
        ..PLAIN
    },
    Attack {
        name: "unread-lists: 16 connections, window 0, 100 streams of a list of 100 accounts, 800 kB, each",
        keys: &[&["accounts:CreateAccount", "accounts:ListAccounts"]],
        begin: |attacker| Box::pin(unread::lists(attacker)),
        ..PLAIN
    },
    Attack {
        name: "queries: /healthz with 2,000 parameters, 200 a second",
        begin: |attacker| Box::pin(requests::long_queries(attacker)),
        ..PLAIN
    },
    Attack {
        name: "nonces: four keys without a permission, 2,000 requests a second, replay.total 40,000",
        settings: &[("CHARTER__REPLAY__TOTAL", "40000")],
        keys: &[&[], &[], &[], &[]],
        begin: |attacker| Box::pin(requests::nonces(attacker)),
        ..PLAIN
    },
    Attack {
        name: "half-bodies: 100 HTTP/2 connections, login bodies of 4,096 bytes of which one is missing",
        begin: |attacker| Box::pin(connections::half_bodies(attacker)),
        ..PLAIN
    },
    Attack {
        name: "connections: as many silent ones from one address as it gets",
        begin: |attacker| Box::pin(connections::silent(attacker)),
        ..PLAIN
    },
    Attack {
        name: "decisions: 100 refused grants of 20 permissions a second, and 100 look-ups of random ids; \
               beside it another tenant's look-up",
        keys: &[&[
            "service-accounts:CreateServiceAccount",
            "decisions:GetDecision",
        ]],
        begin: |attacker| Box::pin(requests::decisions(attacker)),
        beside: Some(look_up),
        ..PLAIN
    },
    Attack {
        name: "writes: 300 a second of 15 kB of metadata",
        keys: &[&["organizations:UpdateOrganization"]],
        begin: |attacker| Box::pin(requests::writes(attacker)),
        ..PLAIN
    },
    Attack {
        name: "log: nobody reads standard error, 4,000 failing requests a second",
        unread_log: true,
        begin: |attacker| Box::pin(requests::failing(attacker)),
        ..PLAIN
    },
    Attack {
        name: "log-all: the same with a line for each request",
        settings: &[("CHARTER__LOG__REQUESTS", "all")],
        unread_log: true,
        begin: |attacker| Box::pin(requests::failing(attacker)),
        ..PLAIN
    },
    Attack {
        name: "guesses: 40 passwords a second from the networks of a /48; beside it a sign-in from a known browser",
        settings: &[("CHARTER__SERVER__TRUSTED_PROXIES", "127.0.0.2")],
        begin: |attacker| Box::pin(requests::guesses(attacker)),
        beside: Some(known_browser),
        ..PLAIN
    },
];

/// Looks up the decision of a refused request of the demo's organization.
fn look_up(server: &Charter) -> Beside {
    let client = issue_key(server, "acme", &["decisions:GetDecision"]);
    let host = server.host.clone();
    let refused = client.request("GET", "/organizations/info", "", &host);
    let refused = exchange(&host, &refused).body;
    let json: serde_json::Value = serde_json::from_str(&refused).expect("JSON");
    let id = json["error"]["decision_id"].as_str().expect("a decision");
    let target = format!("/decisions/{id}");
    Box::new(move || {
        let request = client.request("GET", &target, "", &host);
        exchange(&host, &request).status.contains("200")
    })
}

/// Signs in as the demo's owner from a known browser.
fn known_browser(server: &Charter) -> Beside {
    let host = server.host.clone();
    let email = server.demo_value("CHARTER_PORTAL_EMAIL");
    let password = server.demo_value("CHARTER_PORTAL_PASSWORD");
    let first = exchange(&host, &login(&email, &password, "", &host));
    let device = first.device.expect("a cookie");
    let headers = format!("cookie: device={device}\r\n");
    Box::new(move || {
        let answer = exchange(&host, &login(&email, &password, &headers, &host));
        answer.status.contains("200")
    })
}
