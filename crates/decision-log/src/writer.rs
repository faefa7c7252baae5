//! The thread that writes: takes what has gathered, writes it with one call, begins a new file
//! when it is time, and holds on to what it cannot write until it can.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;

use super::body::FileBody;
use super::chain;
use super::counts::Counts;
use super::entry::Entry;
use super::files;
use super::find::Indexes;
use super::head::Head;
use super::index::Index;
use super::line::Renderer;
use super::log_file::LogFile;
use super::placed::{Files, Syncer};
use super::queue::{Lost, Queue, Unwritten, Work};
use super::retention::{Retention, prune};
use super::sampling::{Rest, Sampled, Sampler};
use super::shadow::Shadow;
use super::status::WriterStatus;
use super::via::Via;
use charter_authz::json::JsonError;
use charter_budgets::{Budgets, Resource};
use charter_domain::clock::Clock;

/// Between tries to write.
const RETRY: Duration = Duration::from_millis(200);
/// How often it looks after the files while nothing is to be written.
const IDLE: Duration = Duration::from_mins(1);
/// How often a stopping writer tries.
const LAST_TRIES: usize = 5;
/// Written at once: what is rendered of a large batch is not all held in memory.
const CHUNK: usize = 256 * 1024;

pub(super) struct Writer {
    pub(super) queue: Arc<Queue>,
    pub(super) status: Arc<Mutex<WriterStatus>>,
    pub(super) clock: Arc<dyn Clock>,
    /// Bytes in a file, beyond which another is begun.
    pub(super) rotate_bytes: u64,
    /// Age of a file at which another is begun.
    pub(super) rotate_after: Duration,
    pub(super) retention: Retention,
    pub(super) renderer: Renderer,
    pub(super) files: Files,
    pub(super) shadow: Arc<Shadow>,
    pub(super) counts: Counts,
    pub(super) sampler: Sampler,
    pub(super) budgets: Arc<Budgets>,
    pub(super) indexes: Arc<Indexes>,
    pub(super) syncer: Syncer,
    /// Entries that were rendered, or told of in a gap, since the last flush.
    pub(super) taken: usize,
}

/// Whatever ends the writer, a panic among it: nobody is left to believe that it still writes.
struct Ending {
    queue: Arc<Queue>,
    status: Arc<Mutex<WriterStatus>>,
    /// It stops because it was told to, and has written everything.
    is_orderly: bool,
}

impl Drop for Ending {
    fn drop(&mut self) {
        // Who sees that it has ended sees why.
        let mut status = self.status.lock();
        let Unwritten { entries, untold } = self.queue.end();
        if !self.is_orderly {
            let before = status.last_error.take();
            let why = before.map_or_else(String::new, |before| format!(" ({before})"));
            let text = format!("its writer has ended{why}: the service must be started again");
            status.last_error = Some(text);
        }
        status.lost += entries + untold;
        drop(status);
        // What was dropped because the queue was full was counted then.
        metrics::counter!("charter_decision_log_lost_total").increment(entries);
        if !self.is_orderly || entries + untold > 0 {
            tracing::error!(
                decisions = entries + untold,
                "the decision log has ended without its last lines; so many decisions are missing, or were only written in part"
            );
        }
    }
}

/// The writer was told to stop and cannot write.
struct GaveUp;

