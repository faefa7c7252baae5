//! The start: what an earlier process left is believed, or closed until its time is over.

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicI64};

use moka::sync::Cache;
use parking_lot::{Mutex, RwLock};

use super::config::Config;
use super::directory::Directory;
use super::fingerprint::Fingerprints;
use super::half_minute::{GRACE, HalfMinute};
use super::half_minutes::HalfMinutes;
use super::journal::ReadError;
use super::left_journals::LeftJournals;
use super::memory::{Ledger, Memory};
use super::open_error::OpenError;
use super::quota::Quota;
use super::set::NonceTable;
use super::state::{FoundState, State};
use super::telemetry::Telemetry;
use charter_domain::clock::Clock;
use charter_domain::timestamp::{self, Timestamp};

/// Tells one boot of the machine from another: what was written in this one is still there.
const BOOT_ID: &str = "/proc/sys/kernel/random/boot_id";

/// A locked directory and what was found in it.
pub(super) struct Found {
    pub(super) directory: Directory,
    pub(super) left: Option<FoundState>,
    boot_id: Option<String>,
}

/// What the database says.
pub(super) struct Known {
    /// The run that begins.
    pub(super) run: String,
    /// Whether no run was ever known to it.
    pub(super) is_first: bool,
    /// The run that it names and that run's beat, if this directory is that run's.
    pub(super) before: Option<(String, i64)>,
    /// Half minutes in which others may have accepted what this directory does not know.
    pub(super) unknown: HalfMinutes,
}

/// Locks the directory and reads what the last run left.
pub(super) fn find(config: &Config) -> Result<Found, OpenError> {
    // Where there is no boot id, only a clean stop is believed.
    let boot_id = std::fs::read_to_string(BOOT_ID).ok();
    let directory = Directory::open(&config.directory)?;
    let left = directory
        .read_state()
        .map_err(|source| config.unusable(source))?;
    Ok(Found {
        directory,
        left,
        boot_id: boot_id.map(|text| text.trim().to_owned()),
    })
}

/// Opens the guard on what was found.
pub(super) fn open(
    config: &Config,
    clock: Arc<dyn Clock>,
    found: Found,
    known: Option<Known>,
) -> Result<Memory, OpenError> {
    recover(config, clock, found, known).map_err(|source| config.unusable(source))
}

#[expect(
    clippy::too_many_lines,
    reason = "the order of a recovery, to be read in one place"
)]
fn recover(
    config: &Config,
    clock: Arc<dyn Clock>,
    found: Found,
    known: Option<Known>,
) -> io::Result<Memory> {
    let now = clock.now();
    let fingerprints = Fingerprints::new(&config.hash_key);
    let left = found.left.as_ref().map(|left| &left.state);
    let (tally, expected) = LeftJournals::of(left, &found.directory, &fingerprints)?;
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
        forgotten: forgotten.clone(),
        closed: closed.clone(),
        run: known.as_ref().map(|known| known.run.clone()),
        beat: 0,
        before: known.as_ref().and_then(|known| known.before.clone()),
        journals: BTreeMap::new(),
        tally: Some(tally.id().clone()),
    };
    let memory = Memory {
        window: config.window,
        fingerprints,
        quota: Quota::new(config.bounds),
        buckets: Cache::builder().build(),
        nonces: Arc::new(NonceTable::new()),
        newest_forgotten: AtomicI64::new(forgotten.newest().map_or(i64::MIN, |newest| newest.0)),
        forgotten: RwLock::new(forgotten),
        closed: RwLock::default(),
        // Nothing, until the database has been told of this run.
        granted: RwLock::new(known.map(|_| HalfMinutes::default())),
        tally: RwLock::new(tally),
        lost: RwLock::default(),
        telemetry: Telemetry::new(),
        failing: AtomicBool::new(false),
        last_error: Mutex::new(None),
        alarmed: AtomicBool::new(false),
        reading: Mutex::default(),
        ledger: Mutex::new(Ledger {
            directory: Arc::new(found.directory),
            state,
            unread: BTreeMap::new(),
            stopped: false,
            seen: (now, clock.monotonic()),
        }),
        clock,
    };
    let mut guard = memory.ledger.lock();
    let ledger = &mut *guard;
    // Of a file that is gone there is as much as of an empty one.
    for id in expected.missed(&marked) {
        if !memory.is_forgotten(id) {
            tracing::error!(half_minute = id.0, "a replay journal is missing");
            closed.add(&HalfMinutes::range(id, id));
        }
    }
    for id in kept {
        if closed.contains(id) {
            continue;
        }
        let Some(counted) = expected.least(id) else {
            tracing::error!(half_minute = id.0, "the count of a replay journal is lost");
            closed.add(&HalfMinutes::range(id, id));
            continue;
        };
        match memory.restore(&ledger.directory, id, counted) {
            Ok(bucket) => {
                ledger.state.journals.insert(id, bucket.journal.records());
                memory.keep(bucket);
            }
            // What it holds is not lost, and until it is read nothing is accepted beside it.
            Err(ReadError::Io(error)) => {
                tracing::error!(half_minute = id.0, %error, "a replay journal cannot be read, it is tried again");
                ledger.unread.insert(id, counted);
                if expected.knows(id) {
                    ledger.state.journals.insert(id, counted);
                }
            }
            Err(error) => {
                tracing::error!(half_minute = id.0, %error, "a replay journal cannot be believed");
                closed.add(&HalfMinutes::range(id, id));
            }
        }
    }
    ledger.state.closed.clone_from(&closed);
    // Before the first claim: should this process die too, its journals must be judged by this.
    ledger.directory.write_state(&ledger.state)?;
    for id in useless {
        if let Err(error) = ledger.directory.remove_journal(id) {
            tracing::warn!(half_minute = id.0, %error, "an old replay journal cannot be removed");
        }
    }
    closed.add(&ledger.unread.keys().copied().collect());
    drop(guard);
    let current = HalfMinute::of(now);
    let open = closed.next_outside(current);
    if open > current {
        let until = Timestamp::from_timestamp(open.start(), 0).map(timestamp::format);
        tracing::warn!(
            until,
            "nonces may have been forgotten, requests are refused for a while"
        );
    }
    *memory.closed.write() = closed;
    memory.maintain();
    Ok(memory)
}

/// What may have been forgotten since the last run.
fn closed_at_start(
    config: &Config,
    now: Timestamp,
    marked: &BTreeSet<HalfMinute>,
    found: &Found,
    known: Option<&Known>,
) -> HalfMinutes {
    let mut closed = HalfMinutes::default();
    let window = config.window.saturating_add(GRACE);
    if let Some(known) = known {
        closed.add(&known.unknown);
    }
    let Some(left) = &found.left else {
        // The marks themselves are lost, or some of them: whatever could have been accepted until
        // now is suspect, or what the database knows to have been.
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
            "the replay journal is a copy that was put in its place: what was accepted since it \
             was taken is missing, so requests are refused until they could not have been accepted then"
        );
        closed.add(&HalfMinutes::within(window, now));
    }
    let boot_id = &left.state.boot_id;
    let same_boot = boot_id.is_some() && *boot_id == found.boot_id;
    if !left.state.clean_stop && !same_boot {
        // The machine went down: of what was in memory there is no telling what reached the disk.
        // But without a durable mark nothing was accepted.
        closed.add(&marked.iter().copied().collect());
        closed.add(&left.state.journals.keys().copied().collect());
    }
    closed
}
