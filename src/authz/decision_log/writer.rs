//! The thread that writes: takes what has gathered, writes it with one call, begins a new file
//! when it is time, and holds on to what it cannot write until it can.

use std::fs::File;
use std::io::{self, Write as _};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;

use super::Limits;
use super::chain::Chain;
use super::counts::Counts;
use super::entry::Entry;
use super::files::{self, LogFile};
use super::head::{Head, HeadFile};
use super::line::{FileBody, Renderer};
use super::queue::{Lost, Queue, Unwritten};
use super::read::authentic_first_line;
use super::shadow::Shadow;
use crate::domain::clock::Clock;
use crate::domain::confirmed_clock::ConfirmedClock;
use crate::domain::timestamp;

/// Between tries to write.
const RETRY: Duration = Duration::from_millis(200);
/// How often a stopping writer tries.
const LAST_TRIES: usize = 5;
/// Written at once: what is rendered of a large batch is not all held in memory.
const CHUNK: usize = 256 * 1024;

/// What operators see of the writer.
#[derive(Debug, Clone, Default)]
pub struct WriterStatus {
    /// Why nothing is written now.
    pub last_error: Option<String>,
    /// Decisions that were lost since the start.
    pub lost: u64,
}

pub(super) struct Writer {
    pub(super) queue: Arc<Queue>,
    pub(super) status: Arc<Mutex<WriterStatus>>,
    pub(super) clock: Arc<dyn Clock>,
    pub(super) confirmed: Arc<ConfirmedClock>,
    pub(super) limits: Limits,
    pub(super) renderer: Renderer,
    pub(super) files: Files,
    pub(super) shadow: Arc<Shadow>,
    pub(super) counts: Counts,
    /// Entries that were rendered, or told of in a gap, since the last flush.
    pub(super) taken: usize,
}

/// Whatever ends the writer, a panic among it: nobody is left to believe that it still writes.
struct Ending {
    queue: Arc<Queue>,
    status: Arc<Mutex<WriterStatus>>,
    /// It stops because it was told to, and has written everything.
    is_orderly: bool,
}

impl Drop for Ending {
    fn drop(&mut self) {
        // Who sees that it has ended sees why.
        let mut status = self.status.lock();
        let Unwritten { entries, untold } = self.queue.end();
        if !self.is_orderly {
            let before = status.last_error.take();
            let why = before.map_or_else(String::new, |before| format!(" ({before})"));
            let text = format!("its writer has ended{why}: the service must be started again");
            status.last_error = Some(text);
        }
        status.lost += entries + untold;
        drop(status);
        // What was dropped because the queue was full was counted then.
        metrics::counter!("charter_decision_log_lost_total").increment(entries);
        if !self.is_orderly || entries + untold > 0 {
            tracing::error!(
                decisions = entries + untold,
                "the decision log has ended without its last lines; so many decisions are missing, or were only written in part"
            );
        }
    }
}

/// The file that is written and what surrounds it.
pub(super) struct Files {
    pub(super) current: LogFile,
    pub(super) open: File,
    pub(super) length: u64,
    /// The number of the oldest file that is kept, as the first line of the current one says.
    pub(super) oldest: u64,
    pub(super) head: HeadFile,
    /// All that are known, to tell which first lines are authentic.
    pub(super) keys: Vec<Chain>,
    /// Rendered, and not yet in the file.
    pub(super) pending: Vec<u8>,
}

/// The writer was told to stop and cannot write.
struct GaveUp;

impl Writer {
    /// Runs until it is told to stop.
    pub(super) fn run(mut self) {
        let mut ending = Ending {
            queue: Arc::clone(&self.queue),
            status: Arc::clone(&self.status),
            is_orderly: false,
        };
        let mut batch = Vec::new();
        loop {
            let work = self.queue.take(&mut batch);
            let was_idle = batch.is_empty();
            let done = self.write(&mut batch, work.lost);
            self.counts.publish();
            if done.is_err() {
                break;
            }
            if work.stop && was_idle {
                ending.is_orderly = true;
                break;
            }
            if was_idle {
                self.prune();
            }
        }
        drop(ending);
        if let Err(error) = self.files.sync() {
            tracing::error!(%error, "the decision log could not be synced");
        }
    }

