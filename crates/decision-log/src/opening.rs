//! Opens the log: examines the previous run's files and continues the chain.

use std::cmp::Ordering;
use std::io;
use std::path::Path;

use super::chain::{Chain, ORIGIN, Position};
use super::config::DecisionLogConfig;
use super::file_index::FileIndex;
use super::files;
use super::find::FileIndexes;
use super::head::{LogHead, LogHeadFile};
use super::line_body::{FileBody, VERSION};
use super::line_renderer::LineRenderer;
use super::log_file::LogFile;
use super::open_error::OpenError;
use super::record::{authentic_first_line, first_line_length};
use super::tail::{Tail, has_line, tail};
use super::written_files::{WrittenFiles, lock};
use charter_domain::clock::Clock;
use charter_domain::timestamp::Timestamp;
use charter_system::{atomic, private};

pub(super) struct OpenedLog {
    pub(super) renderer: LineRenderer,
    pub(super) files: WrittenFiles,
    pub(super) indexes: FileIndexes,
}

/// The state that the previous run left.
struct PreviousRun {
    position: Position,
    /// The newest file and its length, if the chain can continue in it.
    reopen: Option<(LogFile, u64)>,
    newest: u64,
    /// Number of the oldest file that must exist.
    oldest: Option<u64>,
    unreadable_bytes: u64,
    missing_through: Option<u64>,
    head_lost: bool,
    /// The newest file does not say which one is the oldest.
    first_line_lost: bool,
}

impl PreviousRun {
    /// The first line of the next file, which records what was lost.
    fn first_line(
        &self,
        number: u64,
        oldest: u64,
        now: Timestamp,
        renderer: &mut LineRenderer,
    ) -> Vec<u8> {
        let key = renderer.chain.id().to_owned();
        let body = FileBody {
            unreadable_bytes: self.unreadable_bytes,
            missing_through: self.missing_through,
            head_lost: self.head_lost,
            first_line_lost: self.first_line_lost,
            ..FileBody::following(number, oldest, &key)
        };
        let mut line = Vec::new();
        renderer.file(now, body, &mut line);
        line
    }

    /// Sequence numbers must be unique, so the chain continues behind the lines that the head attests and the files
    /// lack.
    fn continue_behind(&mut self, head: &LogHead) {
        if head.sequence > self.position.sequence {
            self.missing_through = Some(head.sequence);
            self.position = Position {
                sequence: head.sequence,
                mac: head.mac().unwrap_or(self.position.mac),
            };
            self.newest = self.newest.max(head.file);
            self.reopen = None;
        }
    }
}

pub(super) fn open(config: DecisionLogConfig, clock: &dyn Clock) -> Result<OpenedLog, OpenError> {
    let failed = |path: &Path| {
        let path = path.to_owned();
        move |source| OpenError::Io { path, source }
    };
    let dir = &config.dir;
    private::create_dir(dir).map_err(failed(dir))?;
    let lock = lock(dir)?;
    atomic::remove_leftovers(dir).map_err(failed(dir))?;
    let chains: Vec<Chain> = config.keys.iter().map(Chain::new).collect();
    let chain = chains.first().cloned().ok_or(OpenError::NoKey)?;
    let mut left = inspect_previous_run(&config, &chains, chain.id()).map_err(failed(dir))?;
    log_problems(&left);
    let head = LogHeadFile::open(&config.head).map_err(failed(&config.head))?;
    if left.newest == 0 && !left.head_lost && left.missing_through.is_none() {
        // Written before the first file: a log without a head looks like one that lost it.
        head.write(&LogHead::origin())
            .map_err(failed(&config.head))?;
    }
    let index = match &left.reopen {
        Some((file, _)) => FileIndex::build(&file.path).map_err(failed(&file.path))?,
        None => FileIndex::default(),
    };
    let mut renderer = LineRenderer::new(chain, left.position, config.mask, index.numbers);
    let oldest = left.oldest.unwrap_or(left.newest + 1);
    let (current, open, length, first_line) = if let Some((file, length)) = left.reopen.take() {
        let open = files::append(&file.path).map_err(failed(&file.path))?;
        let first_line = first_line_length(&file.path).map_err(failed(&file.path))?;
        (file, open, length, first_line)
    } else {
        let (now, number) = (clock.now(), left.newest + 1);
        let file = LogFile::new(dir, number, now.timestamp_millis());
        let line = left.first_line(number, oldest, now, &mut renderer);
        let open = files::begin(&file, &line).map_err(failed(&file.path))?;
        let length = line.len() as u64;
        (file, open, length, length)
    };
    // The head is repaired only after the log records that it was broken.
    head.shorten().map_err(failed(&config.head))?;
    head.write(&LogHead::new(current.number, renderer.position))
        .map_err(failed(&config.head))?;
    let indexes = FileIndexes::default();
    indexes.begin(&current.path, index);
    for line in renderer.summaries.drain(..) {
        indexes.grow(|index| index.count(line.made_at, line.defined, line.length));
    }
    Ok(OpenedLog {
        indexes,
        files: WrittenFiles {
            current,
            open,
            length,
            first_line,
            oldest,
            head,
            keys: chains,
            pending: Vec::new(),
            lock,
        },
        renderer,
    })
}

