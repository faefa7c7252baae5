//! Opening the log: what the last run left behind, and where the chain goes on.

use std::cmp::Ordering;
use std::io;
use std::path::Path;

use super::body::{FileBody, VERSION};
use super::chain::{Chain, ORIGIN, Position};
use super::config::Config;
use super::files;
use super::find::Indexes;
use super::head::{Head, HeadFile};
use super::index::Index;
use super::line::Renderer;
use super::log_file::LogFile;
use super::open_error::OpenError;
use super::placed::{Files, lock};
use super::read::authentic_first_line;
use super::tail::{Tail, has_line, tail};
use charter_domain::clock::Clock;
use charter_system::private;

pub(super) struct Opened {
    pub(super) renderer: Renderer,
    pub(super) files: Files,
    pub(super) indexes: Indexes,
}

/// What the last run left behind.
struct Left {
    position: Position,
    /// The newest file and its length, if the chain can go on in it.
    reopen: Option<(LogFile, u64)>,
    newest: u64,
    /// The number of the oldest file that is kept, there or not.
    oldest: Option<u64>,
    unreadable_bytes: u64,
    missing_through: Option<u64>,
    head_lost: bool,
    /// The newest file does not say which one is the oldest.
    first_line_lost: bool,
}

pub(super) fn open(config: Config, clock: &dyn Clock) -> Result<Opened, OpenError> {
    let failed = |path: &Path| {
        let path = path.to_owned();
        move |source| OpenError::Io { path, source }
    };
    let dir = &config.dir;
    private::create_dir(dir).map_err(failed(dir))?;
    let lock = lock(dir)?;
    let chains: Vec<Chain> = config.keys.iter().map(Chain::new).collect();
    let chain = chains.first().cloned().ok_or(OpenError::NoKey)?;
    let left = left(&config, &chains, chain.id()).map_err(failed(dir))?;
    report(&left);
    let head = HeadFile::open(&config.head).map_err(failed(&config.head))?;
    if left.newest == 0 && !left.head_lost && left.missing_through.is_none() {
        // Before there is a file: one without a head would look like one whose head is lost.
        head.write(&Head::origin()).map_err(failed(&config.head))?;
    }
    let index = match &left.reopen {
        Some((file, _)) => Index::build(&file.path).map_err(failed(&file.path))?,
        None => Index::default(),
    };
    let mut renderer = Renderer::new(chain, left.position, config.mask, index.numbers);
    let oldest = left.oldest.unwrap_or(left.newest + 1);
    let (current, open, length) = if let Some((file, length)) = left.reopen {
        let open = files::append(&file.path).map_err(failed(&file.path))?;
        (file, open, length)
    } else {
        let now = clock.now();
        let number = left.newest + 1;
        let file = LogFile::new(dir, number, now.timestamp_millis());
        let key = renderer.chain.id().to_owned();
        let body = FileBody {
            unreadable_bytes: left.unreadable_bytes,
            missing_through: left.missing_through,
            head_lost: left.head_lost,
            first_line_lost: left.first_line_lost,
            ..FileBody::following(number, oldest, &key)
        };
        let mut line = Vec::new();
        renderer.file(now, body, &mut line);
        let open = files::begin(&file, &line).map_err(failed(&file.path))?;
        (file, open, line.len() as u64)
    };
    // Only now is it told in the log that the head was broken: it must not heal before.
    head.shorten().map_err(failed(&config.head))?;
    head.write(&Head::new(current.number, renderer.position))
        .map_err(failed(&config.head))?;
    let indexes = Indexes::default();
    indexes.begin(&current.path, index);
    for line in renderer.noted.drain(..) {
        indexes.grow(|index| index.count(line.made_at, line.defined, line.length));
    }
    Ok(Opened {
        indexes,
        files: Files {
            current,
            open,
            length,
            oldest,
            head,
            keys: chains,
            pending: Vec::new(),
            lock,
        },
        renderer,
    })
}

fn left(config: &Config, chains: &[Chain], key: &str) -> io::Result<Left> {
    let (files, _) = files::list(&config.dir)?;
    let head = Head::read(&config.head)?;
    let is_first_start = files.is_empty() && head.is_none();
    let head = head.and_then(Result::ok);
    let mut left = Left {
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
        // A file that is gone and should not be must not be forgotten.
        let is_readable =
            authentic_first_line(newest, chains)?.is_none_or(|line| line.v == Some(VERSION));
        let (oldest, is_told) = oldest(&files, chains)?;
        left.oldest = Some(oldest);
        left.first_line_lost = !is_told;
        // A file of another version is left as it is, and another begun.
        if is_told && is_readable && last.is_some() && unreadable_bytes == 0 {
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
        Some(head) => fits(head, left.position, &files)?,
        None => is_first_start,
    };
    if !fits {
        left.head_lost = true;
        left.reopen = None;
    }
    if let Some(head) = head
        && head.sequence > left.position.sequence
    {
        // Nothing may stand twice under one number, so the chain goes on behind what is missing.
        left.missing_through = Some(head.sequence);
        left.position = Position {
            sequence: head.sequence,
            mac: head.mac().unwrap_or(left.position.mac),
        };
        left.newest = left.newest.max(head.file);
        left.reopen = None;
    }
    Ok(left)
}

/// The number of the oldest file that is to be there, and whether the newest one tells it.
/// Otherwise it is an earlier one's, as low as it was then: what is there proves nothing.
fn oldest(files: &[LogFile], chains: &[Chain]) -> io::Result<(u64, bool)> {
    for (age, file) in files.iter().rev().enumerate() {
        let told = authentic_first_line(file, chains)?.and_then(|line| line.oldest);
        if let Some(oldest) = told {
            return Ok((oldest, age == 0));
        }
    }
    Ok((1, false))
}

/// Whether the head may be what this log left behind: it attests one of its lines, or more lines
/// than there are.
fn fits(head: &Head, last: Position, files: &[LogFile]) -> io::Result<bool> {
    if head.is_origin() {
        // The process died when it had begun the first file, or before.
        return Ok(last.sequence <= 1);
    }
    match head.sequence.cmp(&last.sequence) {
        Ordering::Greater => Ok(true),
        Ordering::Equal => Ok(head.mac() == Some(last.mac)),
        // It is written behind the lines, so it lags after a crash.
        Ordering::Less => match files.iter().find(|file| file.number == head.file) {
            Some(file) => has_line(file, head),
            None => Ok(false),
        },
    }
}

fn report(left: &Left) {
    if left.head_lost {
        tracing::error!(
            "the head of the decision log is missing, broken or of another log: a cut end would not show; the log goes on in another file that says so"
        );
    }
    if left.first_line_lost {
        tracing::error!(
            oldest = left.oldest,
            "the first line of the newest decision file is not as it was written: an earlier one says which files are kept; the log goes on in another file that says so"
        );
    }
    if left.unreadable_bytes > 0 {
        tracing::warn!(
            bytes = left.unreadable_bytes,
            sequence = left.position.sequence,
            "the newest decision file ends in the middle of a line; the log goes on in another file"
        );
    }
    if let Some(through) = left.missing_through {
        tracing::error!(
            through,
            "the decision log was longer than it is now: lines are missing, `charter policy verify-log` says which"
        );
    }
}
