//! Opens and drops buckets, and stops the guard. Blocks on the disk and locks `disk`, so requests never call it.

use std::io;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use super::bucket::Bucket;
use super::claim_error::ClaimError;
use super::directory::Directory;
use super::half_minute::HalfMinute;
use super::half_minutes::HalfMinutes;
use super::in_memory_guard::{ClocksRead, DiskState, InMemoryGuard};
use super::journal::{ReadError, Record};
use super::set::{Insertion, NonceSet};
use super::shared_writes::SharedWrites;
use super::state::State;
use super::status::Status;
use super::telemetry;
use charter_domain::timestamp::Timestamp;

/// How far the wall clock may be behind the monotonic one before it counts as set back.
const TOLERATED_STEP_MILLISECONDS: i64 = 1_000;

impl InMemoryGuard {
    pub(super) fn is_open(&self, id: HalfMinute) -> bool {
        self.buckets.contains_key(&id)
    }

    /// Opens a bucket. Blocks on the disk.
    pub(super) fn open_bucket(&self, id: HalfMinute) -> Result<(), ClaimError> {
        let opened = self.open_in(&mut self.disk.lock(), id);
        if let Err(refusal) = &opened {
            self.telemetry.refused(refusal);
        }
        opened
    }

    pub(super) fn open_in(&self, disk: &mut DiskState, id: HalfMinute) -> Result<(), ClaimError> {
        if disk.stopped {
            let stopped = io::Error::other("the replay guard has stopped");
            return Err(ClaimError::Unavailable(stopped));
        }
        // Checked again: the bucket may have been dropped since the claim.
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
            .read(&disk.directory, id, remaining)
            .map_err(|error| self.unavailable(io::Error::other(error)))?;
        // Before the first claim, so that the next start notices if the journal vanishes.
        let mut state = disk.state.clone();
        state.journals.insert(id, bucket.journal.records());
        let counted = self.count(&bucket);
        counted
            .and_then(|()| self.save(disk, state))
            .map_err(|error| {
                self.quota.forget(id, bucket.set.len());
                self.unavailable(error)
            })?;
        self.keep(bucket);
        self.clear_error();
        Ok(())
    }

    /// Reads a bucket from its journal, to be kept for at least `keep_for`.
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

    /// Records the number of records of a bucket's journal. Call it once they are known to be complete: it replaces the
    /// old count.
    pub(super) fn count(&self, bucket: &Bucket) -> io::Result<()> {
        let counts = self.record_counts.read();
        counts.set(bucket.id, bucket.journal.records(), &self.fingerprints)
    }

    pub(super) fn keep(&self, bucket: Bucket) {
        self.buckets.insert(bucket.id, Arc::new(bucket));
    }

    /// Drops buckets that are over and opens those of the current and the next half minute. No more: after a crash of
    /// the machine every marked half minute stays closed.
    pub(super) fn maintain(&self) {
        let mut disk = self.disk.lock();
        if disk.stopped {
            return;
        }
        let clocks = ClocksRead::of(&*self.clock);
        let now = clocks.now;
        self.watch_clock(&mut disk, clocks);
        if let Err(error) = self.drop_over(&mut disk, clocks) {
            self.failed(&error);
        }
        let current = HalfMinute::of(now);
        for id in [current, current.next()] {
            // A failure is recorded already; dropped and not granted half minutes are not opened.
            let _refused = self.open_in(&mut disk, id);
        }
        if let Err(error) = self.check_files(&mut disk) {
            self.failed(&error);
        }
        drop(disk);
        self.alarmed.store(false, Ordering::Relaxed);
        self.telemetry.report(&self.status());
    }

    fn watch_clock(&self, disk: &mut DiskState, clocks: ClocksRead) {
        let last = std::mem::replace(&mut disk.clocks, clocks);
        let elapsed = clocks.monotonic.saturating_sub(last.monotonic).as_millis();
        let by_wall_clock = clocks.now.signed_duration_since(last.now);
        let behind = i64::try_from(elapsed)
            .unwrap_or(i64::MAX)
            .saturating_sub(by_wall_clock.num_milliseconds());
        if behind > TOLERATED_STEP_MILLISECONDS {
            tracing::error!(milliseconds = behind, "the clock was set back");
            self.telemetry.clock_stepped_back.increment(1);
        }
    }

