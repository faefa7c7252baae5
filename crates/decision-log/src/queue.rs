//! The bounded queue between requests and the writer.
//!
//! Pushing costs a lock and an append. The writer is woken by the first entry and then waits a
//! moment for more, because waking it for each entry would cost more than writing it.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use parking_lot::{Condvar, Mutex};

use super::id_generator::IdGenerator;
use super::log_entry::LogEntry;
use charter_domain::id::DecisionId;
use charter_domain::timestamp::Timestamp;

/// What entries may hold beyond that of their kind: whoever asks a domain of one's own says how much it is.
const MAX_BYTES: usize = 64 * 1024 * 1024;
/// How long the writer waits for more entries.
const GATHER_TIME: Duration = Duration::from_millis(50);

pub(super) struct Queue {
    inner: Mutex<QueueState>,
    /// Signals work to the writer.
    work: Condvar,
    /// Signals progress of the writer.
    done: Condvar,
    /// Number of entries, readable without the lock.
    depth: AtomicUsize,
    /// What they hold, likewise.
    bytes: AtomicUsize,
    capacity: usize,
}

struct QueueState {
    entries: Vec<LogEntry>,
    ids: IdGenerator,
    lost: Option<LostDecisions>,
    /// Handed to the writer, which has not recorded them yet.
    being_recorded: Option<LostDecisions>,
    /// When the first of the entries was decided that the writer has and has not written yet.
    unwritten_since: Option<Timestamp>,
    /// When the last entry was decided.
    last_at: Option<Timestamp>,
    pushed: u64,
    written: u64,
    /// Whether the writer waits for a first entry.
    is_idle: bool,
    /// Whether to write at once.
    flush: bool,
    phase: WriterPhase,
}

/// State of the writer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum WriterPhase {
    Running,
    /// It writes what is queued and ends.
    Stopping,
    Ended,
}

/// Decisions that were dropped because the queue was full.
#[derive(Debug, Clone, Copy)]
pub(super) struct LostDecisions {
    pub(super) count: u64,
    pub(super) since: Timestamp,
    pub(super) until: Timestamp,
}

impl LostDecisions {
    fn and(self, other: Self) -> Self {
        Self {
            count: self.count.saturating_add(other.count),
            since: self.since.min(other.since),
            until: self.until.max(other.until),
        }
    }
}

/// What a writer leaves when it ends.
#[derive(Debug, Clone, Copy)]
pub(super) struct Unwritten {
    /// Entries that may not be in a file.
    pub(super) entries: u64,
    /// Dropped decisions that no line records.
    pub(super) unrecorded: u64,
    /// All of them, and those that the writer was about to record.
    pub(super) lost: Option<LostDecisions>,
}

/// The queue is full, or the writer has ended.
#[derive(Debug)]
pub(super) struct QueueFull;

/// What the writer does next.
pub(super) struct WriterTask {
    pub(super) lost: Option<LostDecisions>,
    pub(super) stop: bool,
}

impl QueueState {
    fn may_wait(&self) -> bool {
        self.phase == WriterPhase::Running && !self.flush
    }
}

impl Queue {
    /// `lost` are decisions of an earlier run that no line records.
    pub(super) fn new(capacity: usize, ids: IdGenerator, lost: Option<LostDecisions>) -> Self {
        Self {
            inner: Mutex::new(QueueState {
                entries: Vec::new(),
                ids,
                lost,
                being_recorded: None,
                unwritten_since: None,
                last_at: None,
                pushed: 0,
                written: 0,
                is_idle: false,
                flush: false,
                phase: WriterPhase::Running,
            }),
            work: Condvar::new(),
            done: Condvar::new(),
            depth: AtomicUsize::new(0),
            bytes: AtomicUsize::new(0),
            capacity,
        }
    }

    /// Generates an id and appends the entry, which holds so many bytes beyond that of its kind; returns the id in any
    /// case. Entries that hold none are not refused for those that do.
    pub(super) fn push(
        &self,
        at: Timestamp,
        bytes: usize,
        entry: impl FnOnce(DecisionId) -> LogEntry,
    ) -> (DecisionId, Result<(), QueueFull>) {
        let mut inner = self.inner.lock();
        let id = inner.ids.next(at);
        // A stopping writer may have taken its last entries.
        let is_heavy = bytes > 0 && self.is_heavy(MAX_BYTES);
        let is_full = inner.entries.len() >= self.capacity || is_heavy;
        if is_full || inner.phase != WriterPhase::Running {
            return (id, Err(QueueFull));
        }
        let entry = entry(id);
        let before = self.bytes.fetch_add(bytes, Ordering::Relaxed);
        let is_half = before < MAX_BYTES / 2 && self.is_heavy(MAX_BYTES / 2);
        inner.entries.push(entry);
        inner.pushed += 1;
        inner.last_at = Some(at);
        let depth = inner.entries.len();
        self.depth.store(depth, Ordering::Relaxed);
        let wake = inner.is_idle || depth == self.capacity / 2 || is_half;
        inner.is_idle = false;
        drop(inner);
        if wake {
            self.work.notify_one();
        }
        (id, Ok(()))
    }

    /// An id for a decision that is not logged.
    pub(super) fn next_id(&self, at: Timestamp) -> DecisionId {
        self.inner.lock().ids.next(at)
    }

