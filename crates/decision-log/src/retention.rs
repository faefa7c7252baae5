//! How long files of the log are kept.

use std::io;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use super::chain::Chain;
use super::config::{Clocks, RotationLimits};
use super::file_index::FileIndex;
use super::files;
use super::log_file::LogFile;
use super::record::authentic_first_line;
use super::written_files::WrittenFiles;
use charter_domain::clock::Clock;
use charter_domain::confirmed_clock::ConfirmedClock;
use charter_domain::timestamp;

/// Limits how often the files are listed again if the newest is rotated meanwhile.
const LISTED_AT_MOST: usize = 10;

pub(super) struct Retention {
    /// Includes the newest file.
    keep_files: u64,
    /// How long lines are kept.
    keep_for: Duration,
    clock: Arc<dyn Clock>,
    confirmed: Arc<ConfirmedClock>,
}

impl Retention {
    pub(super) fn new(limits: RotationLimits, clocks: Clocks) -> Self {
        Self {
            keep_files: limits.keep_files,
            keep_for: limits.keep_for,
            clock: clocks.now,
            confirmed: clocks.confirmed,
        }
    }

    /// The number of the oldest file that is kept besides `newest`.
    pub(super) fn oldest_to_keep(
        &self,
        files: &[LogFile],
        newest: u64,
        written: &WrittenFiles,
    ) -> u64 {
        let by_number = newest.saturating_sub(self.keep_files.saturating_sub(1));
        let by_age = self.first_young_enough(files, &written.keys);
        let oldest = by_number.max(by_age).max(written.oldest).min(newest);
        for file in files.iter().filter(|file| file.number < oldest) {
            let reason = if file.number < by_number {
                "there are more than `decisions.keep_files`"
            } else if file.number < by_age {
                "its latest line is older than `decisions.keep_for`"
            } else {
                "the file before does not count it any more"
            };
            tracing::info!(target: "decisions", file = file.name(), reason, "a decision file is to be deleted");
        }
        oldest
    }

    /// The number of the first file that has not expired; 0 if that is uncertain.
    fn first_young_enough(&self, files: &[LogFile], keys: &[Chain]) -> u64 {
        let kept_for = i64::try_from(self.keep_for.as_millis()).unwrap_or(i64::MAX);
        let confirmed = self.confirmed.now();
        let now = match confirmed {
            Ok(now) => now,
            Err(_) => self.clock.now(),
        };
        let too_old = now.timestamp_millis().saturating_sub(kept_for);
        // A file's lines are older than the beginning of the next file. Files before the first one
        // were removed or are missing. Names are not trusted: renaming a file must not delete it.
        let is_kept = |file: &LogFile| {
            let begun = begun(file, keys);
            begun.is_none_or(|begun| begun >= too_old)
        };
        let first_kept = files.iter().position(is_kept).unwrap_or(files.len());
        let before = first_kept.checked_sub(1).and_then(|at| files.get(at));
        let by_age = before.map_or(0, |file| file.number);
        match confirmed {
            Ok(_) => by_age,
            Err(error) => {
                if files.first().is_some_and(|file| file.number < by_age) {
                    tracing::warn!(target: "decisions", %error, "decision files seem to have expired; keeping them until the clock is confirmed");
                }
                0
            }
        }
    }
}

/// Removes files that the newest file's first line no longer counts.
pub(super) fn prune(written: &WrittenFiles) {
    let dir = written.dir();
    let Ok((files, _)) = files::list(dir) else {
        return;
    };
    let oldest = written.oldest;
    for file in files.iter().filter(|file| file.number < oldest) {
        // The index first: while its file exists, the next run finds both.
        let index = std::fs::remove_file(FileIndex::path_of(&file.path));
        let index = index.or_else(|error| match error.kind() {
            io::ErrorKind::NotFound => Ok(()),
            _ => Err(error),
        });
        match index.and_then(|()| std::fs::remove_file(&file.path)) {
            Ok(()) => {
                tracing::info!(target: "decisions", file = file.name(), oldest, "an old decision file was deleted");
            }
            Err(error) => {
                tracing::warn!(file = file.name(), %error, "an old decision file cannot be deleted");
            }
        }
    }
}

/// Whether a file that vanished was removed by the service: the newest file no longer counts it.
pub(super) fn is_over(file: &LogFile, dir: &Path, keys: &[Chain]) -> io::Result<bool> {
    for _ in 0..LISTED_AT_MOST {
        let (files, _) = files::list(dir)?;
        let Some(newest) = files.last() else {
            return Ok(false);
        };
        match authentic_first_line(newest, keys) {
            // There is a newer file already.
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            first_line => {
                let oldest = first_line?.and_then(|line| line.oldest);
                return Ok(oldest.is_some_and(|oldest| oldest > file.number));
            }
        }
    }
    Ok(false)
}

/// Unix time in milliseconds at which a file was begun; `None` if its first line is not authentic.
fn begun(file: &LogFile, keys: &[Chain]) -> Option<i64> {
    let first_line = authentic_first_line(file, keys).ok()??;
    Some(timestamp::parse(&first_line.at?).ok()?.timestamp_millis())
}
