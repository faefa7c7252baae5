//! The writer thread: writes queued entries in batches, rotates files, and keeps what it cannot write until it
//! can.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;

use super::chain;
use super::file_index::FileIndex;
use super::files;
use super::find::FileIndexes;
use super::head::LogHead;
use super::line_body::FileBody;
use super::line_renderer::LineRenderer;
use super::log_entry::LogEntry;
use super::log_file::LogFile;
use super::losses::LossFile;
use super::metric_counts::MetricCounts;
use super::queue::{LostDecisions, Queue, Unwritten, WriterTask};
use super::retention::{Retention, prune};
use super::sampling::{Sampler, SamplingOutcome, UnwrittenDecisions};
use super::shadow::ShadowPolicies;
use super::status::WriterStatus;
use super::written_files::{Syncer, WrittenFiles};
use charter_authz::json::JsonError;
use charter_budgets::{Budgets, Resource};
use charter_domain::clock::Clock;
use charter_domain::timestamp::Timestamp;

/// Between attempts after an error.
const RETRY_INTERVAL: Duration = Duration::from_millis(200);
/// How often the writer checks the files and their ages.
const IDLE_INTERVAL: Duration = Duration::from_mins(1);
/// Attempts of a stopping writer.
const MAX_FINAL_TRIES: usize = 5;
/// Rendered bytes that are written at once, to bound memory.
const FLUSH_BYTES: usize = 256 * 1024;

pub(super) struct Writer {
    pub(super) queue: Arc<Queue>,
    pub(super) status: Arc<Mutex<WriterStatus>>,
    pub(super) clock: Arc<dyn Clock>,
    pub(super) rotate_bytes: u64,
    pub(super) rotate_after: Duration,
    pub(super) retention: Retention,
    pub(super) renderer: LineRenderer,
    pub(super) files: WrittenFiles,
    pub(super) shadow: Arc<ShadowPolicies>,
    pub(super) counts: MetricCounts,
    pub(super) sampler: Sampler,
    pub(super) budgets: Arc<Budgets>,
    pub(super) indexes: Arc<FileIndexes>,
    pub(super) syncer: Syncer,
    pub(super) losses: LossFile,
    /// When the files' ages are looked at again, by the monotonic clock.
    pub(super) ages_due: Duration,
    /// Entries rendered, or counted in a gap, since the last flush.
    pub(super) taken: usize,
}

/// Reports that the writer ended, including by a panic.
struct EndGuard {
    queue: Arc<Queue>,
    status: Arc<Mutex<WriterStatus>>,
    losses: LossFile,
    /// Whether it was stopped and has written everything.
    is_orderly: bool,
}

impl Drop for EndGuard {
    fn drop(&mut self) {
        // Set the reason before the end becomes visible.
        let mut status = self.status.lock();
        let Unwritten {
            entries,
            unrecorded,
            lost,
        } = self.queue.end();
        if !self.is_orderly {
            let before = status.last_error.take();
            let why = before.map_or_else(String::new, |before| format!(" ({before})"));
            let text = format!("the writer has ended{why}: restart the service");
            status.last_error = Some(text);
        }
        status.lost += entries + unrecorded;
        drop(status);
        if let Some(lost) = lost
            && let Err(error) = self.losses.write(lost)
        {
            tracing::error!(%error, "no gap in the decision log will tell of these decisions");
        }
        // Decisions dropped because of a full queue were counted before.
        metrics::counter!("charter_decision_log_lost_total").increment(entries);
        if !self.is_orderly || entries + unrecorded > 0 {
            tracing::error!(
                decisions = entries + unrecorded,
                "the decision log ended without its last lines; these decisions are missing or incomplete"
            );
        }
    }
}

/// The writer was stopped and cannot write.
struct Abandoned;

impl Writer {
    pub(super) fn run(mut self) {
        let mut ending = EndGuard {
            queue: Arc::clone(&self.queue),
            status: Arc::clone(&self.status),
            losses: self.losses.clone(),
            is_orderly: false,
        };
        let mut batch = Vec::new();
        loop {
            let unsynced = self.syncer.due_in(self.clock.monotonic());
            let untold = self.sampler.is_waiting().then_some(self.syncer.within);
            let wait = unsynced.into_iter().chain(untold).min();
            let wait = wait.unwrap_or(IDLE_INTERVAL);
            let work = self.queue.take(&mut batch, wait);
            let was_idle = batch.is_empty();
            let is_last = work.stop && was_idle;
            let done = self.write(&mut batch, &work, is_last);
            self.counts.publish();
            if done.is_err() {
                break;
            }
            if is_last {
                ending.is_orderly = true;
                break;
            }
            if was_idle {
                prune(&self.files);
            }
            self.syncer.tick(&self.files, self.clock.monotonic());
        }
        drop(ending);
        if let Err(error) = self.files.sync() {
            tracing::error!(%error, "the decision log could not be synced");
        }
    }

