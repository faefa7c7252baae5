//! The decision log: every answer of policy, allowed or not, as a line of a chain of files.
//!
//! A request hands its decision over and goes on; a thread of its own writes. What is not written
//! is either not acted upon or counted, never silently lost (docs/decision-log.md).

pub mod again;
mod chain;
mod counts;
mod entry;
mod files;
mod find;
mod findings;
pub(in crate::authz) mod fragments;
mod head;
mod ids;
mod line;
mod mask;
mod open;
mod queue;
mod read;
mod shadow;
mod verify;
mod writer;

use std::net::IpAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::Duration;

use parking_lot::Mutex;

use super::decision::Outcome;
use super::principal::Principal;
use super::question::{Question, Resource};
use super::snapshot::Snapshot;
use crate::domain::clock::Clock;
use crate::domain::entropy::Entropy;
use crate::domain::id::DecisionId;
use crate::domain::permission::Permission;
use crate::domain::timestamp::Timestamp;
use entry::{Entry, Subject};
use ids::Ids;
use queue::Queue;

pub use chain::{Chain, LogKey};
pub use find::find;
pub use findings::{Finding, Located, Report};
pub use fragments::Uid;
pub use mask::{Mask, MaskStyle, UnknownField};
pub use open::OpenError;
pub use read::{Record, RecordedError};
pub use shadow::{Direction, Shadow};
pub use verify::verify;
pub use writer::WriterStatus;

/// How long a search waits for the latest decisions to be written.
const PATIENCE: Duration = Duration::from_millis(500);

/// How the log is kept.
#[derive(Debug)]
pub struct Config {
    /// Where its files are.
    pub dir: PathBuf,
    /// Where its head is kept, outside of `dir`.
    pub head: PathBuf,
    /// The audit keys: the first authenticates new lines, all authenticate old ones.
    pub keys: Vec<LogKey>,
    /// What happens when the queue is full.
    pub overflow: Overflow,
    /// Decisions that wait to be written, at most.
    pub queue: usize,
    /// What is masked.
    pub mask: Mask,
    /// When another file is begun, and how long files are kept.
    pub limits: Limits,
}

/// When another file is begun, and how long files are kept.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    /// Bytes in a file, beyond which another is begun.
    pub rotate_bytes: u64,
    /// Age of a file at which another is begun.
    pub rotate_after: Duration,
    /// Files that are kept, the newest among them.
    pub keep_files: u64,
    /// How long what a file holds is kept.
    pub keep_for: Duration,
}

/// What happens when decisions come faster than they can be written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Overflow {
    /// Requests wait a moment and then fail: nothing is done that is not logged.
    Wait,
    /// Decisions are dropped and counted, in a metric and in the log.
    Count,
}

/// The queue is full: the decision was not recorded and must not be acted upon.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the decision log cannot take another decision")]
pub struct NotRecorded;

/// Through what policy is asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Via {
    /// Somebody who is about to act.
    Request,
    /// The evaluation endpoint: nothing is done here upon the answer.
    Evaluation,
}

impl Via {
    /// What a line says of it; nothing of what is asked in order to act.
    pub(super) const fn name(self) -> Option<&'static str> {
        match self {
            Self::Request => None,
            Self::Evaluation => Some("evaluation"),
        }
    }
}

/// The facts around a request that is decided.
#[derive(Debug, Clone, Copy)]
pub struct Asker<'a> {
    /// Who asks.
    pub principal: &'a Arc<Principal>,
    /// Where the request came from.
    pub source_ip: IpAddr,
    /// When it was authenticated.
    pub now: Timestamp,
    /// Its id.
    pub request_id: &'a str,
    /// Through what it asks.
    pub via: Via,
}

/// An answer that is on record.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Decided {
    /// What finds it in the log.
    pub id: DecisionId,
    /// The answer.
    pub outcome: Outcome,
}

/// Where decisions are handed over. Cheap to clone.
#[derive(Clone)]
pub struct Recorder(Arc<Shared>);

struct Shared {
    queue: Arc<Queue>,
    status: Arc<Mutex<WriterStatus>>,
    /// `None` where decisions are not logged.
    overflow: Option<Overflow>,
    dir: PathBuf,
}

impl Recorder {
    /// Gives ids to decisions and keeps none.
    #[must_use]
    pub fn disabled(entropy: Arc<dyn Entropy>) -> Self {
        Self(Arc::new(Shared {
            queue: Arc::new(Queue::new(0, Ids::new(entropy))),
            status: Arc::default(),
            overflow: None,
            dir: PathBuf::new(),
        }))
    }

