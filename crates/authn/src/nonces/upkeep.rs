//! The opening and dropping of buckets, and the way out. All of it waits on the disk, holds the
//! ledger, and stays off the requests' path.

use std::io;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use super::bucket::Bucket;
use super::claim_error::ClaimError;
use super::directory::Directory;
use super::half_minute::HalfMinute;
use super::half_minutes::HalfMinutes;
use super::journal::{ReadError, Record};
use super::memory::{Ledger, Memory};
use super::set::{Insertion, NonceSet};
use super::shared_writes::SharedWrites;
use super::state::State;
use super::status::Status;
use super::telemetry;
use charter_domain::timestamp::Timestamp;

/// How far the wall clock may fall behind the monotonic one before it counts as set back.
const TOLERATED_STEP_MILLISECONDS: i64 = 1_000;

impl Memory {
    /// Whether a claim would find that bucket.
    pub(super) fn is_open(&self, id: HalfMinute) -> bool {
        self.buckets.contains_key(&id)
    }

    /// Opens a bucket, so that a claim finds it. Waits on the disk.
    pub(super) fn open_bucket(&self, id: HalfMinute) -> Result<(), ClaimError> {
        let opened = self.open_in(&mut self.ledger.lock(), id);
        if let Err(refusal) = &opened {
            self.telemetry.refused(refusal);
        }
        opened
    }

    pub(super) fn open_in(&self, ledger: &mut Ledger, id: HalfMinute) -> Result<(), ClaimError> {
        if ledger.stopped {
            let stopped = io::Error::other("the replay guard has stopped");
            return Err(ClaimError::Unavailable(stopped));
        }
        // Asked again, for the bucket may have been dropped since: only this knows of it.
        if self.is_forgotten(id) {
            return Err(ClaimError::Forgotten);
        }
        if id.is_over(self.window, self.clock.now()) {
            return Err(ClaimError::OutsideWindow);
        }
        if self.is_open(id) || self.closed.read().contains(id) {
            return Ok(());
        }
        let granted = self.granted.read();
        if granted
            .as_ref()
            .is_some_and(|granted| !granted.contains(id))
        {
            return Err(ClaimError::NotGranted);
        }
        drop(granted);
        let remaining = id.remaining(self.window, self.clock.now());
        let bucket = self
            .read(&ledger.directory, id, remaining)
            .map_err(|error| self.unavailable(io::Error::other(error)))?;
        // Before the first claim: a journal that vanishes then is missed by the next start.
        let mut state = ledger.state.clone();
        state.journals.insert(id, bucket.journal.records());
        let counted = self.count(&bucket);
        counted
            .and_then(|()| self.save(ledger, state))
            .map_err(|error| {
                self.quota.forget(id, bucket.set.len());
                self.unavailable(error)
            })?;
        self.keep(bucket);
        self.recovered();
        Ok(())
    }

    /// Reads a bucket with whatever its journal holds, to be kept for that long at least.
    pub(super) fn read(
        &self,
        directory: &Directory,
        id: HalfMinute,
        keep_for: Duration,
    ) -> Result<Bucket, ReadError> {
        let set = NonceSet::new(Arc::clone(&self.nonces), id);
        let restore = |record: Record| {
            if set.insert(record.fingerprint) == Insertion::New {
                self.quota.restore(record.key, id);
            }
        };
        let journal = directory
            .open_journal(id, &self.fingerprints, restore)
            .inspect_err(|_| self.quota.forget(id, set.len()))?;
        Ok(Bucket {
            id,
            set,
            journal,
            writes: SharedWrites::default(),
            expires: self.clock.monotonic().saturating_add(keep_for),
        })
    }

    /// Notes what a bucket's journal holds. Not before that is known to be all: the old count is gone then.
    pub(super) fn count(&self, bucket: &Bucket) -> io::Result<()> {
        let tally = self.tally.read();
        tally.note(bucket.id, bucket.journal.records(), &self.fingerprints)
    }

    /// Lets claims find a bucket.
    pub(super) fn keep(&self, bucket: Bucket) {
        self.buckets.insert(bucket.id, Arc::new(bucket));
    }