    fn write(
        &mut self,
        batch: &mut Vec<LogEntry>,
        work: &WriterTask,
        is_last: bool,
    ) -> Result<(), Abandoned> {
        self.ensure_files_whole()?;
        self.look_at_ages()?;
        if let Some(lost) = work.lost {
            self.record_lost(lost);
        }
        let mut unwritable: usize = 0;
        for entry in batch.drain(..) {
            if self.needs_rotation(&entry) {
                self.flush()?;
                self.rotate()?;
            }
            self.counts.decision(&entry);
            match self.render(&entry) {
                Ok(()) => self.taken += 1,
                Err(error) => {
                    let error = error.to_string();
                    let error = self.renderer.fault(&error);
                    tracing::error!(decision = %entry.id, %error, "cannot render a decision");
                    unwritable += 1;
                }
            }
            if self.files.pending.len() >= FLUSH_BYTES {
                self.flush()?;
            }
        }
        if unwritable > 0 {
            metrics::counter!("charter_decision_log_lost_total").increment(unwritable as u64);
            let now = self.clock.now();
            let lost = LostDecisions {
                count: unwritable as u64,
                since: now,
                until: now,
            };
            self.record_lost(lost);
            self.taken += unwritable;
        }
        let rests = if is_last {
            self.sampler.all()
        } else {
            self.sampler.due(self.clock.now())
        };
        self.write_unwritten_counts(rests);
        self.flush()?;
        if work.lost.is_some() {
            self.queue.mark_recorded();
            if let Err(error) = self.losses.remove() {
                tracing::error!(%error, "the next start will record the same lost decisions again");
            }
        }
        Ok(())
    }

    /// Renders a decision, or counts it if it is sampled out.
    fn render(&mut self, entry: &LogEntry) -> Result<(), JsonError> {
        let principal = || self.renderer.principal(entry);
        let other = self.shadow.compare(entry, &mut self.counts, principal);
        let (kind, rest) = match self.sampler.take(entry, other.is_some())? {
            SamplingOutcome::Counted => {
                self.counts.unwritten();
                return Ok(());
            }
            SamplingOutcome::Written { kind, rest } => (kind, rest),
        };
        let pending = &mut self.files.pending;
        let before = pending.len();
        let case = self
            .renderer
            .decision(entry, other.as_ref(), rest, pending)
            .inspect_err(|_| self.sampler.put_back(kind, rest))?;
        if let Some(payer) = entry.payer() {
            let bytes = (pending.len() - before) as u64;
            self.budgets
                .spend_as(Resource::DecisionLogBytes, payer, bytes);
        }
        if let Some(kind) = kind {
            self.sampler.is_case(kind, case);
        }
        Ok(())
    }

    fn write_unwritten_counts(&mut self, rests: Vec<UnwrittenDecisions>) {
        for rest in rests {
            self.renderer.rest(rest, &mut self.files.pending);
        }
    }

    /// Rotates if the current file was moved, removed or cut.
    fn ensure_files_whole(&mut self) -> Result<(), Abandoned> {
        let is_whole = self.retry_until_stopped(|writer| writer.files.is_whole())?;
        let head_missed =
            self.retry_until_stopped(|writer| writer.files.head.reopen_if_missed())?;
        if head_missed {
            self.report_missing_file("the head of the decision log");
        }
        if is_whole {
            return Ok(());
        }
        self.report_missing_file("the file of the decision log that is written");
        self.retry_until_stopped(|writer| writer.files.restore_dir())?;
        self.rotate()
    }

    fn report_missing_file(&self, what: &'static str) {
        metrics::counter!("charter_log_files_missed_total", "file" => "decisions").increment(1);
        self.status.lock().missed = Some(self.clock.monotonic());
        tracing::error!(
            file = self.files.current.name(),
            "{what} was moved, removed or cut while the service runs; a new one is begun, and `charter policy verify-log` will report what is missing"
        );
    }

    /// Records lost decisions, here and in the service's log.
    fn record_lost(&mut self, lost: LostDecisions) {
        self.status.lock().lost += lost.count;
        tracing::error!(
            decisions = lost.count,
            "decisions are missing in the decision log"
        );
        let now = self.clock.now();
        self.renderer.gap(now, lost, &mut self.files.pending);
    }

