//! Reads the part of the log that is judged, and refuses a log that does not have all of it.

use std::io;
use std::path::{Path, PathBuf};

use charter_decision_log::{
    CountedDecisions, DecisionRecord, FileStart, LogGap, LogLine, files_since,
};
use charter_domain::progress::Progress;
use charter_domain::timestamp::{self, Timestamp};

use crate::replay::log_reader::LogReader;

/// The time that is judged.
#[derive(Debug, Clone, Copy)]
pub struct LogPeriod {
    /// Inclusive.
    pub since: Timestamp,
    /// Exclusive; `None` for where the log ends.
    pub until: Option<Timestamp>,
}

/// Why nothing is advised.
#[derive(Debug, thiserror::Error)]
pub enum RefusedAdvice {
    /// The log does not have every decision of the time.
    #[error("the log covers less than was asked: {0}")]
    Uncovered(String),
    /// Some decisions cannot be asked again.
    #[error("{0}")]
    Unjudged(String),
    /// The subject is unknown, or grants nothing.
    #[error("{0}")]
    Subject(String),
    /// The log cannot be read.
    #[error("the decision log `{0}` cannot be read: {1}")]
    Log(PathBuf, io::Error),
    /// Policies cannot be edited, loaded or compared.
    #[error("{0}")]
    Policies(String),
}

/// The recorded decisions.
pub(super) enum LogItem {
    Decision(Box<DecisionRecord>),
    Counted(Box<CountedDecisions>),
}

/// Reads every decision of the period; returns the time of each log's last line.
pub(super) fn read(
    logs: &[PathBuf],
    period: LogPeriod,
    progress: &Progress,
    visit: &mut dyn FnMut(LogItem) -> Result<(), RefusedAdvice>,
) -> Result<Vec<Timestamp>, RefusedAdvice> {
    let mut ends = Vec::new();
    for log in logs {
        let unreadable = |error| RefusedAdvice::Log(log.clone(), error);
        let since = period.since.timestamp_millis();
        let files = files_since(log, since).map_err(unreadable)?;
        let Some(&(_, begun)) = files.first() else {
            return uncovered(format!("`{}` has no decision log", log.display()));
        };
        if begun > since {
            let begun = Timestamp::from_timestamp_millis(begun).unwrap_or_default();
            return uncovered(format!(
                "`{}` begins at {}, after {}",
                log.display(),
                timestamp::format_millis(begun),
                timestamp::format(period.since)
            ));
        }
        let mut pass = LogPass {
            period,
            last_file: None,
            end: Timestamp::MIN_UTC,
        };
        for (file, _) in files {
            pass.read(&file, progress, visit)?;
        }
        let asked = period.until.unwrap_or(period.since);
        if pass.end < asked {
            return uncovered(format!(
                "`{}` ends at {}, before {}",
                log.display(),
                timestamp::format_millis(pass.end),
                timestamp::format(asked)
            ));
        }
        ends.push(pass.end);
    }
    Ok(ends)
}

fn uncovered<T>(what: String) -> Result<T, RefusedAdvice> {
    Err(RefusedAdvice::Uncovered(what))
}

struct LogPass {
    period: LogPeriod,
    last_file: Option<u64>,
    /// Time of the last line so far.
    end: Timestamp,
}

impl LogPass {
    fn read(
        &mut self,
        file: &Path,
        progress: &Progress,
        visit: &mut dyn FnMut(LogItem) -> Result<(), RefusedAdvice>,
    ) -> Result<(), RefusedAdvice> {
        let unreadable = |error| RefusedAdvice::Log(file.to_owned(), error);
        let mut reader = LogReader::open(file, progress).map_err(unreadable)?;
        while let Some(chunk) = reader.next().map_err(unreadable)? {
            let lines = chunk.text.split_inclusive(|byte| *byte == b'\n');
            for (number, line) in (chunk.first_line..).zip(lines) {
                let read = chunk.definitions.read().read(line);
                match read {
                    Ok(line) => self.line(file, line, visit)?,
                    // An incomplete line, from a crash or a write in progress.
                    Err(_) if line.last() != Some(&b'\n') => {}
                    Err(error) => {
                        return uncovered(format!("{}:{number}: {error}", chunk.file));
                    }
                }
            }
        }
        Ok(())
    }

    fn line(
        &mut self,
        file: &Path,
        line: LogLine,
        visit: &mut dyn FnMut(LogItem) -> Result<(), RefusedAdvice>,
    ) -> Result<(), RefusedAdvice> {
        match line {
            LogLine::Decision(record) => {
                let Ok(at) = timestamp::parse(&record.at) else {
                    return uncovered(format!(
                        "`{}`: the time of `{}` cannot be read",
                        file.display(),
                        record.id
                    ));
                };
                if self.includes(at) {
                    visit(LogItem::Decision(record))?;
                }
            }
            LogLine::Counted(counted) => {
                if self.includes(counted.until) {
                    visit(LogItem::Counted(counted))?;
                }
            }
            LogLine::File(start) => self.file(file, start)?,
            LogLine::Gap(gap) => self.gap(gap)?,
            LogLine::Other => {}
        }
        Ok(())
    }

    fn includes(&mut self, at: Timestamp) -> bool {
        self.end = self.end.max(at);
        at >= self.period.since && !self.is_after(at)
    }

    fn file(&mut self, file: &Path, start: FileStart) -> Result<(), RefusedAdvice> {
        let before = self.last_file.replace(start.number);
        let is_next = before.is_none_or(|before| before + 1 == start.number);
        // Missing lines were written between the previous line and this one.
        let missing_since = self.end;
        self.end = self.end.max(start.at);
        let is_over = start.at < self.period.since;
        if (is_next && !start.has_loss_before) || is_over || self.is_after(missing_since) {
            return Ok(());
        }
        uncovered(format!("lines are missing before `{}`", file.display()))
    }

    fn is_after(&self, at: Timestamp) -> bool {
        self.period.until.is_some_and(|until| at >= until)
    }

    fn gap(&mut self, gap: LogGap) -> Result<(), RefusedAdvice> {
        self.end = self.end.max(gap.until);
        let is_over = gap.until < self.period.since;
        if is_over || self.is_after(gap.since) {
            return Ok(());
        }
        uncovered(format!(
            "{} decisions between {} and {} are not on record",
            gap.lost,
            timestamp::format_millis(gap.since),
            timestamp::format_millis(gap.until)
        ))
    }
}
