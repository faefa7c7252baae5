//! Clients who send each request to both replicas, and what they were told.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use charter_domain::clock::{Clock as _, SystemClock};
use test_support::signed_client::{Client, Credentials, Signed};
use tokio::task::JoinSet;

use super::world::{Addresses, World};
use crate::load::Write;

const WRITERS: usize = 3;
const READERS: usize = 2;
/// A revocation holds everywhere after that.
const HOLDS_AFTER: Duration = Duration::from_secs(1);
const PAUSE: Duration = Duration::from_millis(5);

#[derive(Default)]
struct Progress {
    stop: AtomicBool,
    /// Writes that the replicas acknowledged.
    acknowledged: [AtomicUsize; 2],
    /// Requests of whoever was disabled that came after a second and were refused.
    refused: AtomicUsize,
    reads: AtomicUsize,
    /// Whether what is acknowledged may be lost.
    is_behind: Arc<AtomicBool>,
}

/// Clients at work.
pub(crate) struct Clients {
    writers: JoinSet<Vec<Write>>,
    others: JoinSet<()>,
    progress: Arc<Progress>,
}

/// A client of both replicas.
struct Both {
    addresses: Addresses,
    clients: [Option<(std::net::SocketAddr, Client)>; 2],
}

impl Both {
    /// The status, if there was an answer.
    async fn send(&mut self, to: usize, request: &Signed) -> Option<u16> {
        let address = self.addresses.lock()[to];
        let (_, client) = match &mut self.clients[to] {
            Some(known) if known.0 == address => known,
            other => other.insert((address, Client::http1(address))),
        };
        let answer = client.try_send(request).await?;
        let status = answer.status;
        let is_told = matches!(status, 200 | 201 | 401 | 503);
        assert!(is_told, "{status}: {}", answer.json());
        Some(status)
    }

    /// To both, this one first. Which accepted it: one at most.
    async fn send_twice(&mut self, first: usize, request: &Signed) -> Option<usize> {
        let mut accepted = None;
        for to in [first, 1 - first] {
            if matches!(self.send(to, request).await, Some(200 | 201)) {
                assert_eq!(accepted, None, "accepted twice: {request:?}");
                accepted = Some(to);
            }
        }
        accepted
    }
}

impl Clients {
    pub(crate) fn start(world: &World, names: &str, guest: &(Credentials, String)) -> Self {
        let progress = Arc::new(Progress {
            is_behind: Arc::clone(&world.is_behind),
            ..Progress::default()
        });
        let both = || Both {
            addresses: Arc::clone(&world.addresses),
            clients: [None, None],
        };
        let robot = &world.cluster.robot;
        let mut writers = JoinSet::new();
        for writer in 0..WRITERS {
            let names = format!("{names} {writer}");
            let progress = Arc::clone(&progress);
            writers.spawn(write(both(), robot.clone(), names, progress));
        }
        let mut others = JoinSet::new();
        for _ in 0..READERS {
            others.spawn(read(both(), robot.clone(), Arc::clone(&progress)));
        }
        let progress_of_guest = Arc::clone(&progress);
        others.spawn(disable(
            both(),
            robot.clone(),
            guest.clone(),
            progress_of_guest,
        ));
        Self {
            writers,
            others,
            progress,
        }
    }

    /// Until each replica has acknowledged so many more writes.
    pub(crate) async fn wait_for(&mut self, more: usize) {
        let goals = [0, 1].map(|n| self.acknowledged(n) + more);
        while (0..2).any(|n| self.acknowledged(n) < goals[n]) {
            // Nobody ends before being told to, unless it fails.
            if let Some(ended) = self.others.try_join_next() {
                ended.expect("a client that goes on");
            }
            if let Some(ended) = self.writers.try_join_next() {
                ended.expect("a writer that goes on");
            }
            tokio::time::sleep(PAUSE).await;
        }
    }

    fn acknowledged(&self, replica: usize) -> usize {
        self.progress.acknowledged[replica].load(Ordering::SeqCst)
    }

    /// How many reads passed, and how often somebody disabled was refused after a second.
    pub(crate) fn counts(&self) -> (usize, usize) {
        let of = |counter: &AtomicUsize| counter.load(Ordering::SeqCst);
        (of(&self.progress.reads), of(&self.progress.refused))
    }

    pub(crate) async fn ended(self) -> Vec<Write> {
        self.progress.stop.store(true, Ordering::SeqCst);
        self.others.join_all().await;
        self.writers
            .join_all()
            .await
            .into_iter()
            .flatten()
            .collect()
    }
}

async fn write(
    mut both: Both,
    robot: Credentials,
    names: String,
    progress: Arc<Progress>,
) -> Vec<Write> {
    /// Earlier writes that are sent again beside each new one.
    const AGAIN: usize = 7;
    let mut writes: Vec<Write> = Vec::new();
    while !progress.stop.load(Ordering::SeqCst) {
        let number = writes.len();
        let name = format!("{names} {number}");
        let request = robot.sign("POST", "/accounts", &format!(r#"{{"name":"{name}"}}"#));
        let accepted = both.send_twice(number % 2, &request).await;
        if let Some(by) = accepted {
            progress.acknowledged[by].fetch_add(1, Ordering::SeqCst);
        }
        if let Some(earlier) = number.checked_sub(AGAIN).and_then(|at| writes.get(at))
            && earlier.acknowledged
        {
            let again = both.send(number % 2, &earlier.request).await;
            assert_ne!(again, Some(201), "accepted again: {}", earlier.name);
        }
        writes.push(Write {
            name,
            acknowledged: accepted.is_some(),
            request,
        });
        tokio::time::sleep(PAUSE).await;
    }
    writes
}

async fn read(mut both: Both, robot: Credentials, progress: Arc<Progress>) {
    let mut number = 0;
    while !progress.stop.load(Ordering::SeqCst) {
        let request = robot.sign("GET", "/organizations/info", "");
        if both.send_twice(number % 2, &request).await.is_some() {
            progress.reads.fetch_add(1, Ordering::SeqCst);
        }
        number += 1;
        tokio::time::sleep(PAUSE).await;
    }
}

/// Disables a service account and enables it, again and again.
async fn disable(
    mut both: Both,
    robot: Credentials,
    (guest, id): (Credentials, String),
    progress: Arc<Progress>,
) {
    let clock = SystemClock::start();
    let path = format!("/service-accounts/{id}");
    let is_over = || progress.stop.load(Ordering::SeqCst);
    let mut at = 0;
    while !is_over() {
        for is_active in [false, true] {
            let body = format!(r#"{{"is_active":{is_active}}}"#);
            // It may have been done without an answer: that is done again.
            while both.send(at % 2, &robot.sign("PATCH", &path, &body)).await != Some(200) {
                if is_over() {
                    return;
                }
                at += 1;
                tokio::time::sleep(PAUSE).await;
            }
            // Of what a standby lacks nothing can be expected.
            if is_active || progress.is_behind.load(Ordering::SeqCst) {
                continue;
            }
            let since = clock.monotonic();
            for to in (0..40).map(|n| n % 2) {
                let age = clock.monotonic().saturating_sub(since);
                let answer = both
                    .send(to, &guest.sign("GET", "/organizations/info", ""))
                    .await;
                assert!(
                    age < HOLDS_AFTER || answer != Some(200),
                    "accepted {age:?} after it was disabled"
                );
                if age >= HOLDS_AFTER && answer == Some(401) {
                    progress.refused.fetch_add(1, Ordering::SeqCst);
                }
                tokio::time::sleep(Duration::from_millis(40)).await;
            }
        }
    }
}