fn inspect_previous_run(
    config: &DecisionLogConfig,
    chains: &[Chain],
    key: &str,
) -> io::Result<PreviousRun> {
    let (files, _) = files::list(&config.dir)?;
    let head = LogHead::read(&config.head)?;
    let is_first_start = files.is_empty() && head.is_none();
    let head = head.and_then(Result::ok);
    let mut left = PreviousRun {
        position: Position {
            sequence: 0,
            mac: ORIGIN,
        },
        reopen: None,
        newest: files.last().map_or(0, |file| file.number),
        oldest: None,
        unreadable_bytes: 0,
        missing_through: None,
        head_lost: false,
        first_line_lost: false,
    };
    let mut last = None;
    if let Some(newest) = files.last() {
        let Tail {
            last: found,
            unreadable_bytes,
            length,
        } = tail(&newest.path, chains)?;
        left.unreadable_bytes = unreadable_bytes;
        last = found;
        // Missing files must stay recorded as missing.
        let is_readable =
            authentic_first_line(newest, chains)?.is_none_or(|line| line.v == Some(VERSION));
        let OldestFile {
            number,
            is_recorded,
        } = oldest(&files, chains)?;
        left.oldest = Some(number);
        left.first_line_lost = !is_recorded;
        // A file of another format version is left as it is.
        if is_recorded && is_readable && last.is_some() && unreadable_bytes == 0 {
            left.reopen = Some((newest.clone(), length));
        }
    }
    if let Some((position, under)) = &last {
        left.position = *position;
        if under != key {
            left.reopen = None;
        }
    }
    let fits = match &head {
        Some(head) => is_consistent(head, left.position, &files)?,
        None => is_first_start,
    };
    if !fits {
        left.head_lost = true;
        left.reopen = None;
    }
    if let Some(head) = &head {
        left.continue_behind(head);
    }
    Ok(left)
}

/// The oldest file that must exist.
struct OldestFile {
    number: u64,
    /// Whether the newest file says so.
    is_recorded: bool,
}

/// If the newest file does not say it, an earlier one's lower number is used: the existing files prove nothing.
fn oldest(files: &[LogFile], chains: &[Chain]) -> io::Result<OldestFile> {
    for (age, file) in files.iter().rev().enumerate() {
        let recorded = authentic_first_line(file, chains)?.and_then(|line| line.oldest);
        if let Some(number) = recorded {
            let is_recorded = age == 0;
            return Ok(OldestFile {
                number,
                is_recorded,
            });
        }
    }
    Ok(OldestFile {
        number: 1,
        is_recorded: false,
    })
}

/// Whether the head can belong to this log: it attests one of its lines, or more lines than there are.
fn is_consistent(head: &LogHead, last: Position, files: &[LogFile]) -> io::Result<bool> {
    if head.is_origin() {
        // The process died while it began the first file.
        return Ok(last.sequence <= 1);
    }
    match head.sequence.cmp(&last.sequence) {
        Ordering::Greater => Ok(true),
        Ordering::Equal => Ok(head.mac() == Some(last.mac)),
        // The head is written after the lines, so it lags after a crash.
        Ordering::Less => match files.iter().find(|file| file.number == head.file) {
            Some(file) => has_line(file, head),
            None => Ok(false),
        },
    }
}

fn log_problems(left: &PreviousRun) {
    if left.head_lost {
        tracing::error!(
            "the head of the decision log is missing, invalid or of another log, so truncation cannot be detected; a new file records this"
        );
    }
    if left.first_line_lost {
        tracing::error!(
            oldest = left.oldest,
            "the first line of the newest decision file is not authentic, so an earlier one says which files are kept; a new file records this"
        );
    }
    if left.unreadable_bytes > 0 {
        tracing::warn!(
            bytes = left.unreadable_bytes,
            sequence = left.position.sequence,
            "the newest decision file ends within a line; the log continues in a new file"
        );
    }
    if let Some(through) = left.missing_through {
        tracing::error!(
            through,
            "lines are missing at the end of the decision log; `charter policy verify-log` reports which"
        );
    }
}