    /// Writes what is pending, retrying until it succeeds.
    fn flush(&mut self) -> Result<(), Abandoned> {
        let head = LogHead::new(self.files.current.number, self.renderer.position);
        self.retry_until_stopped(|writer| writer.files.write(&head))?;
        let summaries = std::mem::take(&mut self.renderer.summaries);
        if !summaries.is_empty() {
            self.syncer.mark_dirty(self.clock.monotonic());
            self.indexes.grow(|index| {
                for line in summaries {
                    index.count(line.made_at, line.defined, line.length);
                }
            });
        }
        // Publish before waiting readers are woken.
        self.counts.publish();
        self.queue.mark_written(std::mem::take(&mut self.taken));
        Ok(())
    }

    fn rotate(&mut self) -> Result<(), Abandoned> {
        let rests = self.sampler.all();
        self.write_unwritten_counts(rests);
        self.flush()?;
        self.syncer.sync(&self.files);
        let now = self.clock.now();
        let dir = self.files.dir().to_owned();
        let number = self.files.current.number + 1;
        let next = LogFile::new(&dir, number, now.timestamp_millis());
        // A failed listing must not look like an empty directory.
        let (files, _) = self.retry_until_stopped(|_| files::list(&dir))?;
        let oldest = self.retention.oldest_to_keep(&files, number, &self.files);
        let key = self.renderer.chain.id().to_owned();
        let body = FileBody::following(number, oldest, &key);
        let mut line = Vec::new();
        self.renderer.file(now, body, &mut line);
        self.retry_until_stopped(|writer| {
            writer.files.restore_dir()?;
            writer.files.open = files::begin(&next, &line)?;
            Ok(())
        })?;
        let position = self.renderer.position;
        tracing::info!(
            target: "decisions",
            file = next.name(),
            sequence = position.sequence,
            mac = chain::encode(&position.mac),
            "the decision log continues in a new file"
        );
        self.indexes.begin(&next.path, FileIndex::default());
        self.files.current = next;
        self.files.oldest = oldest;
        self.files.length = line.len() as u64;
        self.files.first_line = self.files.length;
        prune(&self.files);
        self.flush()
    }

    /// Rotates for the age of files, whether anything is to be written or not. A file that nothing was written to is
    /// left alone, unless an older one has expired.
    fn look_at_ages(&mut self) -> Result<(), Abandoned> {
        let now = self.clock.monotonic();
        if now < self.ages_due {
            return Ok(());
        }
        self.ages_due = now.saturating_add(IDLE_INTERVAL);
        let is_due = self.is_old(self.clock.now()) && self.files.has_lines();
        let has_expired = || {
            let files = files::list(self.files.dir());
            files.is_ok_and(|(files, _)| self.retention.has_expired(&files, &self.files))
        };
        if is_due || self.is_ahead() || has_expired() {
            self.rotate()?;
        }
        Ok(())
    }

    /// Whether the current file was begun while the clock was ahead: it would not become old before real time gets
    /// there.
    fn is_ahead(&self) -> bool {
        self.files.current.begun > self.clock.now().timestamp_millis()
    }

    fn is_old(&self, now: Timestamp) -> bool {
        let age = now.timestamp_millis() - self.files.current.begun;
        u128::try_from(age).is_ok_and(|age| age >= self.rotate_after.as_millis())
    }

    fn needs_rotation(&self, entry: &LogEntry) -> bool {
        let written = self.files.length + self.files.pending.len() as u64;
        written >= self.rotate_bytes || self.is_old(entry.at)
    }

    fn retry_until_stopped<T>(
        &mut self,
        work: impl Fn(&mut Self) -> io::Result<T>,
    ) -> Result<T, Abandoned> {
        let mut last_tries = 0;
        loop {
            match work(self) {
                Ok(done) => {
                    if self.status.lock().last_error.take().is_some() {
                        tracing::info!("the decision log can be written again");
                    }
                    return Ok(done);
                }
                Err(error) => {
                    let text = error.to_string();
                    metrics::counter!("charter_decision_log_errors_total").increment(1);
                    let before = self.status.lock().last_error.replace(text);
                    if before.is_none() {
                        tracing::error!(%error, "cannot write the decision log; retrying");
                    }
                    last_tries += usize::from(self.queue.pause(RETRY_INTERVAL));
                    if last_tries > MAX_FINAL_TRIES {
                        return Err(Abandoned);
                    }
                }
            }
        }
    }
}
