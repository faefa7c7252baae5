//! Evaluates recorded decisions again: to find what a candidate would decide differently, or to
//! verify that the recorded policies reproduce them.

pub(crate) mod log_reader;
mod policies;
mod report;
pub(crate) mod worker;

use std::io;
use std::path::PathBuf;

use parking_lot::Mutex;

use charter_domain::progress::Progress;

use log_reader::LogReader;
pub use policies::ReplayPolicies;
pub use report::{EarlierSnapshots, Flip, FlipExample, FlipGroup, ReplayMode, ReplayReport};
use worker::Worker;

/// Why a replay ended early.
#[derive(Debug, thiserror::Error)]
#[error("`{path}` cannot be read: {reason}")]
pub struct ReplayError {
    /// The log.
    pub path: PathBuf,
    /// What the operating system said.
    pub reason: io::Error,
}

/// Replays every decision of a file or directory. To reproduce, each decision is evaluated by the
/// policies that made it: `policies`, or one of `earlier`. `progress` counts bytes.
///
/// # Errors
///
/// A file cannot be read.
pub fn replay(
    log: &std::path::Path,
    policies: &ReplayPolicies<'_>,
    earlier: &EarlierSnapshots,
    mode: ReplayMode,
    threads: usize,
    progress: &Progress,
) -> Result<ReplayReport, ReplayError> {
    let failed = |reason| ReplayError {
        path: log.to_owned(),
        reason,
    };
    let log_reader = Mutex::new(LogReader::open(log, progress).map_err(failed)?);
    let work = || {
        let mut worker = Worker::new(policies, earlier, mode);
        loop {
            // A separate statement, so that the lock is not held during the work.
            let chunk = log_reader.lock().next();
            match chunk {
                Ok(Some(chunk)) => worker.replay(&chunk),
                Ok(None) => return Ok(worker.report),
                Err(error) => return Err(error),
            }
        }
    };
    let parts: Vec<io::Result<ReplayReport>> = std::thread::scope(|scope| {
        let workers: Vec<_> = (0..threads.max(1)).map(|_| scope.spawn(work)).collect();
        let ended = workers.into_iter().map(|worker| {
            worker
                .join()
                .unwrap_or_else(|_| Err(io::Error::other("a worker failed")))
        });
        ended.collect()
    });
    let mut report = ReplayReport::default();
    for part in parts {
        report.add(part.map_err(failed)?);
    }
    Ok(report)
}
