//! Start-up: restores the nonces of the previous run, or closes the half minutes that may be incomplete.

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::sync::Arc;

use super::config::ReplayGuardConfig;
use super::directory::Directory;
use super::fingerprint::Fingerprints;
use super::half_minute::{GRACE, HalfMinute};
use super::half_minutes::HalfMinutes;
use super::in_memory_guard::{ClocksRead, DiskState, InMemoryGuard};
use super::journal::ReadError;
use super::left_journals::LeftJournals;
use super::open_error::OpenError;
use super::state::{FoundState, State};
use charter_domain::clock::Clock;
use charter_domain::timestamp::{self, Timestamp};

/// The id of the machine's current boot: what was written since then is still there.
const BOOT_ID: &str = "/proc/sys/kernel/random/boot_id";

/// A locked directory and its content.
pub(super) struct LockedDirectory {
    pub(super) directory: Directory,
    pub(super) left: Option<FoundState>,
    boot_id: Option<String>,
}

/// What the database records of runs.
pub(super) struct DatabaseRuns {
    /// The new run.
    pub(super) run: String,
    /// Whether it has recorded no run before.
    pub(super) is_first: bool,
    /// The latest run and its heartbeats, if this directory is that run's.
    pub(super) before: Option<(String, i64)>,
    /// Half minutes in which other runs may have accepted nonces that are not in this directory.
    pub(super) unknown: HalfMinutes,
}

/// Locks the directory and reads the previous run's state.
pub(super) fn find(config: &ReplayGuardConfig) -> Result<LockedDirectory, OpenError> {
    // Without a boot id only a clean stop is trusted.
    let boot_id = std::fs::read_to_string(BOOT_ID).ok();
    let directory = Directory::open(&config.directory)?;
    let left = directory
        .read_state()
        .map_err(|source| config.unusable(source))?;
    Ok(LockedDirectory {
        directory,
        left,
        boot_id: boot_id.map(|text| text.trim().to_owned()),
    })
}

/// Opens the guard.
pub(super) fn open(
    config: &ReplayGuardConfig,
    clock: Arc<dyn Clock>,
    found: LockedDirectory,
    known: Option<DatabaseRuns>,
) -> Result<InMemoryGuard, OpenError> {
    recover(config, clock, found, known).map_err(|source| config.unusable(source))
}

fn recover(
    config: &ReplayGuardConfig,
    clock: Arc<dyn Clock>,
    found: LockedDirectory,
    known: Option<DatabaseRuns>,
) -> io::Result<InMemoryGuard> {
    let now = clock.now();
    let fingerprints = Fingerprints::new(&config.hash_key);
    let left = found.left.as_ref().map(|left| &left.state);
    let (counts, expected) = LeftJournals::of(left, &found.directory, &fingerprints)?;
    let marked = found.directory.marked()?;
    let mut closed = closed_at_start(config, now, &marked, &found, known.as_ref());
    let last = found.left.map(|left| left.state);
    let mut forgotten = last.map(|last| last.forgotten).unwrap_or_default();
    forgotten.add(&closed.take_over(config.window, now));
    forgotten.coalesce();
    let (useless, kept): (BTreeSet<_>, BTreeSet<_>) =
        marked.iter().partition(|id| forgotten.contains(**id));

    let state = State {
        boot_id: found.boot_id,
        clean_stop: false,
        forgotten,
        closed: closed.clone(),
        run: known.as_ref().map(|known| known.run.clone()),
        beat: 0,
        before: known.as_ref().and_then(|known| known.before.clone()),
        journals: BTreeMap::new(),
        record_counts: Some(counts.id().clone()),
    };
    let disk = DiskState {
        directory: Arc::new(found.directory),
        state,
        unread: BTreeMap::new(),
        stopped: false,
        clocks: ClocksRead::of(&*clock),
    };
    let memory = InMemoryGuard::empty(config, fingerprints, counts, disk, clock);
    let mut guard = memory.disk.lock();
    let disk = &mut *guard;
    close_missing(&memory, &expected, &marked, &mut closed);
    restore_marked(&memory, disk, kept, &expected, &mut closed);
    disk.state.closed.clone_from(&closed);
    // Before the first claim: if this process crashes, the next one needs it.
    disk.directory.write_state(&disk.state)?;
    for id in useless {
        if let Err(error) = disk.directory.remove_journal(id) {
            tracing::warn!(half_minute = id.0, %error, "cannot remove an old replay journal");
        }
    }
    closed.add(&disk.unread.keys().copied().collect());
    drop(guard);
    let current = HalfMinute::of(now);
    let open = closed.next_outside(current);
    if open > current {
        let until = Timestamp::from_timestamp(open.start(), 0).map(timestamp::format);
        tracing::warn!(
            until,
            "nonces may have been lost; requests are refused until then"
        );
    }
    *memory.closed.write() = closed;
    memory.maintain();
    Ok(memory)
}

