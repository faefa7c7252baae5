//! Writers at work, each waiting for its answer before the next write.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use test_support::process::Charter;
use test_support::signed_client::{Client, Credentials, Protocol, Signed};
use tokio::task::JoinSet;

const WRITERS: usize = 6;

/// A write, by the name that it gives.
pub(crate) struct Write {
    pub(crate) name: String,
    pub(crate) acknowledged: bool,
    pub(crate) request: Signed,
}

/// What came of it all.
#[derive(Default)]
pub(crate) struct Outcome {
    pub(crate) writes: Vec<Write>,
    /// Ids of decisions that clients were told of.
    pub(crate) denials: Vec<String>,
}

#[derive(Default)]
struct Progress {
    acknowledged: AtomicUsize,
    answered: AtomicUsize,
    refused: AtomicUsize,
    stop: AtomicBool,
    /// Answers of 503 are heard and counted; else they are failures.
    may_be_refused: bool,
}

pub(crate) struct Load {
    writers: JoinSet<Outcome>,
    progress: Arc<Progress>,
}

impl Load {
    /// All of whose names begin with that text.
    pub(crate) fn start(charter: &Charter, names: &str) -> Self {
        Self::with(charter, names, Progress::default())
    }

    /// Whose writes may be refused with a 503; beside them somebody asks for what is denied.
    pub(crate) fn under_faults(charter: &Charter, names: &str) -> Self {
        let mut load = Self::with(
            charter,
            names,
            Progress {
                may_be_refused: true,
                ..Progress::default()
            },
        );
        let client = Client::http1(charter.main);
        let progress = Arc::clone(&load.progress);
        load.writers
            .spawn(be_denied(client, charter.reader(), progress));
        load
    }

    fn with(charter: &Charter, names: &str, progress: Progress) -> Self {
        let progress = Arc::new(progress);
        let mut writers = JoinSet::new();
        for writer in 0..WRITERS {
            let protocol = if writer % 3 == 0 {
                Protocol::Http2
            } else {
                Protocol::Http1
            };
            let (method, target) = if writer == 1 {
                ("PATCH", "/organizations/info")
            } else {
                ("POST", "/accounts")
            };
            let client = Client::new(charter.main, protocol);
            let names = format!("{names} {writer}");
            let progress = Arc::clone(&progress);
            writers.spawn(write(
                client,
                charter.manager(),
                method,
                target,
                names,
                progress,
            ));
        }
        Self { writers, progress }
    }

    /// How many writes were acknowledged.
    pub(crate) fn acknowledged(&self) -> usize {
        self.progress.acknowledged.load(Ordering::SeqCst)
    }

    /// How many requests were answered.
    pub(crate) fn answered(&self) -> usize {
        self.progress.answered.load(Ordering::SeqCst)
    }

    /// How many requests were answered with 503.
    pub(crate) fn refused(&self) -> usize {
        self.progress.refused.load(Ordering::SeqCst)
    }

    /// Until so many writes are acknowledged.
    pub(crate) async fn wait_for(&self, acknowledged: usize) {
        self.wait_until(|| self.acknowledged() >= acknowledged)
            .await;
    }

    /// Until it is so; somebody must still be at work.
    pub(crate) async fn wait_until(&self, is_so: impl Fn() -> bool) {
        while !is_so() {
            assert!(!self.writers.is_empty());
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    }

    pub(crate) fn stop(&self) {
        self.progress.stop.store(true, Ordering::SeqCst);
    }

    /// When all have stopped, or were hung up on.
    pub(crate) async fn ended(self) -> Outcome {
        let mut all = Outcome::default();
        for outcome in self.writers.join_all().await {
            all.writes.extend(outcome.writes);
            all.denials.extend(outcome.denials);
        }
        all
    }
}

async fn write(
    mut client: Client,
    manager: Credentials,
    method: &str,
    target: &str,
    names: String,
    progress: Arc<Progress>,
) -> Outcome {
    let mut outcome = Outcome::default();
    while !progress.stop.load(Ordering::SeqCst) {
        let name = format!("{names} {}", outcome.writes.len());
        let request = manager.sign(method, target, &format!(r#"{{"name":"{name}"}}"#));
        let answer = client.try_send(&request).await;
        let status = answer.as_ref().map(|answer| answer.status);
        let acknowledged = matches!(status, Some(200 | 201));
        outcome.writes.push(Write {
            name,
            acknowledged,
            request,
        });
        let Some(answer) = answer else {
            break;
        };
        let is_refused = progress.may_be_refused && answer.status == 503;
        assert!(acknowledged || is_refused, "{}", answer.json());
        progress.answered.fetch_add(1, Ordering::SeqCst);
        let counter = if acknowledged {
            &progress.acknowledged
        } else {
            &progress.refused
        };
        counter.fetch_add(1, Ordering::SeqCst);
    }
    outcome
}

async fn be_denied(mut client: Client, reader: Credentials, progress: Arc<Progress>) -> Outcome {
    let mut outcome = Outcome::default();
    while !progress.stop.load(Ordering::SeqCst) {
        let request = reader.sign("PATCH", "/organizations/info", r#"{"name":"never"}"#);
        let Some(answer) = client.try_send(&request).await else {
            break;
        };
        progress.answered.fetch_add(1, Ordering::SeqCst);
        if answer.status == 503 {
            progress.refused.fetch_add(1, Ordering::SeqCst);
            continue;
        }
        answer.assert_refused(403, "NOT_PERMITTED");
        let answer = answer.json();
        let decision = answer["error"]["decision_id"].as_str();
        outcome.denials.push(decision.expect("an id").to_owned());
    }
    outcome
}
