//! Verifies the log: lines against the chain, files against each other, the end against the head. Reads line by
//! line and trusts nothing.

use std::fs::File;
use std::io::{self, BufRead as _, BufReader, Read as _};
use std::path::Path;

use super::chain::{self, Chain, LogKey, Mac, ORIGIN};
use super::domain_cases::DomainCases;
use super::files;
use super::findings::{LocatedFinding, LogFinding, VerificationNote, VerificationReport};
use super::head::LogHead;
use super::line_body::VERSION;
use super::log_file::LogFile;
use super::record::{LineHeader, LineKind};
use super::retention::is_over;

/// More of one line is not read. A written line is shorter than `log_file::MAX_LINE_BYTES`.
const MAX_READ_BYTES: u64 = 64 * 1024 * 1024;

/// Verifies the log of a directory. `head` is the file of the head, if known. An error is one of
/// reading; anomalies of the log are in the report.
pub fn verify(dir: &Path, head: Option<&Path>, keys: &[LogKey]) -> io::Result<VerificationReport> {
    // The head first: lines written meanwhile are in the files but not yet in the head.
    let attested = head.map(LogHead::read).transpose()?.flatten();
    let (files, foreign) = files::list(dir)?;
    let mut verifier = Verifier {
        dir,
        listed: files
            .first()
            .zip(files.last())
            .map(|(first, last)| (first.number, last.number)),
        keys: keys.iter().map(Chain::new).collect(),
        report: VerificationReport::default(),
        chain: None,
        head: None,
        head_seen: false,
        version: None,
        end: FileEnd::default(),
        deferred: Vec::new(),
        domains: DomainCases::default(),
    };
    for name in foreign {
        verifier.report.add(&name, None, LogFinding::Foreign);
    }
    if let Some(path) = head {
        let name = path.display().to_string();
        match attested {
            Some(Ok(head)) => verifier.head = Some(head),
            Some(Err(why)) => verifier.report.add(&name, None, LogFinding::BadHead(why)),
            None if !files.is_empty() => verifier.report.add(&name, None, LogFinding::NoHead),
            None => {}
        }
    }
    verifier.check_file_numbers(&files);
    for (index, file) in files.iter().enumerate() {
        verifier.file(file, index + 1 == files.len())?;
    }
    verifier.end(&files);
    Ok(verifier.report)
}

struct Verifier<'a> {
    dir: &'a Path,
    /// Numbers of the oldest and the newest file.
    listed: Option<(u64, u64)>,
    keys: Vec<Chain>,
    report: VerificationReport,
    /// Number of the previous line, and its MAC if it could be read.
    chain: Option<(u64, Option<Mac>)>,
    head: Option<LogHead>,
    head_seen: bool,
    /// Format version of the current file.
    version: Option<u8>,
    /// The end of the current or previous file.
    end: FileEnd,
    /// Findings behind the last authentic line. A crash leaves such an end, and the next file's
    /// first line then records its length.
    deferred: Vec<LocatedFinding>,
    domains: DomainCases,
}

/// The end of a file, as far as it is authentic.
#[derive(Default)]
struct FileEnd {
    file: u64,
    /// The last authentic line. There is none if the first line is not authentic.
    authentic: Option<(u64, Mac)>,
    /// Number of bytes behind it.
    behind: u64,
}

/// How the lines of a file are authenticated.
enum LineAuthentication {
    /// The key is unknown.
    Nothing,
    /// MACs are checked, but a forged first line may have changed the meaning of the others.
    Codes(Chain),
    /// MACs are checked, and lines are trusted.
    Authentic(Chain),
}

impl LineAuthentication {
    const fn key(&self) -> Option<&Chain> {
        match self {
            Self::Nothing => None,
            Self::Codes(key) | Self::Authentic(key) => Some(key),
        }
    }
}

