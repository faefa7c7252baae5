//! Asks recorded decisions again: which would a candidate decide otherwise, and are they what the
//! policies say that took them?

mod outcome;
mod source;
mod worker;

use std::io;
use std::path::PathBuf;

use parking_lot::Mutex;

use charter_authz::snapshot::Snapshot;
use charter_domain::progress::Progress;

pub use outcome::{Earlier, Example, Flip, Group, Mode, Outcome};
use source::Source;
use worker::Worker;

/// Why a replay ended early.
#[derive(Debug, thiserror::Error)]
#[error("`{path}` cannot be read: {source}")]
pub struct ReplayError {
    path: PathBuf,
    source: io::Error,
}

/// Asks every decision of a file, or of all files of a directory, again. To reproduce, each is asked
/// of the policies that took it: `snapshot`, or one of `earlier`. `progress` counts bytes.
///
/// # Errors
///
/// A file cannot be read.
pub fn replay(
    log: &std::path::Path,
    snapshot: &Snapshot,
    earlier: &Earlier,
    mode: Mode,
    threads: usize,
    progress: &Progress,
) -> Result<Outcome, ReplayError> {
    let failed = |source| ReplayError {
        path: log.to_owned(),
        source,
    };
    let source = Mutex::new(Source::open(log, progress).map_err(failed)?);
    let work = || {
        let mut worker = Worker::new(snapshot, earlier, mode);
        loop {
            // Apart from the loop's condition, which would hold the lock while the work is done.
            let chunk = source.lock().next();
            match chunk {
                Ok(Some(chunk)) => worker.replay(&chunk),
                Ok(None) => return Ok(worker.outcome),
                Err(error) => return Err(error),
            }
        }
    };
    let parts: Vec<io::Result<Outcome>> = std::thread::scope(|scope| {
        let workers: Vec<_> = (0..threads.max(1)).map(|_| scope.spawn(work)).collect();
        let ended = workers.into_iter().map(|worker| {
            worker
                .join()
                .unwrap_or_else(|_| Err(io::Error::other("a worker failed")))
        });
        ended.collect()
    });
    let mut outcome = Outcome::default();
    for part in parts {
        outcome.add(part.map_err(failed)?);
    }
    Ok(outcome)
}
