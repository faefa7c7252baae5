//! The decision log of this process: opened here, written by its own thread.

use std::path::Path;
use std::sync::Arc;
use std::thread::JoinHandle;

use parking_lot::Mutex;

use super::config::{Clocks, DecisionLogConfig};
use super::denials::Denials;
use super::file_index::FileIndex;
use super::files;
use super::find::FileIndexes;
use super::id_generator::IdGenerator;
use super::log_id;
use super::losses::LossFile;
use super::metric_counts::MetricCounts;
use super::open_error::OpenError;
use super::opening::open;
use super::queue::Queue;
use super::recorder::{LogHandle, Recorder};
use super::retention::Retention;
use super::sampling::Sampler;
use super::shadow::ShadowPolicies;
use super::status::WriterStatus;
use super::writer::Writer;
use super::written_files::Syncer;
use charter_authz::snapshot::Snapshot;
use charter_domain::entropy::Entropy;

pub struct DecisionLog {
    recorder: Recorder,
    shadow: Arc<ShadowPolicies>,
    thread: Mutex<Option<JoinHandle<()>>>,
}

impl DecisionLog {
    pub fn open(
        config: DecisionLogConfig,
        shadow: Option<Snapshot>,
        clocks: Clocks,
        entropy: Arc<dyn Entropy>,
    ) -> Result<Self, OpenError> {
        let generator = IdGenerator::new(Arc::clone(&entropy));
        let status = Arc::new(Mutex::new(WriterStatus::default()));
        let shadow = Arc::new(ShadowPolicies::new(shadow));
        let (dir, overflow, limits) = (config.dir.clone(), config.overflow, config.limits);
        let (sampler, budgets) = (
            Sampler::new(config.allowed_per_second),
            Arc::clone(&config.budgets),
        );
        let syncer = Syncer::new(config.sync_within, Arc::clone(&status));
        let head = config.head.clone();
        let (losses, queue) = (LossFile::beside(&head), config.queue);
        let opened = open(config, &*clocks.now)?;
        let lost = losses.read().map_err(|source| OpenError::Io {
            path: head.clone(),
            source,
        })?;
        let queue = Arc::new(Queue::new(queue, generator, lost));
        let id = log_id::read_or_create(&head, &*entropy)
            .map_err(|source| OpenError::Io { path: head, source })?;
        let indexes = Arc::new(opened.indexes);
        index_in_background(&dir, &opened.files.current.path)?;
        let log = LogHandle {
            status: Arc::clone(&status),
            overflow,
            id,
            dir,
            indexes: Arc::clone(&indexes),
            budgets: Arc::clone(&budgets),
            clock: Arc::clone(&clocks.now),
            denials: Denials::default(),
        };
        let recorder = Recorder::new(Arc::clone(&queue), log);
        let writer = Writer {
            queue,
            status,
            rotate_bytes: limits.rotate_bytes,
            rotate_after: limits.rotate_after,
            clock: Arc::clone(&clocks.now),
            retention: Retention::new(limits, clocks),
            renderer: opened.renderer,
            files: opened.files,
            shadow: Arc::clone(&shadow),
            counts: MetricCounts::default(),
            sampler,
            budgets,
            indexes,
            syncer,
            losses,
            ages_due: std::time::Duration::ZERO,
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

    pub const fn recorder(&self) -> &Recorder {
        &self.recorder
    }

    pub const fn shadow(&self) -> &Arc<ShadowPolicies> {
        &self.shadow
    }

    /// Writes the remaining decisions and stops the writer. Blocks.
    pub fn close(&self) {
        self.recorder.stop();
        if let Some(thread) = self.thread.lock().take() {
            // A panic was reported when it happened.
            let _ = thread.join();
        }
    }
}

/// Builds missing indexes of finished files on another thread, for example after an upgrade.
fn index_in_background(dir: &Path, current: &Path) -> Result<(), OpenError> {
    let failed = |source| OpenError::Io {
        path: dir.to_owned(),
        source,
    };
    let (mut finished, _) = files::list(dir).map_err(failed)?;
    finished.retain(|file| file.path != current && FileIndex::load(&file.path).is_none());
    if finished.is_empty() {
        return Ok(());
    }
    let thread = std::thread::Builder::new().name("decision-log-index".to_owned());
    let indexing = thread.spawn(move || FileIndexes::make(&finished));
    indexing.map(drop).map_err(OpenError::Thread)
}

impl Drop for DecisionLog {
    fn drop(&mut self) {
        self.close();
    }
}