impl Writer {
    /// Runs until it is told to stop.
    pub(super) fn run(mut self) {
        let mut ending = Ending {
            queue: Arc::clone(&self.queue),
            status: Arc::clone(&self.status),
            is_orderly: false,
        };
        let mut batch = Vec::new();
        loop {
            let unsynced = self.syncer.due_in(self.clock.monotonic());
            let untold = self.sampler.is_waiting().then_some(self.syncer.within);
            let wait = unsynced.into_iter().chain(untold).min().unwrap_or(IDLE);
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

    fn write(&mut self, batch: &mut Vec<Entry>, work: &Work, is_last: bool) -> Result<(), GaveUp> {
        self.look_after_the_file()?;
        if let Some(lost) = work.lost {
            self.lost(lost);
        }
        let mut unwritable: usize = 0;
        for entry in batch.drain(..) {
            if self.is_time_for_a_new_file(&entry) {
                self.flush()?;
                self.rotate()?;
            }
            let decision = &entry.decision;
            self.counts.decision(decision.permission, decision.outcome);
            match self.render(&entry) {
                Ok(()) => self.taken += 1,
                Err(error) => {
                    let error = error.to_string();
                    let error = self.renderer.fault(&error);
                    tracing::error!(decision = %entry.id, %error, "a decision cannot be written down");
                    unwritable += 1;
                }
            }
            if self.files.pending.len() >= CHUNK {
                self.flush()?;
            }
        }
        if unwritable > 0 {
            metrics::counter!("charter_decision_log_lost_total").increment(unwritable as u64);
            let now = self.clock.now();
            let lost = Lost {
                count: unwritable as u64,
                since: now,
                until: now,
            };
            self.lost(lost);
            self.taken += unwritable;
        }
        let rests = if is_last {
            self.sampler.all()
        } else {
            self.sampler.due(self.clock.now())
        };
        self.tell_rests(rests);
        self.flush()
    }

    /// Writes a decision down, or counts it as one of many.
    fn render(&mut self, entry: &Entry) -> Result<(), JsonError> {
        let principal = || self.renderer.principal(entry);
        let other = self.shadow.differs(entry, &mut self.counts, principal);
        let of = entry.principal.json()?;
        let (kind, rest) = match self.sampler.take(entry, of, other.is_some()) {
            Sampled::Counted => {
                self.counts.unwritten();
                return Ok(());
            }
            Sampled::Written { kind, rest } => (kind, rest),
        };
        let pending = &mut self.files.pending;
        let before = pending.len();
        let case = self
            .renderer
            .decision(entry, other.as_ref(), rest, pending)
            .inspect_err(|_| self.sampler.put_back(kind, rest))?;
        if entry.via == Via::Request {
            let organization = entry.principal.caller().organization().id;
            let bytes = (pending.len() - before) as u64;
            self.budgets
                .spend(Resource::DecisionLogBytes, organization, bytes);
        }
        if let Some(kind) = kind {
            self.sampler.is_case(kind, case);
        }
        Ok(())
    }

    fn tell_rests(&mut self, rests: Vec<Rest>) {
        for rest in rests {
            self.renderer.rest(rest, &mut self.files.pending);
        }
    }

    /// Begins another file if the one that is written is gone from its place.
    fn look_after_the_file(&mut self) -> Result<(), GaveUp> {
        let is_in_place = self.retry_until_stopped(|writer| writer.files.is_in_place())?;
        let head_moved = self.retry_until_stopped(|writer| writer.files.head.return_to_place())?;
        if head_moved {
            self.miss("the head of the decision log");
        }
        if is_in_place {
            return Ok(());
        }
        self.miss("the file of the decision log that is written");
        self.retry_until_stopped(|writer| writer.files.return_to_dir())?;
        self.rotate()
    }

    /// Says that a file was moved or removed.
    fn miss(&self, what: &'static str) {
        metrics::counter!("charter_log_files_missed_total", "file" => "decisions").increment(1);
        self.status.lock().missed = Some(self.clock.monotonic());
        tracing::error!(
            file = self.files.current.name(),
            "{what} was moved or removed under the running service: another is begun, and `charter policy verify-log` will miss it"
        );
    }

    /// Says that decisions are missing, here and in the service's log.
    fn lost(&mut self, lost: Lost) {
        self.status.lock().lost += lost.count;
        tracing::error!(
            decisions = lost.count,
            "decisions are missing in the decision log"
        );
        let now = self.clock.now();
        self.renderer.gap(now, lost, &mut self.files.pending);
    }

    /// Writes what is pending, however long that takes.
    fn flush(&mut self) -> Result<(), GaveUp> {
        let head = Head::new(self.files.current.number, self.renderer.position);
        self.retry_until_stopped(|writer| writer.files.write(&head))?;
        let noted = std::mem::take(&mut self.renderer.noted);
        if !noted.is_empty() {
            self.syncer.wrote(self.clock.monotonic());
            self.indexes.grow(|index| {
                for line in noted {
                    index.count(line.made_at, line.defined, line.length);
                }
            });
        }
        // Who waited for the lines finds them counted.
        self.counts.publish();
        self.queue.wrote(std::mem::take(&mut self.taken));
        Ok(())
    }

    /// Begins the next file.
    fn rotate(&mut self) -> Result<(), GaveUp> {
        let rests = self.sampler.all();
        self.tell_rests(rests);
        self.flush()?;
        self.syncer.sync(&self.files);
        let now = self.clock.now();
        let dir = self.files.dir().to_owned();
        let number = self.files.current.number + 1;
        let next = LogFile::new(&dir, number, now.timestamp_millis());
        // What cannot be listed must not be taken for what is not there.
        let (files, _) = self.retry_until_stopped(|_| files::list(&dir))?;
        let oldest = self.retention.oldest_to_keep(&files, number, &self.files);
        let key = self.renderer.chain.id().to_owned();
        let body = FileBody::following(number, oldest, &key);
        let mut line = Vec::new();
        self.renderer.file(now, body, &mut line);
        self.retry_until_stopped(|writer| {
            writer.files.return_to_dir()?;
            writer.files.open = files::begin(&next, &line)?;
            Ok(())
        })?;
        let position = self.renderer.position;
        tracing::info!(
            target: "decisions",
            file = next.name(),
            sequence = position.sequence,
            mac = chain::encode(&position.mac),
            "the decision log goes on in another file"
        );
        self.indexes.begin(&next.path, Index::default());
        self.files.current = next;
        self.files.oldest = oldest;
        self.files.length = line.len() as u64;
        prune(&self.files);
        self.flush()
    }

    fn is_time_for_a_new_file(&self, entry: &Entry) -> bool {
        let written = self.files.length + self.files.pending.len() as u64;
        let age = entry.at.timestamp_millis() - self.files.current.begun;
        let is_old = u128::try_from(age).is_ok_and(|age| age >= self.rotate_after.as_millis());
        written >= self.rotate_bytes || is_old
    }

    fn retry_until_stopped<T>(
        &mut self,
        work: impl Fn(&mut Self) -> io::Result<T>,
    ) -> Result<T, GaveUp> {
        let mut last_tries = 0;
        loop {
            match work(self) {
                Ok(done) => {
                    if self.status.lock().last_error.take().is_some() {
                        tracing::info!("the decision log is written again");
                    }
                    return Ok(done);
                }
                Err(error) => {
                    let text = error.to_string();
                    metrics::counter!("charter_decision_log_errors_total").increment(1);
                    let before = self.status.lock().last_error.replace(text);
                    if before.is_none() {
                        tracing::error!(%error, "the decision log cannot be written, it is tried again");
                    }
                    last_tries += usize::from(self.queue.pause(RETRY));
                    if last_tries > LAST_TRIES {
                        return Err(GaveUp);
                    }
                }
            }
        }
    }
}
