//! The log of this process: opened, written by a thread of its own, closed.

use std::path::Path;
use std::sync::Arc;
use std::thread::JoinHandle;

use parking_lot::Mutex;

use super::config::{Clocks, Config};
use super::counts::Counts;
use super::files;
use super::find::Indexes;
use super::ids::Ids;
use super::index::Index;
use super::open::open;
use super::open_error::OpenError;
use super::placed::Syncer;
use super::queue::Queue;
use super::recorder::{Log, Recorder};
use super::retention::Retention;
use super::sampling::Sampler;
use super::shadow::Shadow;
use super::status::WriterStatus;
use super::writer::Writer;
use charter_authz::snapshot::Snapshot;
use charter_domain::entropy::Entropy;

pub struct DecisionLog {
    recorder: Recorder,
    shadow: Arc<Shadow>,
    thread: Mutex<Option<JoinHandle<()>>>,
}

impl DecisionLog {
    /// Opens the log and starts its writer.
    pub fn open(
        config: Config,
        shadow: Option<Snapshot>,
        clocks: Clocks,
        entropy: Arc<dyn Entropy>,
    ) -> Result<Self, OpenError> {
        let queue = Arc::new(Queue::new(config.queue, Ids::new(entropy)));
        let status = Arc::new(Mutex::new(WriterStatus::default()));
        let shadow = Arc::new(Shadow::new(shadow));
        let (dir, overflow, limits) = (config.dir.clone(), config.overflow, config.limits);
        let (sampler, budgets) = (
            Sampler::new(config.allowed_per_second),
            Arc::clone(&config.budgets),
        );
        let syncer = Syncer::new(config.sync_within, Arc::clone(&status));
        let opened = open(config, &*clocks.now)?;
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
        let writer = Writer {
            queue,
            status,
            rotate_bytes: limits.rotate_bytes,
            rotate_after: limits.rotate_after,
            retention: Retention {
                keep_files: limits.keep_files,
                keep_for: limits.keep_for,
                clock: Arc::clone(&clocks.now),
                confirmed: clocks.confirmed,
            },
            clock: clocks.now,
            renderer: opened.renderer,
            files: opened.files,
            shadow: Arc::clone(&shadow),
            counts: Counts::default(),
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
    pub const fn recorder(&self) -> &Recorder {
        &self.recorder
    }

    /// The policies that are asked beside those in force.
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
