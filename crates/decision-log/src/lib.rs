//! The decision log: every answer of policy, allowed or not, as a line of a chain of files.
//!
//! A request hands its decision over and goes on; a thread of its own writes. What is not written
//! is either not acted upon or counted, never silently lost (docs/decision-log.md).

pub mod again;
mod body;
mod chain;
mod counts;
mod definitions;
mod entry;
mod expand;
mod files;
mod find;
mod findings;
pub(crate) mod fragments;
mod head;
mod ids;
mod index;
mod line;
mod mask;
mod open;
mod placed;
mod queue;
mod read;
mod recorder;
mod sampling;
mod shadow;
mod verify;
mod writer;

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::Duration;

use parking_lot::Mutex;

use charter_authz::snapshot::Snapshot;
use charter_budgets::Budgets;
use charter_domain::clock::Clock;
use charter_domain::confirmed_clock::ConfirmedClock;
use charter_domain::entropy::Entropy;
use find::Indexes;
use ids::Ids;
use index::Index;
use placed::Syncer;
use queue::Queue;
use recorder::Log;
use sampling::Sampler;

pub use chain::{Chain, LogKey};
pub use charter_authz::json::Uid;
pub use expand::{Definitions, Line};
pub use find::find;
pub use findings::{Finding, Located, Report};
pub use mask::{Mask, MaskStyle, UnknownField};
pub use open::OpenError;
pub use read::{Record, RecordedError};
pub use recorder::{Asker, Decided, Recorder, Status};
pub use shadow::{Direction, Shadow};
pub use verify::verify;
pub use writer::WriterStatus;

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
    /// How many allowed decisions of one kind are written in a second; 0 for all.
    pub allowed_per_second: u64,
    /// How soon what is written is on the disk.
    pub sync_within: Duration,
    /// What each organization may write.
    pub budgets: Arc<Budgets>,
}

/// By which clocks the log is written, and old files go.
#[derive(Clone)]
pub struct Clocks {
    /// What lines say.
    pub now: Arc<dyn Clock>,
    /// What files are deleted by.
    pub confirmed: Arc<ConfirmedClock>,
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
    pub(crate) const fn name(self) -> Option<&'static str> {
        match self {
            Self::Request => None,
            Self::Evaluation => Some("evaluation"),
        }
    }
}

/// The log of this process, until it is closed.
pub struct DecisionLog {
    recorder: Recorder,
    shadow: Arc<Shadow>,
    thread: Mutex<Option<JoinHandle<()>>>,
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
        clocks: Clocks,
        entropy: Arc<dyn Entropy>,
    ) -> Result<Self, OpenError> {
        let queue = Arc::new(Queue::new(config.queue, Ids::new(entropy)));
        let status = Arc::new(Mutex::new(WriterStatus::default()));
        let shadow = Arc::new(Shadow::new(shadow));
        let (dir, overflow) = (config.dir.clone(), config.overflow);
        let (sampler, budgets) = (
            Sampler::new(config.allowed_per_second),
            Arc::clone(&config.budgets),
        );
        let syncer = Syncer::new(config.sync_within, Arc::clone(&status));
        let opened = open::open(config, &*clocks.now)?;
        let indexes = Arc::new(opened.indexes);
        index_in_background(&dir, &opened.files.current.path)?;
        let log = Log {
            status: Arc::clone(&status),
            overflow,
            dir,
            indexes: Arc::clone(&indexes),
            budgets: Arc::clone(&budgets),
            clock: Arc::clone(&clocks.now),
        };
        let recorder = Recorder::new(Arc::clone(&queue), log);
        let writer = writer::Writer {
            queue,
            status,
            clock: clocks.now,
            confirmed: clocks.confirmed,
            limits: opened.limits,
            renderer: opened.renderer,
            files: opened.files,
            shadow: Arc::clone(&shadow),
            counts: counts::Counts::default(),
            sampler,
            budgets,
            indexes,
            syncer,
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
        self.recorder.stop();
        if let Some(thread) = self.thread.lock().take() {
            // Whether it failed was said when it did.
            let _ = thread.join();
        }
    }
}

/// Makes the indexes that finished files lack, as after an update, beside the requests.
fn index_in_background(dir: &Path, current: &Path) -> Result<(), OpenError> {
    let failed = |source| OpenError::Io {
        path: dir.to_owned(),
        source,
    };
    let (mut finished, _) = files::list(dir).map_err(failed)?;
    finished.retain(|file| file.path != current && Index::load(&file.path).is_none());
    if finished.is_empty() {
        return Ok(());
    }
    let thread = std::thread::Builder::new().name("decision-log-index".to_owned());
    let indexing = thread.spawn(move || Indexes::make(&finished));
    indexing.map(drop).map_err(OpenError::Thread)
}

impl Drop for DecisionLog {
    fn drop(&mut self) {
        self.close();
    }
}
