//! The bounded queue between requests and the writer.
//!
//! Handing over costs a lock and a push: the writer is woken for the first entry only, then
//! gathers for a moment, because waking it for each would cost more than writing the line.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use parking_lot::{Condvar, Mutex};

use super::entry::Entry;
use super::ids::Ids;
use charter_domain::id::DecisionId;
use charter_domain::timestamp::Timestamp;

/// How long entries are gathered before they are written.
const GATHER: Duration = Duration::from_millis(50);

pub(super) struct Queue {
    inner: Mutex<Inner>,
    /// Something is to be done.
    work: Condvar,
    /// Something was written.
    done: Condvar,
    /// Entries in the queue, for who only wants to know.
    depth: AtomicUsize,
    capacity: usize,
}

struct Inner {
    entries: Vec<Entry>,
    ids: Ids,
    lost: Option<Lost>,
    pushed: u64,
    written: u64,
    /// The writer waits for a first entry.
    is_idle: bool,
    /// Write at once.
    flush: bool,
    phase: Phase,
}

/// How far the writer is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Phase {
    Running,
    /// It is to write what is there and end.
    Stopping,
    Ended,
}

/// Decisions that were dropped because the queue was full.
#[derive(Debug, Clone, Copy)]
pub(super) struct Lost {
    pub(super) count: u64,
    pub(super) since: Timestamp,
    pub(super) until: Timestamp,
}

/// What a writer leaves behind.
#[derive(Debug, Clone, Copy)]
pub(super) struct Unwritten {
    /// Entries that are not known to stand in a file.
    pub(super) entries: u64,
    /// Dropped decisions that no line tells of.
    pub(super) untold: u64,
}

/// The queue is full, or nobody takes from it any more.
#[derive(Debug)]
pub(super) struct Full;

/// What the writer is to do now.
pub(super) struct Work {
    pub(super) lost: Option<Lost>,
    pub(super) stop: bool,
}

impl Inner {
    fn may_wait(&self) -> bool {
        self.phase == Phase::Running && !self.flush
    }
}

impl Queue {
    pub(super) fn new(capacity: usize, ids: Ids) -> Self {
        Self {
            inner: Mutex::new(Inner {
                entries: Vec::new(),
                ids,
                lost: None,
                pushed: 0,
                written: 0,
                is_idle: false,
                flush: false,
                phase: Phase::Running,
            }),
            work: Condvar::new(),
            done: Condvar::new(),
            depth: AtomicUsize::new(0),
            capacity,
        }
    }

    /// Makes an id and appends the entry; gives the id back with [`Full`] where that failed.
    pub(super) fn push(
        &self,
        at: Timestamp,
        entry: impl FnOnce(DecisionId) -> Entry,
    ) -> (DecisionId, Result<(), Full>) {
        let mut inner = self.inner.lock();
        let id = inner.ids.next(at);
        // Once it is to end, the writer may have taken its last entries.
        if inner.entries.len() >= self.capacity || inner.phase != Phase::Running {
            return (id, Err(Full));
        }
        inner.entries.push(entry(id));
        inner.pushed += 1;
        let depth = inner.entries.len();
        self.depth.store(depth, Ordering::Relaxed);
        let wake = inner.is_idle || depth == self.capacity / 2;
        inner.is_idle = false;
        drop(inner);
        if wake {
            self.work.notify_one();
        }
        (id, Ok(()))
    }

    /// An id for a decision that is not written.
    pub(super) fn next_id(&self, at: Timestamp) -> DecisionId {
        self.inner.lock().ids.next(at)
    }

    /// Counts a decision that was dropped. False if no line will say so, because the writer ended.
    pub(super) fn lose(&self, at: Timestamp) -> bool {
        let mut inner = self.inner.lock();
        let lost = inner.lost.get_or_insert(Lost {
            count: 0,
            since: at,
            until: at,
        });
        lost.count += 1;
        lost.until = at;
        inner.phase != Phase::Ended
    }

    /// Whether there is room to spare.
    pub(super) fn has_room(&self) -> bool {
        self.depth.load(Ordering::Relaxed) < self.capacity - self.capacity / 4
    }

    pub(super) fn is_full(&self) -> bool {
        self.depth.load(Ordering::Relaxed) >= self.capacity
    }

    /// For the writer: waits so long for entries, then gathers more, no longer than that either, and
    /// takes them all, into `batch`, which is empty.
    pub(super) fn take(&self, batch: &mut Vec<Entry>, wait: Duration) -> Work {
        let mut inner = self.inner.lock();
        if inner.entries.is_empty() && inner.may_wait() && inner.lost.is_none() {
            inner.is_idle = true;
            self.work.wait_for(&mut inner, wait);
            inner.is_idle = false;
        }
        let may_gather = !inner.entries.is_empty() && inner.entries.len() < self.capacity / 2;
        if may_gather && inner.may_wait() {
            self.work.wait_for(&mut inner, GATHER.min(wait));
        }
        inner.flush = false;
        std::mem::swap(&mut inner.entries, batch);
        self.depth.store(0, Ordering::Relaxed);
        Work {
            lost: inner.lost.take(),
            stop: inner.phase != Phase::Running,
        }
    }

    /// For the writer: that many entries stand in the file now.
    pub(super) fn wrote(&self, entries: usize) {
        self.inner.lock().written += entries as u64;
        self.done.notify_all();
    }

    /// For the writer, where it cannot write: waits a moment. True if it is to stop.
    pub(super) fn pause(&self, pause: Duration) -> bool {
        let mut inner = self.inner.lock();
        if inner.phase == Phase::Running {
            self.work.wait_for(&mut inner, pause);
        } else {
            // Nobody wakes it any more, and it is to try again all the same.
            self.done.wait_for(&mut inner, pause);
        }
        inner.phase != Phase::Running
    }

    /// For the writer: nobody takes entries any more.
    pub(super) fn end(&self) -> Unwritten {
        let mut inner = self.inner.lock();
        inner.phase = Phase::Ended;
        inner.entries.clear();
        // There is no room any more, for who only looks at that.
        self.depth.store(self.capacity, Ordering::Relaxed);
        let unwritten = Unwritten {
            entries: inner.pushed - inner.written,
            untold: inner.lost.map_or(0, |lost| lost.count),
        };
        drop(inner);
        self.done.notify_all();
        unwritten
    }

    /// Waits until everything that was handed over before is written. False if that took too long.
    pub(super) fn flush(&self, patience: Duration) -> bool {
        let mut inner = self.inner.lock();
        let wanted = inner.pushed;
        let mut rounds = 0;
        while inner.written < wanted && inner.phase != Phase::Ended {
            inner.flush = true;
            self.work.notify_one();
            let timed_out = self.done.wait_for(&mut inner, patience / 8).timed_out();
            rounds += u32::from(timed_out);
            if rounds == 8 {
                return false;
            }
        }
        inner.written >= wanted
    }

    /// Tells the writer to write what is there and end.
    pub(super) fn stop(&self) {
        let mut inner = self.inner.lock();
        if inner.phase == Phase::Running {
            inner.phase = Phase::Stopping;
        }
        drop(inner);
        self.work.notify_all();
    }
}