    /// Drops what is over and opens what comes next: the half minute of now and the one after it,
    /// which are marked half a minute before they are needed. No more, for each mark is a half
    /// minute that stays closed should the machine go down.
    pub(super) fn maintain(&self) {
        let mut ledger = self.ledger.lock();
        if ledger.stopped {
            return;
        }
        let now = self.clock.now();
        let monotonic = self.clock.monotonic();
        self.watch_clock(&mut ledger, now, monotonic);
        if let Err(error) = self.drop_over(&mut ledger, now, monotonic) {
            self.failed(&error);
        }
        let current = HalfMinute::of(now);
        for id in [current, current.next()] {
            // A failure is recorded by then; what is forgotten or not granted is not opened.
            let _refused = self.open_in(&mut ledger, id);
        }
        if let Err(error) = self.look_after_files(&mut ledger) {
            self.failed(&error);
        }
        drop(ledger);
        self.alarmed.store(false, Ordering::Relaxed);
        self.telemetry.report(&self.status());
    }

    fn watch_clock(&self, ledger: &mut Ledger, now: Timestamp, monotonic: Duration) {
        let (last, last_monotonic) = std::mem::replace(&mut ledger.seen, (now, monotonic));
        let elapsed = monotonic.saturating_sub(last_monotonic).as_millis();
        let behind = i64::try_from(elapsed)
            .unwrap_or(i64::MAX)
            .saturating_sub(now.signed_duration_since(last).num_milliseconds());
        if behind > TOLERATED_STEP_MILLISECONDS {
            tracing::error!(milliseconds = behind, "the clock was set back");
            self.telemetry.clock_stepped_back.increment(1);
        }
    }

    /// Drops the buckets that both clocks call over. One clock alone is not asked: a wall clock
    /// that jumps ahead and back would have the present forgotten.
    fn drop_over(
        &self,
        ledger: &mut Ledger,
        now: Timestamp,
        monotonic: Duration,
    ) -> io::Result<()> {
        let mut over: Vec<_> = self.buckets.iter().map(|(_, bucket)| bucket).collect();
        over.retain(|bucket| bucket.id.is_over(self.window, now) && bucket.expires <= monotonic);
        let mut forgotten = Vec::new();
        for bucket in &over {
            let sealed = bucket.set.seal();
            self.quota.forget(bucket.id, sealed);
            // Where nothing was remembered nothing is forgotten.
            if bucket.set.len() > 0 {
                forgotten.push(bucket.id);
            }
        }
        let mut closed = self.closed.read().clone();
        let no_more_closed = closed.take_over(self.window, now);
        self.forget(&forgotten.into_iter().collect());
        if !no_more_closed.is_empty() {
            self.forget(&no_more_closed);
            *self.closed.write() = closed;
        }
        let gone: Vec<_> = over.iter().map(|bucket| bucket.id).collect();
        // It must be on disk that they are forgotten before the nonces are gone from there.
        self.write_state(ledger, &gone)?;
        if !no_more_closed.is_empty() {
            for id in ledger.directory.marked()? {
                if no_more_closed.contains(id) && !self.is_open(id) {
                    self.remove_journal(ledger, id);
                }
            }
        }
        for bucket in over {
            // What stays is sealed and empty, and tried again.
            if self.remove_journal(ledger, bucket.id) {
                self.buckets.invalidate(&bucket.id);
            }
        }
        // A dropped bucket still holds its file until the cache lets go of it.
        self.buckets.run_pending_tasks();
        Ok(())
    }

    /// Removes an old journal. A failure refuses nobody: it costs room on the disk, no more.
    pub(super) fn remove_journal(&self, ledger: &Ledger, id: HalfMinute) -> bool {
        let removed = ledger.directory.remove_journal(id);
        if let Err(error) = &removed {
            tracing::warn!(half_minute = id.0, %error, "an old replay journal cannot be removed");
        }
        removed.is_ok()
    }

    /// Refuses those half minutes from now on.
    pub(super) fn forget(&self, ids: &HalfMinutes) {
        let mut forgotten = self.forgotten.write();
        forgotten.add(ids);
        forgotten.coalesce();
        let newest = forgotten.newest().map_or(i64::MIN, |newest| newest.0);
        self.newest_forgotten.store(newest, Ordering::Release);
    }

    /// Counts one more sign of life, and notes it durably; the count.
    pub(super) fn note_beat(&self) -> io::Result<i64> {
        let mut ledger = self.ledger.lock();
        if ledger.stopped {
            return Err(io::Error::other("the replay guard has stopped"));
        }
        let state = State {
            beat: ledger.state.beat.saturating_add(1),
            ..ledger.state.clone()
        };
        self.save(&mut ledger, state)?;
        Ok(ledger.state.beat)
    }