/// A missing journal counts as empty.
fn close_missing(
    memory: &InMemoryGuard,
    expected: &LeftJournals,
    marked: &BTreeSet<HalfMinute>,
    closed: &mut HalfMinutes,
) {
    for id in expected.missing(marked) {
        if !memory.is_forgotten(id) {
            tracing::error!(
                half_minute = id.0,
                "a replay journal is missing; its half minute is closed"
            );
            closed.add(&HalfMinutes::range(id, id));
        }
    }
}

/// Restores the marked half minutes that are not closed, and closes those whose journals are damaged.
fn restore_marked(
    memory: &InMemoryGuard,
    disk: &mut DiskState,
    marked: BTreeSet<HalfMinute>,
    expected: &LeftJournals,
    closed: &mut HalfMinutes,
) {
    for id in marked {
        if closed.contains(id) {
            continue;
        }
        let Some(counted) = expected.least(id) else {
            tracing::error!(
                half_minute = id.0,
                "the record count of a replay journal is missing; its half minute is closed"
            );
            closed.add(&HalfMinutes::range(id, id));
            continue;
        };
        match memory.restore(&disk.directory, id, counted) {
            Ok(bucket) => {
                disk.state.journals.insert(id, bucket.journal.records());
                memory.keep(bucket);
            }
            // Its content is not lost: the half minute is closed until it can be read.
            Err(ReadError::Io(error)) => {
                tracing::error!(half_minute = id.0, %error, "cannot read a replay journal; retrying");
                disk.unread.insert(id, counted);
                if expected.knows(id) {
                    disk.state.journals.insert(id, counted);
                }
            }
            Err(error) => {
                tracing::error!(half_minute = id.0, %error, "a replay journal is damaged; its half minute is closed");
                closed.add(&HalfMinutes::range(id, id));
            }
        }
    }
}

/// Half minutes whose nonces may be lost since the previous run.
fn closed_at_start(
    config: &ReplayGuardConfig,
    now: Timestamp,
    marked: &BTreeSet<HalfMinute>,
    found: &LockedDirectory,
    known: Option<&DatabaseRuns>,
) -> HalfMinutes {
    let mut closed = HalfMinutes::default();
    let window = config.window.saturating_add(GRACE);
    if let Some(known) = known {
        closed.add(&known.unknown);
    }
    let Some(left) = &found.left else {
        // Marks may be lost: close whatever could have been accepted until now, by the database if it recorded a run.
        if known.is_some_and(|known| !known.is_first) {
            closed.add(&HalfMinutes::within(window, now));
        } else if config.installation_is_older || !marked.is_empty() {
            closed.add(&HalfMinutes::through(HalfMinute::of(now + window)));
        }
        closed.add(&marked.iter().copied().collect());
        return closed;
    };
    closed.add(&left.state.closed);
    if left.copied {
        tracing::warn!(
            "the replay journal was restored from a copy: nonces accepted since then are missing, so requests that could \
             have been accepted then are refused"
        );
        closed.add(&HalfMinutes::within(window, now));
    }
    let boot_id = &left.state.boot_id;
    let same_boot = boot_id.is_some() && *boot_id == found.boot_id;
    if !left.state.clean_stop && !same_boot {
        // After a crash of the machine, unsynced data may be lost. Nothing was accepted without a durable mark.
        closed.add(&marked.iter().copied().collect());
        closed.add(&left.state.journals.keys().copied().collect());
    }
    closed
}
