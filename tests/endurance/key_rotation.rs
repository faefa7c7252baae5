//! Rotating the keys of access tokens under load, as docs/operating.md says: no token that the
//! service gave out is refused. With a memory guard one process at a time serves a database, so its
//! clients wait while it restarts.

use std::fs;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use charter::settings::keys;
use charter_domain::entropy::OsEntropy;
use serde_json::Value;
use test_support::process::{Charter, Home};
use test_support::service::{Anonymous, Persona};
use tokio::sync::RwLock;
use tokio::task::JoinSet;

const BASE_URL: &str = "http://portal.example";

fn home() -> Home {
    Home::new().with("CHARTER__PORTAL__BASE_URL", BASE_URL)
}

/// The entry of a new token key, as `charter keys generate` makes it.
fn new_token_key() -> String {
    let generated = keys::generate(&OsEntropy);
    let line = generated.lines().find(|line| line.starts_with("token"));
    let (_, entry) = line.expect("a token key").split_once('[').expect("a list");
    entry.trim_end_matches(']').to_owned()
}

fn set_token_keys(home: &Home, entries: &[&str]) {
    let file = home.data().join("keys.toml");
    let text = fs::read_to_string(&file).expect("keys");
    let lines = text.lines().map(|line| {
        if line.starts_with("token") {
            format!("token = [{}]", entries.join(", "))
        } else {
            line.to_owned()
        }
    });
    let lines: Vec<_> = lines.collect();
    fs::write(&file, lines.join("\n") + "\n").expect("written");
}

/// Sessions that each of four clients holds open.
const TOKENS: usize = 8;

/// What a balancer knows: where requests are taken now, if they are.
type Serving = Arc<RwLock<Option<SocketAddr>>>;

/// Signs in and uses the tokens, until told to stop.
async fn use_tokens(
    serving: Serving,
    email: String,
    password: String,
    stop: Arc<AtomicBool>,
    used: Arc<AtomicUsize>,
) {
    let mut tokens: Vec<String> = Vec::new();
    let mut turn = 0_usize;
    while !stop.load(Ordering::SeqCst) {
        // Held while a request is under way: whoever stops the service waits for it.
        let serving = serving.read().await;
        let Some(address) = *serving else {
            drop(serving);
            tokio::task::yield_now().await;
            continue;
        };
        turn += 1;
        if turn % 20 == 1 {
            let answer = Anonymous::at(address).log_in(&email, &password).await;
            assert_eq!(answer.status, 200, "{answer:?}");
            let token = answer.json()["access_token"]
                .as_str()
                .expect("a token")
                .to_owned();
            tokens.push(token);
            // A person's oldest sessions end when there are more than fifty.
            if tokens.len() > TOKENS {
                tokens.remove(0);
            }
        }
        // Old ones and new ones.
        let token = &tokens[turn % tokens.len()];
        let request = Anonymous::at(address).get("/api/portal/organization");
        let answer = request
            .header("authorization", &format!("Bearer {token}"))
            .await;
        assert_eq!(answer.status, 200, "{answer:?}");
        used.fetch_add(1, Ordering::SeqCst);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn keys_are_rotated_under_load_and_no_token_fails() {
    let home = home();
    let charter = home.serve();
    let keys = fs::read_to_string(home.data().join("keys.toml")).expect("keys");
    let old = keys.lines().find_map(|line| line.strip_prefix("token = ["));
    let old = old.expect("a token key").trim_end_matches(']').to_owned();
    let new = new_token_key();

    let serving: Serving = Arc::new(RwLock::new(Some(charter.main)));
    let (stop, used) = (
        Arc::new(AtomicBool::new(false)),
        Arc::new(AtomicUsize::new(0)),
    );
    let value = |name: &str| charter.demo.value(name).to_owned();
    let (email, password) = (
        value("CHARTER_PORTAL_EMAIL"),
        value("CHARTER_PORTAL_PASSWORD"),
    );
    let mut load = JoinSet::new();
    for _ in 0..4 {
        let shared = (Arc::clone(&stop), Arc::clone(&used));
        load.spawn(use_tokens(
            Arc::clone(&serving),
            email.clone(),
            password.clone(),
            shared.0,
            shared.1,
        ));
    }
    let mut running = charter;
    // Published, then used. The old one goes once its last token has expired: not within this test.
    for entries in [&[&*old, &*new][..], &[&*new, &*old]] {
        running = restart(running, &home, entries, &serving, &used).await;
    }
    stop.store(true, Ordering::SeqCst);
    while let Some(ended) = load.join_next().await {
        ended.expect("no request failed");
    }
    assert!(used.load(Ordering::SeqCst) >= 80, "{used:?}");
    let jwks: Value = Anonymous::at(running.main)
        .get("/.well-known/jwks.json")
        .await
        .json();
    assert_eq!(jwks["keys"].as_array().map(Vec::len), Some(2));
    running.stop();
}

async fn restart(
    charter: Charter,
    home: &Home,
    entries: &[&str],
    serving: &Serving,
    used: &AtomicUsize,
) -> Charter {
    *serving.write().await = None;
    tokio::task::block_in_place(|| charter.stop());
    set_token_keys(home, entries);
    let charter = tokio::task::block_in_place(|| home.serve());
    *serving.write().await = Some(charter.main);
    let before = used.load(Ordering::SeqCst);
    while used.load(Ordering::SeqCst) < before + 40 {
        tokio::task::yield_now().await;
    }
    charter
}
