//! The start: what an earlier process left is believed, or closed until its time is over.

use std::collections::BTreeSet;
use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicI64};

use moka::sync::Cache;
use parking_lot::{Mutex, RwLock};

use super::closed::Closed;
use super::directory::{Directory, State};
use super::fingerprint::Fingerprints;
use super::half_minute::{GRACE, HalfMinute};
use super::memory::{Ledger, Memory};
use super::quota::Quota;
use super::telemetry::Telemetry;
use super::{Config, OpenError};
use crate::domain::clock::Clock;

/// Tells one boot of the machine from another: what was written in this one is still there.
const BOOT_ID: &str = "/proc/sys/kernel/random/boot_id";

/// Opens the guard on what is in its directory.
pub(super) fn open(config: &Config, clock: Arc<dyn Clock>) -> Result<Memory, OpenError> {
    // Where there is no boot id, only a clean stop is believed.
    let boot_id = std::fs::read_to_string(BOOT_ID).ok();
    let boot_id = boot_id.map(|text| text.trim().to_owned());
    let directory = Directory::open(&config.directory)?;
    let path = config.directory.clone();
    recover(config, clock, directory, boot_id)
        .map_err(|source| OpenError::Directory { path, source })
}

fn recover(
    config: &Config,
    clock: Arc<dyn Clock>,
    directory: Directory,
    boot_id: Option<String>,
) -> io::Result<Memory> {
    let now = clock.now();
    let marked = directory.marked()?;
    let last = directory.read_state()?;
    let mut closed = closed_at_start(config, &*clock, &marked, last.as_ref(), boot_id.as_ref());

    let (over, current): (BTreeSet<_>, BTreeSet<_>) = marked
        .into_iter()
        .partition(|id| id.is_over(config.window, now));
    let floor = [
        last.and_then(|last| last.floor),
        over.last().copied(),
        closed.remove_over(config.window, now),
    ];
    let floor = floor.into_iter().max().flatten();
    let (below, above): (BTreeSet<_>, BTreeSet<_>) =
        current.into_iter().partition(|id| Some(*id) <= floor);

    let state = State {
        boot_id,
        clean_stop: false,
        floor,
        closed_through: closed.through,
        closed: closed.each.clone(),
    };
    let memory = Memory {
        window: config.window,
        fingerprints: Fingerprints::new(&config.hash_key),
        quota: Quota::new(config.per_key_quota, config.total),
        buckets: Cache::builder().build(),
        row: RwLock::default(),
        floor: AtomicI64::new(floor.map_or(i64::MIN, |floor| floor.0)),
        closed: RwLock::new(Closed::default()),
        telemetry: Telemetry::new(),
        failing: AtomicBool::new(false),
        last_error: Mutex::new(None),
        alarmed: AtomicBool::new(false),
        ledger: Mutex::new(Ledger {
            directory,
            state,
            stopped: false,
            seen: (now, clock.monotonic()),
        }),
        clock,
    };
    let mut ledger = memory.ledger.lock();
    for id in above {
        if closed.contains(id) {
            continue;
        }
        if let Err(error) = memory.load(&ledger.directory, id) {
            tracing::error!(half_minute = id.0, %error, "a replay journal cannot be read");
            closed.each.insert(id);
        }
    }
    ledger.state.closed.clone_from(&closed.each);
    // Before the first claim: should this process die too, its journals must be judged by this.
    ledger.directory.write_state(&ledger.state)?;
    for id in over.into_iter().chain(below) {
        if let Err(error) = ledger.directory.remove_journal(id) {
            tracing::warn!(half_minute = id.0, %error, "an old replay journal cannot be removed");
        }
    }
    drop(ledger);
    if let Some(until) = closed.until(now) {
        tracing::warn!(%until, "nonces may have been forgotten, requests are refused for a while");
    }
    *memory.closed.write() = closed;
    memory.maintain();
    Ok(memory)
}

/// What may have been forgotten since the last run.
fn closed_at_start(
    config: &Config,
    clock: &dyn Clock,
    marked: &BTreeSet<HalfMinute>,
    last: Option<&State>,
    boot_id: Option<&String>,
) -> Closed {
    let mut closed = last.map_or_else(Closed::default, |last| Closed {
        through: last.closed_through,
        each: last.closed.clone(),
    });
    let same_boot = |last: &State| last.boot_id.is_some() && last.boot_id.as_ref() == boot_id;
    if last.is_some_and(|last| last.clean_stop || same_boot(last)) {
        return closed;
    }
    // The machine went down: of what was in memory there is no telling what reached the disk. But
    // without a durable mark nothing was accepted.
    closed.each.extend(marked);
    if last.is_none() && (config.installation_is_older || !marked.is_empty()) {
        // The marks themselves are lost, or some of them: whatever could have been accepted until
        // now is suspect.
        let newest = clock.now() + config.window.saturating_add(GRACE);
        closed.through = Some(HalfMinute::of(newest));
    }
    closed
}