    /// Asks the policies and puts the answer on record.
    ///
    /// # Errors
    ///
    /// [`NotRecorded`] where nothing may be done without a record and there is no room for one.
    pub fn decide(
        &self,
        snapshot: &Snapshot,
        by: Asker<'_>,
        permission: Permission,
        resource: Resource<'_>,
    ) -> Result<Decided, NotRecorded> {
        let (decision, asked) = snapshot.decide_and_keep(&Question {
            principal: by.principal,
            permission,
            resource,
            source_ip: by.source_ip,
            now: by.now,
        });
        let outcome = decision.outcome;
        let Some(overflow) = self.0.overflow else {
            let id = self.0.queue.next_id(by.now);
            return Ok(Decided { id, outcome });
        };
        let (id, pushed) = self.0.queue.push(by.now, |id| Entry {
            id,
            at: by.now,
            request_id: by.request_id.to_owned(),
            via: by.via,
            source_ip: by.source_ip,
            principal: Arc::clone(by.principal),
            subject: Subject::new(asked, &resource),
            decision,
        });
        match (pushed, overflow) {
            (Ok(()), _) => {}
            (Err(queue::Full), Overflow::Count) => {
                metrics::counter!("charter_decision_log_lost_total").increment(1);
                if !self.0.queue.lose(by.now) {
                    self.0.status.lock().lost += 1;
                    tracing::error!(
                        decision_id = %id,
                        %permission,
                        "a decision is missing in the decision log: its writer has ended"
                    );
                }
            }
            (Err(queue::Full), Overflow::Wait) => {
                metrics::counter!("charter_decision_log_refused_total").increment(1);
                return Err(NotRecorded);
            }
        }
        Ok(Decided { id, outcome })
    }

    /// Whether a request that is to be decided may go on. Where it may not, it should wait a
    /// moment and ask again.
    #[must_use]
    pub fn has_room(&self) -> bool {
        self.0.overflow != Some(Overflow::Wait) || self.0.queue.has_room()
    }

    /// Waits, blocking, until everything that was handed over before is in the file. False if
    /// that took too long.
    #[must_use]
    pub fn flush(&self, patience: Duration) -> bool {
        self.0.overflow.is_none() || self.0.queue.flush(patience)
    }

    /// Finds a decision of this process's log, the latest included; blocking. `None` if it is not
    /// there, or no longer. It is work for a whole disk: one at a time should do it.
    ///
    /// # Errors
    ///
    /// A file cannot be read.
    pub fn find(&self, id: DecisionId) -> std::io::Result<Option<Record>> {
        if self.0.overflow.is_none() {
            return Ok(None);
        }
        // Where it cannot be written now, what was written before can still be found.
        let _ = self.flush(PATIENCE);
        find(&self.0.dir, id)
    }

    /// How the writer is; `None` where decisions are not logged.
    #[must_use]
    pub fn status(&self) -> Option<Status> {
        let overflow = self.0.overflow?;
        let writer = self.0.status.lock().clone();
        // Requests are turned away before the queue is full; nearly full by load alone passes.
        // Of a writer that has ended, the queue stays full.
        let is_stuck = writer.last_error.is_some() && !self.0.queue.has_room();
        let refuses = overflow == Overflow::Wait && (is_stuck || self.0.queue.is_full());
        Some(Status { writer, refuses })
    }
}

/// How the log is.
#[derive(Debug, Clone)]
pub struct Status {
    /// Whether it is written.
    pub writer: WriterStatus,
    /// Whether requests fail because of it.
    pub refuses: bool,
}

/// The log of this process, until it is closed.
pub struct DecisionLog {
    recorder: Recorder,
    shadow: Arc<Shadow>,
    thread: Mutex<Option<JoinHandle<()>>>,
    /// Held as long as it is open.
    _lock: open::Lock,
}

impl DecisionLog {
    /// Opens the log and starts its writer.
    ///
    /// # Errors
    ///
    /// The directory cannot be used, or another process uses it.
    pub fn open(
        config: Config,
        shadow: Option<Snapshot>,
        clock: Arc<dyn Clock>,
        entropy: Arc<dyn Entropy>,
    ) -> Result<Self, OpenError> {
        let queue = Arc::new(Queue::new(config.queue, Ids::new(entropy)));
        let status = Arc::new(Mutex::new(WriterStatus::default()));
        let shadow = Arc::new(Shadow::new(shadow));
        let recorder = Recorder(Arc::new(Shared {
            queue: Arc::clone(&queue),
            status: Arc::clone(&status),
            overflow: Some(config.overflow),
            dir: config.dir.clone(),
        }));
        let opened = open::open(config, &*clock)?;
        let writer = writer::Writer {
            queue,
            status,
            clock,
            limits: opened.limits,
            renderer: opened.renderer,
            files: opened.files,
            shadow: Arc::clone(&shadow),
            counts: counts::Counts::default(),
            taken: 0,
        };
        let thread = std::thread::Builder::new()
            .name("decision-log".to_owned())
            .spawn(move || writer.run())
            .map_err(OpenError::Thread)?;
        Ok(Self {
            recorder,
            shadow,
            thread: Mutex::new(Some(thread)),
            _lock: opened.lock,
        })
    }

    /// Where decisions are handed over.
    #[must_use]
    pub const fn recorder(&self) -> &Recorder {
        &self.recorder
    }

    /// The policies that are asked beside those in force.
    #[must_use]
    pub const fn shadow(&self) -> &Arc<Shadow> {
        &self.shadow
    }

    /// Writes what is left and ends the writer, blocking.
    pub fn close(&self) {
        self.recorder.0.queue.stop();
        if let Some(thread) = self.thread.lock().take() {
            // Whether it failed was said when it did.
            let _ = thread.join();
        }
    }
}

impl Drop for DecisionLog {
    fn drop(&mut self) {
        self.close();
    }
}