impl Verifier<'_> {
    fn check_file_numbers(&mut self, files: &[LogFile]) {
        for pair in files.windows(2) {
            let [before, after] = pair else { continue };
            if after.number == before.number {
                self.report.add(&after.name(), None, LogFinding::SameNumber);
            } else if after.number != before.number + 1 {
                let finding = LogFinding::MissingFiles(before.number + 1, after.number - 1);
                self.report.add(&after.name(), Some(1), finding);
            }
        }
    }

    fn file(&mut self, file: &LogFile, is_newest: bool) -> io::Result<()> {
        let open = match File::open(&file.path) {
            Ok(open) => open,
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                self.commit_deferred();
                if !is_over(file, self.dir, &self.keys)? {
                    let finding = LogFinding::MissingFiles(file.number, file.number);
                    self.report.add(&file.name(), None, finding);
                    return Ok(());
                }
                // The file has expired meanwhile.
                self.chain = None;
                self.end = FileEnd::default();
                return Ok(());
            }
            Err(error) => return Err(error),
        };
        self.report.files += 1;
        let mut reader = BufReader::with_capacity(256 * 1024, open);
        let mut checks = LineAuthentication::Nothing;
        let mut line = Vec::new();
        for number in 1_usize.. {
            line.clear();
            (&mut reader)
                .take(MAX_READ_BYTES)
                .read_until(b'\n', &mut line)?;
            if line.is_empty() {
                if number == 1 {
                    self.begin(file, &line);
                    self.report
                        .add(&file.name(), Some(1), LogFinding::NoFirstLine);
                }
                break;
            }
            let length = line.len() as u64;
            if line.pop_if(|last| *last == b'\n').is_none() {
                if number == 1 {
                    self.begin(file, &line);
                }
                self.unfinished_line(file, number, length, is_newest);
                break;
            }
            self.report.lines += 1;
            if number == 1 {
                checks = self.begin(file, &line);
            }
            self.line(file, number, &line, &checks);
        }
        if is_newest {
            self.commit_deferred();
        }
        Ok(())
    }

    /// Processes the first line of a file: its key, and what it records about the previous file.
    fn begin(&mut self, file: &LogFile, line: &[u8]) -> LineAuthentication {
        let meta: Option<LineHeader> = serde_json::from_slice(line).ok();
        self.check_oldest_file(file, meta.as_ref());
        let named = meta.as_ref().and_then(|meta| meta.key.clone());
        let key = self
            .keys
            .iter()
            .find(|key| Some(key.id()) == named.as_deref())
            .cloned();
        let authentic =
            |key: &Chain| chain::split(line).is_some_and(|(body, code)| key.made(body, code));
        let checks = match (key, meta) {
            (Some(key), Some(meta)) if authentic(&key) => {
                self.apply_first_line(file, &meta);
                LineAuthentication::Authentic(key)
            }
            (Some(key), _) => LineAuthentication::Codes(key),
            (None, meta) => {
                let finding = match named {
                    Some(named) => Some(LogFinding::UnknownKey(named)),
                    None => meta.map(|_| LogFinding::NoKey),
                };
                if let Some(finding) = finding {
                    self.report.add(&file.name(), Some(1), finding);
                }
                LineAuthentication::Nothing
            }
        };
        self.commit_deferred();
        self.domains = DomainCases::default();
        self.end = FileEnd {
            file: file.number,
            ..FileEnd::default()
        };
        checks
    }

    /// Checks the oldest file number in the newest file's first line, from the same read that is
    /// verified.
    fn check_oldest_file(&mut self, file: &LogFile, line: Option<&LineHeader>) {
        let Some((first, newest)) = self.listed else {
            return;
        };
        let oldest = line.and_then(|line| line.oldest);
        if let Some(oldest) = oldest.filter(|oldest| file.number == newest && *oldest < first) {
            let finding = LogFinding::MissingFiles(oldest, first - 1);
            self.report.add(&file.name(), Some(1), finding);
        }
    }

    /// Applies what an authentic first line records about the state at the start of the service.
    fn apply_first_line(&mut self, file: &LogFile, meta: &LineHeader) {
        let recorded = meta.unreadable_bytes.unwrap_or(0);
        let is_next = self.end.file != 0 && self.end.file + 1 == file.number;
        if recorded > 0 && is_next {
            let behind = self.end.behind;
            if recorded != behind {
                let finding = LogFinding::OtherEnd(recorded, behind);
                self.report.add(&file.name(), Some(1), finding);
            } else if let Some((sequence, mac)) = self.end.authentic {
                self.report
                    .note(&file.name(), 1, VerificationNote::TornBefore(recorded));
                self.deferred.clear();
                // Only the torn end is excused: this line must follow the last authentic one.
                self.chain = Some((sequence, Some(mac)));
            }
        }
        if meta.head_lost == Some(true) {
            let name = file.name();
            self.report.add(&name, Some(1), LogFinding::HeadLost);
        }
        if meta.first_line_lost == Some(true) {
            let name = file.name();
            self.report.add(&name, Some(1), LogFinding::FirstLineLost);
        }
        if let Some(through) = meta.missing_through {
            let finding = LogFinding::MissingSinceRestart(through);
            self.report.add(&file.name(), Some(1), finding);
            // Report the missing lines only once.
            self.chain = Some((through, None));
        }
    }

    fn line(&mut self, file: &LogFile, number: usize, line: &[u8], checks: &LineAuthentication) {
        let length = line.len() as u64 + 1;
        let parsed: Result<LineHeader, _> = serde_json::from_slice(line);
        let (Some((body, code)), Ok(meta)) = (chain::split(line), parsed) else {
            // The chain does not advance: the line that belongs here is missing.
            self.defer_finding(file, number, length, LogFinding::Malformed);
            return;
        };
        let mac = code.mac();
        let is_sound = checks.key().is_none_or(|key| key.made(body, code));
        if is_sound && matches!(checks, LineAuthentication::Authentic(_)) {
            // An authentic line follows, so the deferred findings are no torn end.
            self.commit_deferred();
            self.end.authentic = Some((meta.sequence, mac));
            self.end.behind = 0;
        } else {
            self.end.behind += length;
        }
        let mut found = Vec::new();
        if !is_sound {
            found.push(LogFinding::Altered(meta.sequence));
        }
        let is_first = number == 1;
        if is_first {
            self.version = meta.v;
        }
        match meta.v.or(self.version) {
            Some(1..=VERSION) => {}
            other => found.push(LogFinding::UnknownVersion(other.unwrap_or(0))),
        }
        let is_files = meta.file == Some(file.number)
            && meta.at.as_deref().is_some_and(|at| file.is_begun_at(at));
        if is_first != (meta.kind == LineKind::File) || (is_first && !is_files) {
            found.push(LogFinding::WrongFile);
        }
        found.extend(self.check_position(file, &meta));
        // A crash leaves partial lines, never a whole one with a wrong MAC.
        self.commit_deferred();
        for finding in found {
            self.report.add(&file.name(), Some(number), finding);
        }
        match meta.kind {
            LineKind::Gap => {
                let lost = meta.lost.unwrap_or(0);
                self.report
                    .note(&file.name(), number, VerificationNote::Lost(lost));
            }
            _ => self.domains.count(&meta, &mut self.report),
        }
        if let Some(head) = &self.head
            && head.sequence == meta.sequence
        {
            self.head_seen = true;
            if head.mac() != Some(mac) {
                let finding = LogFinding::OtherHead(meta.sequence);
                self.report.add(&file.name(), Some(number), finding);
            }
        }
        self.chain = Some((meta.sequence, Some(mac)));
    }

    /// Whether the line follows the previous one.
    fn check_position(&self, file: &LogFile, meta: &LineHeader) -> Option<LogFinding> {
        let before = match self.chain {
            Some(before) => before,
            None if file.number == 1 => (0, Some(ORIGIN)),
            // Older files have expired.
            None => return None,
        };
        let (sequence, mac) = before;
        let expected = sequence.saturating_add(1);
        if meta.sequence > expected {
            return Some(LogFinding::Missing(expected, meta.sequence - 1));
        }
        let follows = mac.is_none_or(|mac| chain::decode(&meta.prev) == Some(mac));
        (meta.sequence < expected || !follows).then_some(LogFinding::OutOfPlace(meta.sequence))
    }

    fn unfinished_line(&mut self, file: &LogFile, number: usize, length: u64, is_newest: bool) {
        if is_newest {
            self.report
                .note(&file.name(), number, VerificationNote::Unfinished(length));
        } else {
            self.defer_finding(file, number, length, LogFinding::Torn(length));
        }
    }

    /// Defers a finding until it is clear whether a crash explains it. In a file without an
    /// authentic line nothing is explained.
    fn defer_finding(&mut self, file: &LogFile, number: usize, bytes: u64, finding: LogFinding) {
        self.end.behind += bytes;
        if self.end.authentic.is_none() {
            self.report.add(&file.name(), Some(number), finding);
            return;
        }
        self.deferred.push(LocatedFinding {
            file: file.name(),
            line: Some(number),
            finding,
        });
    }

    fn commit_deferred(&mut self) {
        self.report.findings.append(&mut self.deferred);
    }

    fn end(&mut self, files: &[LogFile]) {
        self.commit_deferred();
        let is_seen = self.head_seen;
        // The head of an empty log: the process died while it began the first file.
        let is_origin =
            |head: &LogHead| head.is_origin() && self.chain.is_none_or(|(last, _)| last <= 1);
        let Some(head) = self.head.take().filter(|head| !is_seen && !is_origin(head)) else {
            return;
        };
        let last = self.chain.map_or(0, |(sequence, _)| sequence);
        let name = files.last().map_or_else(String::new, LogFile::name);
        if head.sequence > last {
            let finding = LogFinding::CutOff(last, head.sequence);
            self.report.add(&name, None, finding);
        } else {
            self.report
                .note(&name, 1, VerificationNote::OldHead(head.sequence));
        }
    }
}