    /// Writes what is forgotten and closed, and no more the journals that are `gone`, if that has
    /// changed.
    fn write_state(&self, ledger: &mut Ledger, gone: &[HalfMinute]) -> io::Result<()> {
        let mut state = State {
            forgotten: self.forgotten.read().clone(),
            closed: self.closed.read().clone(),
            ..ledger.state.clone()
        };
        for id in ledger.unread.keys() {
            state.closed.remove(*id);
        }
        let forgotten = &state.forgotten;
        let is_gone = |id: &HalfMinute| gone.contains(id) || forgotten.contains(*id);
        state.journals.retain(|id, _| !is_gone(id));
        if state == ledger.state {
            return Ok(());
        }
        self.save(ledger, state)
    }

    /// Writes a state, with what the journals hold now.
    pub(super) fn save(&self, ledger: &mut Ledger, mut state: State) -> io::Result<()> {
        for (id, records) in &mut state.journals {
            if let Some(bucket) = self.buckets.get(id) {
                *records = bucket.journal.records();
            }
        }
        state.tally = Some(self.tally.read().id().clone());
        ledger.directory.write_state(&state)?;
        ledger.state = state;
        Ok(())
    }

    /// Misses the files that were moved, removed or cut while the service runs. State and tally
    /// are written anew. A journal is not: what it held is remembered until its time is over, or until
    /// the service ends; the next start closes it.
    fn look_after_files(&self, ledger: &mut Ledger) -> io::Result<()> {
        let mut lost = Vec::new();
        for id in ledger.state.journals.keys() {
            if let Some(bucket) = self.buckets.get(id)
                && !ledger.directory.has_journal(*id, &bucket.journal)?
            {
                lost.push(*id);
            }
        }
        let lost: HalfMinutes = lost.into_iter().collect();
        let known = std::mem::replace(&mut *self.lost.write(), lost.clone());
        if !lost.is_empty() && lost != known {
            telemetry::file_missed();
            tracing::error!(
                "files of the replay journal were moved, removed or cut while the service runs: \
                 their nonces are remembered in memory alone, and refused after a restart"
            );
        }
        // Where the directory is another one nothing can be put back.
        if !ledger.directory.is_in_place()? {
            return Ok(());
        }
        let has_tally = ledger.directory.has_tally(&self.tally.read())?;
        if has_tally && ledger.directory.has_state()? {
            return Ok(());
        }
        telemetry::file_missed();
        tracing::error!(
            "the replay journal's state or tally was moved or removed while the service runs, it is written anew"
        );
        if !has_tally {
            self.count_anew(ledger)?;
        }
        let state = ledger.state.clone();
        self.save(ledger, state)
    }

    /// Puts another tally into its place.
    fn count_anew(&self, ledger: &Ledger) -> io::Result<()> {
        // Nobody appends meanwhile.
        let mut tally = self.tally.write();
        let new = ledger.directory.new_tally()?;
        for id in ledger.state.journals.keys() {
            if let Some(bucket) = self.buckets.get(id) {
                new.note(*id, bucket.journal.records(), &self.fingerprints)?;
            }
        }
        *tally = new;
        Ok(())
    }

    /// Syncs everything, refuses everything from then on, and leaves the clean-stop mark.
    pub(super) fn clean_stop(&self) -> io::Result<()> {
        let mut ledger = self.ledger.lock();
        ledger.stopped = true;
        let mut synced = Ok(());
        for (_, bucket) in &self.buckets {
            // All must stop, even if one cannot be synced.
            synced = synced.and(bucket.journal.stop());
        }
        synced?;
        self.write_state(&mut ledger, &[])?;
        let state = State {
            clean_stop: true,
            ..ledger.state.clone()
        };
        self.save(&mut ledger, state)
    }

    pub(super) fn status(&self) -> Status {
        let now = self.clock.now();
        let mut refused = self.closed.read().clone();
        refused.add(&self.forgotten.read());
        let current = HalfMinute::of(now);
        let open = refused.next_outside(current);
        let closed = self.closed.read().contains(current);
        let until = |open: HalfMinute| Timestamp::from_timestamp(open.start(), 0);
        let ahead = self.forgotten.read().since(open).next();
        let mut status = Status {
            remembered: self.quota.remembered(),
            total: self.quota.bounds().total,
            bytes: self.nonces.bytes(),
            buckets: 0,
            closed_until: (open > current).then(|| until(open)).flatten(),
            clock_was_set_back: open > current && !closed,
            forgotten_ahead: ahead
                .and_then(|(first, last)| Some((until(first)?, until(last.next())?))),
            near: self.quota.near(),
            last_error: self.last_error.lock().clone(),
            lost_until: self.lost.read().newest().and_then(|id| until(id.next())),
            not_held: None,
        };
        for _ in &self.buckets {
            status.buckets = status.buckets.saturating_add(1);
        }
        status
    }
}