    /// Drops the buckets that are over by both clocks. The wall clock alone does not suffice: it may jump ahead and
    /// back.
    fn drop_over(&self, disk: &mut DiskState, clocks: ClocksRead) -> io::Result<()> {
        let ClocksRead { now, monotonic } = clocks;
        let mut over: Vec<_> = self.buckets.iter().map(|(_, bucket)| bucket).collect();
        over.retain(|bucket| bucket.id.is_over(self.window, now) && bucket.expires <= monotonic);
        let mut forgotten = Vec::new();
        for bucket in &over {
            let sealed = bucket.set.seal();
            self.quota.forget(bucket.id, sealed);
            // An empty bucket can be opened again.
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
        // The state must name them as forgotten before their journals are removed.
        self.write_state(disk, &gone)?;
        if !no_more_closed.is_empty() {
            for id in disk.directory.marked()? {
                if no_more_closed.contains(id) && !self.is_open(id) {
                    Self::remove_journal(disk, id);
                }
            }
        }
        for bucket in over {
            // What stays is sealed and empty, and removed later.
            if Self::remove_journal(disk, bucket.id) {
                self.buckets.invalidate(&bucket.id);
            }
        }
        // The cache drops a bucket, and closes its file, in a pending task.
        self.buckets.run_pending_tasks();
        Ok(())
    }

    /// Removes an old journal. A failure only costs disk space.
    pub(super) fn remove_journal(disk: &DiskState, id: HalfMinute) -> bool {
        let removed = disk.directory.remove_journal(id);
        if let Err(error) = &removed {
            tracing::warn!(half_minute = id.0, %error, "cannot remove an old replay journal");
        }
        removed.is_ok()
    }

    /// Refuses claims in these half minutes from now on.
    pub(super) fn forget(&self, ids: &HalfMinutes) {
        let mut forgotten = self.forgotten.write();
        forgotten.add(ids);
        forgotten.coalesce();
        let newest = forgotten.newest().map_or(i64::MIN, |newest| newest.0);
        self.newest_forgotten.store(newest, Ordering::Release);
    }

    /// Counts a heartbeat durably; returns the count.
    pub(super) fn record_heartbeat(&self) -> io::Result<i64> {
        let mut disk = self.disk.lock();
        if disk.stopped {
            return Err(io::Error::other("the replay guard has stopped"));
        }
        let state = State {
            beat: disk.state.beat.saturating_add(1),
            ..disk.state.clone()
        };
        self.save(&mut disk, state)?;
        Ok(disk.state.beat)
    }

    /// Writes forgotten and closed half minutes, and the journals without those that are `gone`, if that has changed.
    fn write_state(&self, disk: &mut DiskState, gone: &[HalfMinute]) -> io::Result<()> {
        let mut state = State {
            forgotten: self.forgotten.read().clone(),
            closed: self.closed.read().clone(),
            ..disk.state.clone()
        };
        for id in disk.unread.keys() {
            state.closed.remove(*id);
        }
        let forgotten = &state.forgotten;
        let is_gone = |id: &HalfMinute| gone.contains(id) || forgotten.contains(*id);
        state.journals.retain(|id, _| !is_gone(id));
        if state == disk.state {
            return Ok(());
        }
        self.save(disk, state)
    }

    /// Writes a state, with the journals' current numbers of records.
    pub(super) fn save(&self, disk: &mut DiskState, mut state: State) -> io::Result<()> {
        for (id, records) in &mut state.journals {
            if let Some(bucket) = self.buckets.get(id) {
                *records = bucket.journal.records();
            }
        }
        state.record_counts = Some(self.record_counts.read().id().clone());
        disk.directory.write_state(&state)?;
        disk.state = state;
        Ok(())
    }

    /// Detects files that were moved, removed or cut while the service runs. State and counts are written anew. A
    /// journal is not: its nonces stay in memory, and the next start closes its half minute.
    fn check_files(&self, disk: &mut DiskState) -> io::Result<()> {
        let mut lost = Vec::new();
        for id in disk.state.journals.keys() {
            if let Some(bucket) = self.buckets.get(id)
                && !disk.directory.has_journal(*id, &bucket.journal)?
            {
                lost.push(*id);
            }
        }
        let lost: HalfMinutes = lost.into_iter().collect();
        let known = std::mem::replace(&mut *self.lost.write(), lost.clone());
        if !lost.is_empty() && lost != known {
            telemetry::file_missed();
            tracing::error!(
                "files of the replay journal were moved, removed or cut while the service runs: their nonces are in memory \
                 only, and requests of these half minutes are refused after a restart"
            );
        }
        // If the directory itself was replaced, nothing can be written.
        if !disk.directory.is_in_place()? {
            return Ok(());
        }
        let has_record_counts = disk
            .directory
            .has_record_counts(&self.record_counts.read())?;
        if has_record_counts && disk.directory.has_state()? {
            return Ok(());
        }
        telemetry::file_missed();
        tracing::error!(
            "the replay journal's state or record counts were moved or removed while the service runs; writing them anew"
        );
        if !has_record_counts {
            self.count_anew(disk)?;
        }
        let state = disk.state.clone();
        self.save(disk, state)
    }

    /// Writes a new file of counts.
    fn count_anew(&self, disk: &DiskState) -> io::Result<()> {
        // The lock keeps appends out.
        let mut counts = self.record_counts.write();
        let new = disk.directory.new_record_counts()?;
        for id in disk.state.journals.keys() {
            if let Some(bucket) = self.buckets.get(id) {
                new.set(*id, bucket.journal.records(), &self.fingerprints)?;
            }
        }
        *counts = new;
        Ok(())
    }

    /// Syncs everything, refuses further claims, and writes the clean-stop mark.
    pub(super) fn clean_stop(&self) -> io::Result<()> {
        let mut disk = self.disk.lock();
        disk.stopped = true;
        let mut synced = Ok(());
        for (_, bucket) in &self.buckets {
            // All must stop, even if one cannot be synced.
            synced = synced.and(bucket.journal.stop());
        }
        synced?;
        self.write_state(&mut disk, &[])?;
        let state = State {
            clean_stop: true,
            ..disk.state.clone()
        };
        self.save(&mut disk, state)
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