    fn write(&mut self, batch: &mut Vec<Entry>, lost: Option<Lost>) -> Result<(), GaveUp> {
        if let Some(lost) = lost {
            self.lost(lost);
        }
        let mut unwritable: usize = 0;
        for entry in batch.drain(..) {
            if self.is_time_for_a_new_file(&entry) {
                self.flush()?;
                self.rotate()?;
            }
            let decision = &entry.decision;
            self.counts.decision(decision.permission, decision.outcome);
            let principal = || self.renderer.principal(&entry);
            let other = self.shadow.differs(&entry, &mut self.counts, principal);
            let pending = &mut self.files.pending;
            match self.renderer.decision(&entry, other.as_ref(), pending) {
                Ok(()) => self.taken += 1,
                Err(error) => {
                    let error = error.to_string();
                    let error = self.renderer.fault(&error);
                    tracing::error!(decision = %entry.id, %error, "a decision cannot be written down");
                    unwritable += 1;
                }
            }
            if self.files.pending.len() >= CHUNK {
                self.flush()?;
            }
        }
        if unwritable > 0 {
            metrics::counter!("charter_decision_log_lost_total").increment(unwritable as u64);
            let now = self.clock.now();
            let lost = Lost {
                count: unwritable as u64,
                since: now,
                until: now,
            };
            self.lost(lost);
            self.taken += unwritable;
        }
        self.flush()
    }

    /// Says that decisions are missing, here and in the service's log.
    fn lost(&mut self, lost: Lost) {
        self.status.lock().lost += lost.count;
        tracing::error!(
            decisions = lost.count,
            "decisions are missing in the decision log"
        );
        let now = self.clock.now();
        self.renderer.gap(now, lost, &mut self.files.pending);
    }

    /// Writes what is pending, however long that takes.
    fn flush(&mut self) -> Result<(), GaveUp> {
        let head = Head::new(self.files.current.number, self.renderer.position);
        self.insist(|writer| writer.files.write(&head))?;
        // Who waited for the lines finds them counted.
        self.counts.publish();
        self.queue.wrote(std::mem::take(&mut self.taken));
        Ok(())
    }

    /// Begins the next file.
    fn rotate(&mut self) -> Result<(), GaveUp> {
        self.files.sync_apart();
        let now = self.clock.now();
        let dir = self.files.dir().to_owned();
        let number = self.files.current.number + 1;
        let next = LogFile::new(&dir, number, now.timestamp_millis());
        // What cannot be listed must not be taken for what is not there.
        let (files, _) = self.insist(|_| files::list(&dir))?;
        let oldest = self.oldest_to_keep(&files, number);
        let key = self.renderer.chain.id().to_owned();
        let body = FileBody {
            file: number,
            oldest,
            key: &key,
            version: env!("CARGO_PKG_VERSION"),
            unreadable_bytes: 0,
            missing_through: None,
            head_lost: false,
            first_line_lost: false,
        };
        let mut line = Vec::new();
        self.renderer.file(now, body, &mut line);
        self.insist(|writer| {
            writer.files.open = files::begin(&next, &line)?;
            Ok(())
        })?;
        let position = self.renderer.position;
        tracing::info!(
            target: "decisions",
            file = next.name(),
            sequence = position.sequence,
            mac = super::chain::encode(&position.mac),
            "the decision log goes on in another file"
        );
        self.files.current = next;
        self.files.oldest = oldest;
        self.files.length = line.len() as u64;
        self.prune();
        self.flush()
    }

    fn is_time_for_a_new_file(&self, entry: &Entry) -> bool {
        let written = self.files.length + self.files.pending.len() as u64;
        let age = entry.at.timestamp_millis() - self.files.current.begun;
        let is_old =
            u128::try_from(age).is_ok_and(|age| age >= self.limits.rotate_after.as_millis());
        written >= self.limits.rotate_bytes || is_old
    }

