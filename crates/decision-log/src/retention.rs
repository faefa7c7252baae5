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
use super::tail;
use super::written_files::WrittenFiles;
use charter_domain::clock::Clock;
use charter_domain::confirmed_clock::ConfirmedClock;
use charter_domain::timestamp::Timestamp;

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

    /// Whether a finished file has expired, which the next file's first line no longer counts.
    pub(super) fn has_expired(&self, files: &[LogFile], written: &WrittenFiles) -> bool {
        let Ok(now) = self.confirmed.now() else {
            return false;
        };
        let first = self.first_younger(files, &written.keys, now);
        let finished = written.oldest..written.current.number.min(first);
        files.iter().any(|file| finished.contains(&file.number))
    }

    /// The number of the first file that has not expired; 0 if none has.
    fn first_younger(&self, files: &[LogFile], keys: &[Chain], now: Timestamp) -> u64 {
        let kept_for = i64::try_from(self.keep_for.as_millis()).unwrap_or(i64::MAX);
        let now = now.timestamp_millis();
        let too_old = now.saturating_sub(kept_for);
        // Names are not trusted: renaming a file must not delete it.
        let ended = |from: usize| -> Option<i64> {
            let mut later = files.iter().skip(from);
            // Lines from the future were written while the clock was ahead, and before those of the next file.
            let ended = later.find_map(|file| match last_time(file, keys) {
                Some(ended) if ended > now => None,
                ended => Some(ended),
            });
            ended.unwrap_or(Some(now))
        };
        let is_kept = |at: &usize| ended(*at).is_none_or(|ended| ended >= too_old);
        // Files before the first one were removed or are missing.
        match (0..files.len()).find(is_kept) {
            Some(0) => 0,
            Some(first) => files.get(first).map_or(0, |file| file.number),
            None => files.last().map_or(0, |file| file.number + 1),
        }
    }

    /// The number of the first file that has not expired; 0 if that is uncertain.
    fn first_young_enough(&self, files: &[LogFile], keys: &[Chain]) -> u64 {
        let confirmed = self.confirmed.now();
        let now = confirmed.unwrap_or_else(|_| self.clock.now());
        let by_age = self.first_younger(files, keys, now);
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

/// Unix time in milliseconds of a file's last line; `None` if its first line, or no line, is authentic.
fn last_time(file: &LogFile, keys: &[Chain]) -> Option<i64> {
    authentic_first_line(file, keys).ok()??;
    tail::last_time(&file.path, keys).ok()?
}