    /// Counts a dropped decision. Returns false if no line will record it, because the writer has
    /// ended.
    pub(super) fn count_lost(&self, at: Timestamp) -> bool {
        let mut inner = self.inner.lock();
        let lost = inner.lost.get_or_insert(LostDecisions {
            count: 0,
            since: at,
            until: at,
        });
        lost.count += 1;
        lost.until = at;
        inner.phase != WriterPhase::Ended
    }

    /// Whether less than three quarters of the capacity are used.
    pub(super) fn has_room(&self) -> bool {
        self.depth.load(Ordering::Relaxed) < self.capacity - self.capacity / 4
    }

    /// The same for an entry that holds bytes.
    pub(super) fn has_room_for_bytes(&self) -> bool {
        self.has_room() && !self.is_heavy(MAX_BYTES - MAX_BYTES / 4)
    }

    pub(super) fn is_full(&self) -> bool {
        self.depth.load(Ordering::Relaxed) >= self.capacity
    }

    fn is_heavy(&self, bytes: usize) -> bool {
        self.bytes.load(Ordering::Relaxed) >= bytes
    }

    /// For the writer: waits up to `wait` for entries, then gathers more for at most as long, and moves
    /// all of them into the empty `batch`.
    pub(super) fn take(&self, batch: &mut Vec<LogEntry>, wait: Duration) -> WriterTask {
        let mut inner = self.inner.lock();
        if inner.entries.is_empty() && inner.may_wait() && inner.lost.is_none() {
            inner.is_idle = true;
            self.work.wait_for(&mut inner, wait);
            inner.is_idle = false;
        }
        let may_gather = !inner.entries.is_empty()
            && inner.entries.len() < self.capacity / 2
            && !self.is_heavy(MAX_BYTES / 2);
        if may_gather && inner.may_wait() {
            self.work.wait_for(&mut inner, GATHER_TIME.min(wait));
        }
        inner.flush = false;
        std::mem::swap(&mut inner.entries, batch);
        if inner.unwritten_since.is_none() {
            inner.unwritten_since = batch.first().map(|entry| entry.at);
        }
        inner.being_recorded = inner.lost;
        self.depth.store(0, Ordering::Relaxed);
        self.bytes.store(0, Ordering::Relaxed);
        WriterTask {
            lost: inner.lost.take(),
            stop: inner.phase != WriterPhase::Running,
        }
    }

    /// For the writer: this many entries are in the file now.
    pub(super) fn mark_written(&self, entries: usize) {
        let mut inner = self.inner.lock();
        inner.written += entries as u64;
        if inner.written + inner.entries.len() as u64 == inner.pushed {
            inner.unwritten_since = None;
        }
        drop(inner);
        self.done.notify_all();
    }

    /// For the writer: the lost decisions of its task are in the file now.
    pub(super) fn mark_recorded(&self) {
        self.inner.lock().being_recorded = None;
    }

    /// For the writer after an error: waits a moment. Returns true if it should stop.
    pub(super) fn pause(&self, pause: Duration) -> bool {
        let mut inner = self.inner.lock();
        if inner.phase == WriterPhase::Running {
            self.work.wait_for(&mut inner, pause);
        } else {
            // `work` is signalled once on stop; wait without it for the remaining tries.
            self.done.wait_for(&mut inner, pause);
        }
        inner.phase != WriterPhase::Running
    }

    /// For the writer: rejects entries from now on.
    pub(super) fn end(&self) -> Unwritten {
        let mut inner = self.inner.lock();
        inner.phase = WriterPhase::Ended;
        let first = inner.entries.first().map(|entry| entry.at);
        inner.entries.clear();
        let entries = inner.pushed - inner.written;
        let unwritten = inner.last_at.filter(|_| entries > 0);
        let unwritten = unwritten.map(|until| LostDecisions {
            count: entries,
            since: inner.unwritten_since.or(first).unwrap_or(until),
            until,
        });
        let all = [inner.lost, inner.being_recorded, unwritten];
        // Report a full queue to readers of `depth`.
        self.depth.store(self.capacity, Ordering::Relaxed);
        let unwritten = Unwritten {
            entries,
            unrecorded: inner.lost.map_or(0, |lost| lost.count),
            lost: all.into_iter().flatten().reduce(LostDecisions::and),
        };
        drop(inner);
        self.done.notify_all();
        unwritten
    }

    /// Waits until all entries pushed so far are written. Returns false on timeout.
    pub(super) fn flush(&self, timeout: Duration) -> bool {
        let mut inner = self.inner.lock();
        let wanted = inner.pushed;
        let mut rounds = 0;
        while inner.written < wanted && inner.phase != WriterPhase::Ended {
            inner.flush = true;
            self.work.notify_one();
            let timed_out = self.done.wait_for(&mut inner, timeout / 8).timed_out();
            rounds += u32::from(timed_out);
            if rounds == 8 {
                return false;
            }
        }
        inner.written >= wanted
    }

    /// Tells the writer to write what is queued and end.
    pub(super) fn stop(&self) {
        let mut inner = self.inner.lock();
        if inner.phase == WriterPhase::Running {
            inner.phase = WriterPhase::Stopping;
        }
        drop(inner);
        self.work.notify_all();
    }
}