    /// The number of the oldest file that stays beside `newest`.
    fn oldest_to_keep(&self, files: &[LogFile], newest: u64) -> u64 {
        let by_number = newest.saturating_sub(self.limits.keep_files.saturating_sub(1));
        let by_age = self.first_young_enough(files);
        let oldest = by_number.max(by_age).max(self.files.oldest).min(newest);
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

    /// The number of the first file that is not too old; 0 if none is, or nobody can tell.
    fn first_young_enough(&self, files: &[LogFile]) -> u64 {
        let kept_for = i64::try_from(self.limits.keep_for.as_millis()).unwrap_or(i64::MAX);
        let confirmed = self.confirmed.now();
        let now = match confirmed {
            Ok(now) => now,
            Err(_) => self.clock.now(),
        };
        let too_old = now.timestamp_millis().saturating_sub(kept_for);
        // What a file holds is as young as the beginning of the one behind it. What is in front of
        // the first one that is there was removed when its time was over, or is missed. Names are
        // not believed: whoever renames files must not have them removed.
        let is_kept = |file: &LogFile| {
            let begun = begun(file, &self.files.keys);
            begun.is_none_or(|begun| begun >= too_old)
        };
        let first_kept = files.iter().position(is_kept).unwrap_or(files.len());
        let before = first_kept.checked_sub(1).and_then(|at| files.get(at));
        let by_age = before.map_or(0, |file| file.number);
        match confirmed {
            Ok(_) => by_age,
            Err(error) => {
                if files.first().is_some_and(|file| file.number < by_age) {
                    tracing::warn!(target: "decisions", %error, "decision files seem to be too old, they are kept until that is certain");
                }
                0
            }
        }
    }

    /// Removes files that the newest one's first line does not count any more.
    fn prune(&mut self) {
        let dir = self.files.dir();
        let Ok((files, _)) = files::list(dir) else {
            return;
        };
        let oldest = self.files.oldest;
        for file in files.iter().filter(|file| file.number < oldest) {
            match std::fs::remove_file(&file.path) {
                Ok(()) => {
                    tracing::info!(target: "decisions", file = file.name(), oldest, "an old decision file was deleted");
                }
                Err(error) => {
                    tracing::warn!(file = file.name(), %error, "an old decision file cannot be deleted");
                }
            }
        }
    }

    fn insist<T>(&mut self, work: impl Fn(&mut Self) -> io::Result<T>) -> Result<T, GaveUp> {
        let mut last_tries = 0;
        loop {
            match work(self) {
                Ok(done) => {
                    if self.status.lock().last_error.take().is_some() {
                        tracing::info!("the decision log is written again");
                    }
                    return Ok(done);
                }
                Err(error) => {
                    let text = error.to_string();
                    metrics::counter!("charter_decision_log_errors_total").increment(1);
                    let before = self.status.lock().last_error.replace(text);
                    if before.is_none() {
                        tracing::error!(%error, "the decision log cannot be written, it is tried again");
                    }
                    last_tries += usize::from(self.queue.pause(RETRY));
                    if last_tries > LAST_TRIES {
                        return Err(GaveUp);
                    }
                }
            }
        }
    }
}

/// When a file was begun, in milliseconds of Unix time; `None` if no key of ours says so.
fn begun(file: &LogFile, keys: &[Chain]) -> Option<i64> {
    let first_line = authentic_first_line(file, keys).ok()??;
    Some(timestamp::parse(&first_line.at).ok()?.timestamp_millis())
}

impl Files {
    fn dir(&self) -> &Path {
        self.current.path.parent().unwrap_or(Path::new("."))
    }

    /// Goes on where it was interrupted, so that a full disk leaves no torn line behind.
    fn write(&mut self, head: &Head) -> io::Result<()> {
        while !self.pending.is_empty() {
            let written = self.open.write(&self.pending)?;
            if written == 0 {
                return Err(io::ErrorKind::WriteZero.into());
            }
            self.pending.drain(..written);
            self.length += written as u64;
        }
        self.head.write(head)
    }

    /// Syncs the file that is finished on a thread of its own: that takes as long as the disk
    /// likes, and meanwhile the queue would fill up and requests would wait.
    fn sync_apart(&self) {
        let name = self.current.name();
        let synced = self.open.try_clone().and_then(|file| {
            std::thread::Builder::new()
                .name("decision-log-sync".to_owned())
                .spawn(move || {
                    if let Err(error) = file.sync_all() {
                        tracing::error!(file = name, %error, "a finished decision file could not be synced");
                    }
                })
        });
        if let Err(error) = synced {
            tracing::error!(%error, "a finished decision file is not synced");
        }
    }

    fn sync(&self) -> io::Result<()> {
        self.open.sync_all()?;
        self.head.sync()
    }
}
