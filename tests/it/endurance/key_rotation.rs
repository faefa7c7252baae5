//! Rotating the keys of access tokens on two replicas under load, as docs/operating.md says: no
//! request fails.

use std::fs;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use charter::domain::entropy::OsEntropy;
use charter::settings::keys;
use parking_lot::RwLock;
use serde_json::Value;
use tokio::task::JoinSet;

use super::charter::{Charter, Home};
use crate::service::{Anonymous, Persona};

const BASE_URL: &str = "http://portal.example";

fn home(database_url: Option<&str>) -> Home {
    let home = Home::new().with("CHARTER__PORTAL__BASE_URL", BASE_URL);
    match database_url {
        Some(url) => home.with("CHARTER__DATABASE__URL", url),
        None => home,
    }
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

/// What a balancer knows: which replicas take requests.
type Replicas = Arc<RwLock<Vec<SocketAddr>>>;

/// Signs in at one replica and uses the token at every one, until told to stop.
async fn use_tokens(
    replicas: Replicas,
    email: String,
    password: String,
    stop: Arc<AtomicBool>,
    used: Arc<AtomicUsize>,
) {
    let mut tokens: Vec<String> = Vec::new();
    let mut turn = 0_usize;
    while !stop.load(Ordering::SeqCst) {
        turn += 1;
        let at = |turn: usize| {
            let replicas = replicas.read();
            replicas[turn % replicas.len()]
        };
        if turn % 20 == 1 {
            let answer = Anonymous::at(at(turn)).log_in(&email, &password).await;
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
        let request = Anonymous::at(at(turn)).get("/api/portal/organization");
        let answer = request
            .header("authorization", &format!("Bearer {token}"))
            .await;
        assert_eq!(answer.status, 200, "{answer:?}");
        used.fetch_add(1, Ordering::SeqCst);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn keys_are_rotated_under_load_and_no_request_fails() {
    let first = home(None);
    let one = first.serve();
    let second = home(Some(&first.database_url()));
    fs::create_dir_all(second.data()).expect("a directory");
    for file in ["keys.toml", "demo.env"] {
        fs::copy(first.data().join(file), second.data().join(file)).expect("copied");
    }
    let two = second.serve();
    let keys = fs::read_to_string(first.data().join("keys.toml")).expect("keys");
    let old = keys.lines().find_map(|line| line.strip_prefix("token = ["));
    let old = old.expect("a token key").trim_end_matches(']').to_owned();
    let new = new_token_key();

    let replicas: Replicas = Arc::new(RwLock::new(vec![one.main, two.main]));
    let (stop, used) = (
        Arc::new(AtomicBool::new(false)),
        Arc::new(AtomicUsize::new(0)),
    );
    let value = |name: &str| one.demo.value(name).to_owned();
    let (email, password) = (
        value("CHARTER_PORTAL_EMAIL"),
        value("CHARTER_PORTAL_PASSWORD"),
    );
    let mut load = JoinSet::new();
    for _ in 0..4 {
        let shared = (Arc::clone(&stop), Arc::clone(&used));
        load.spawn(use_tokens(
            Arc::clone(&replicas),
            email.clone(),
            password.clone(),
            shared.0,
            shared.1,
        ));
    }
    let mut running = [Some(one), Some(two)];
    let homes = [&first, &second];
    // Published, then used. The old one goes once its last token has expired: not within this test.
    for entries in [&[&*old, &*new][..], &[&*new, &*old]] {
        for (replica, home) in running.iter_mut().zip(homes) {
            restart(replica, home, entries, &replicas, &used).await;
        }
    }
    stop.store(true, Ordering::SeqCst);
    while let Some(ended) = load.join_next().await {
        ended.expect("no request failed");
    }
    assert!(used.load(Ordering::SeqCst) > 200, "{used:?}");
    let main = running[0].as_ref().expect("it runs").main;
    let jwks: Value = Anonymous::at(main)
        .get("/.well-known/jwks.json")
        .await
        .json();
    assert_eq!(jwks["keys"].as_array().map(Vec::len), Some(2));
    for charter in running.into_iter().flatten() {
        charter.stop();
    }
}

async fn restart(
    replica: &mut Option<Charter>,
    home: &Home,
    entries: &[&str],
    replicas: &Replicas,
    used: &AtomicUsize,
) {
    let charter = replica.take().expect("it runs");
    let address = charter.main;
    // Drained first, as behind a balancer.
    replicas.write().retain(|other| *other != address);
    tokio::time::sleep(Duration::from_millis(200)).await;
    tokio::task::block_in_place(|| charter.stop());
    set_token_keys(home, entries);
    let charter = tokio::task::block_in_place(|| home.serve());
    replicas.write().push(charter.main);
    *replica = Some(charter);
    let before = used.load(Ordering::SeqCst);
    while used.load(Ordering::SeqCst) < before + 40 {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}
