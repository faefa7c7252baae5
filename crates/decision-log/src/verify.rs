//! Checks the log: every line against the chain, the files against each other, the end against
//! the head. It reads line by line and trusts nothing that it reads.

use std::fs::File;
use std::io::{self, BufRead as _, BufReader, Read as _};
use std::path::Path;

use super::body::VERSION;
use super::chain::{self, Chain, LogKey, Mac, ORIGIN};
use super::files;
use super::findings::{Finding, Located, Note, Report};
use super::head::Head;
use super::log_file::LogFile;
use super::read::{Kind, Meta};
use super::retention::is_over;

/// No line is longer.
const MAX_LINE_BYTES: u64 = 64 * 1024 * 1024;

/// Checks the log of a directory. `head` is the file of the head, if it is known.
/// An error is one of reading; what is wrong with the log is in the report.
pub fn verify(dir: &Path, head: Option<&Path>, keys: &[LogKey]) -> io::Result<Report> {
    // The head first: what is written meanwhile is in the files and not yet in it.
    let attested = head.map(Head::read).transpose()?.flatten();
    let (files, foreign) = files::list(dir)?;
    let mut verifier = Verifier {
        dir,
        listed: files
            .first()
            .zip(files.last())
            .map(|(first, last)| (first.number, last.number)),
        keys: keys.iter().map(Chain::new).collect(),
        report: Report::default(),
        chain: None,
        head: None,
        head_seen: false,
        version: None,
        end: End::default(),
        doubtful: Vec::new(),
    };
    for name in foreign {
        verifier.report.add(&name, None, Finding::Foreign);
    }
    if let Some(path) = head {
        let name = path.display().to_string();
        match attested {
            Some(Ok(head)) => verifier.head = Some(head),
            Some(Err(why)) => verifier.report.add(&name, None, Finding::BadHead(why)),
            None if !files.is_empty() => verifier.report.add(&name, None, Finding::NoHead),
            None => {}
        }
    }
    verifier.missing_files(&files);
    for (index, file) in files.iter().enumerate() {
        verifier.file(file, index + 1 == files.len())?;
    }
    verifier.end(&files);
    Ok(verifier.report)
}

struct Verifier<'a> {
    dir: &'a Path,
    /// The numbers of the oldest file and the newest.
    listed: Option<(u64, u64)>,
    keys: Vec<Chain>,
    report: Report,
    /// The line before: its number, and its code if it could be read.
    chain: Option<(u64, Option<Mac>)>,
    head: Option<Head>,
    head_seen: bool,
    /// Of the file that is read.
    version: Option<u8>,
    /// How the file that is read ends so far, or the one before did.
    end: End,
    /// Findings behind its last authentic line: a crash leaves such an end, and the next file's
    /// first line then says how long it is.
    doubtful: Vec<Located>,
}

/// The end of a file, as far as it can be trusted.
#[derive(Default)]
struct End {
    /// The file's number.
    file: u64,
    /// The last line that is authentic. None is in a file whose first line is not.
    authentic: Option<(u64, Mac)>,
    /// Bytes behind it.
    behind: u64,
}

/// What the lines of a file are checked with.
enum Checks {
    /// The key is not known, or not to be told.
    Nothing,
    /// Its codes, but who forged the first line may have made the others mean something else.
    Codes(Chain),
    /// Its codes, and what they attest counts.
    Authentic(Chain),
}

impl Checks {
    const fn key(&self) -> Option<&Chain> {
        match self {
            Self::Nothing => None,
            Self::Codes(key) | Self::Authentic(key) => Some(key),
        }
    }
}

impl Verifier<'_> {
    fn missing_files(&mut self, files: &[LogFile]) {
        for pair in files.windows(2) {
            let [before, after] = pair else { continue };
            if after.number == before.number {
                self.report.add(&after.name(), None, Finding::SameNumber);
            } else if after.number != before.number + 1 {
                let finding = Finding::MissingFiles(before.number + 1, after.number - 1);
                self.report.add(&after.name(), Some(1), finding);
            }
        }
    }

    fn file(&mut self, file: &LogFile, is_newest: bool) -> io::Result<()> {
        let open = match File::open(&file.path) {
            Ok(open) => open,
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                self.settle();
                if !is_over(file, self.dir, &self.keys)? {
                    let finding = Finding::MissingFiles(file.number, file.number);
                    self.report.add(&file.name(), None, finding);
                    return Ok(());
                }
                // Its time was over meanwhile.
                self.chain = None;
                self.end = End::default();
                return Ok(());
            }
            Err(error) => return Err(error),
        };
        self.report.files += 1;
        let mut reader = BufReader::with_capacity(256 * 1024, open);
        let mut checks = Checks::Nothing;
        let mut line = Vec::new();
        for number in 1_usize.. {
            line.clear();
            (&mut reader)
                .take(MAX_LINE_BYTES)
                .read_until(b'\n', &mut line)?;
            if line.is_empty() {
                if number == 1 {
                    self.begin(file, &line);
                    self.report.add(&file.name(), Some(1), Finding::NoFirstLine);
                }
                break;
            }
            let length = line.len() as u64;
            if line.pop_if(|last| *last == b'\n').is_none() {
                if number == 1 {
                    self.begin(file, &line);
                }
                self.unfinished(file, number, length, is_newest);
                break;
            }
            self.report.lines += 1;
            if number == 1 {
                checks = self.begin(file, &line);
            }
            self.line(file, number, &line, &checks);
        }
        if is_newest {
            self.settle();
        }
        Ok(())
    }

    /// The first line of a file: under which key it is, and what it says of the file before.
    fn begin(&mut self, file: &LogFile, line: &[u8]) -> Checks {
        let meta: Option<Meta> = serde_json::from_slice(line).ok();
        self.missing_before(file, meta.as_ref());
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
                self.told(file, &meta);
                Checks::Authentic(key)
            }
            (Some(key), _) => Checks::Codes(key),
            (None, meta) => {
                let finding = match named {
                    Some(named) => Some(Finding::UnknownKey(named)),
                    None => meta.map(|_| Finding::NoKey),
                };
                if let Some(finding) = finding {
                    self.report.add(&file.name(), Some(1), finding);
                }
                Checks::Nothing
            }
        };
        self.settle();
        self.end = End {
            file: file.number,
            ..End::default()
        };
        checks
    }

    /// What the newest file says of the oldest one. It is taken from the line that is checked: what
    /// is read twice may be two things.
    fn missing_before(&mut self, file: &LogFile, line: Option<&Meta>) {
        let Some((first, newest)) = self.listed else {
            return;
        };
        let oldest = line.and_then(|line| line.oldest);
        if let Some(oldest) = oldest.filter(|oldest| file.number == newest && *oldest < first) {
            let finding = Finding::MissingFiles(oldest, first - 1);
            self.report.add(&file.name(), Some(1), finding);
        }
    }

    /// What an authentic first line says of what was there when the service started.
    fn told(&mut self, file: &LogFile, meta: &Meta) {
        let told = meta.unreadable_bytes.unwrap_or(0);
        let is_next = self.end.file != 0 && self.end.file + 1 == file.number;
        if told > 0 && is_next {
            let behind = self.end.behind;
            if told != behind {
                let finding = Finding::OtherEnd(told, behind);
                self.report.add(&file.name(), Some(1), finding);
            } else if let Some((sequence, mac)) = self.end.authentic {
                self.report.note(&file.name(), 1, Note::TornBefore(told));
                self.doubtful.clear();
                // The end is excused, and nothing else: this line must follow what is in front.
                self.chain = Some((sequence, Some(mac)));
            }
        }
        if meta.head_lost == Some(true) {
            let name = file.name();
            self.report.add(&name, Some(1), Finding::HeadLost);
        }
        if meta.first_line_lost == Some(true) {
            let name = file.name();
            self.report.add(&name, Some(1), Finding::FirstLineLost);
        }
        if let Some(through) = meta.missing_through {
            let finding = Finding::MissingSinceRestart(through);
            self.report.add(&file.name(), Some(1), finding);
            // What is missing there is told once.
            self.chain = Some((through, None));
        }
    }

    fn line(&mut self, file: &LogFile, number: usize, line: &[u8], checks: &Checks) {
        let length = line.len() as u64 + 1;
        let parsed: Result<Meta, _> = serde_json::from_slice(line);
        let (Some((body, code)), Ok(meta)) = (chain::split(line), parsed) else {
            // The chain stays where it is: what would have stood here is missing.
            self.doubt(file, number, length, Finding::Malformed);
            return;
        };
        let mac = code.mac();
        let is_sound = checks.key().is_none_or(|key| key.made(body, code));
        if is_sound && matches!(checks, Checks::Authentic(_)) {
            // What stood in doubt before it is no torn end.
            self.settle();
            self.end.authentic = Some((meta.sequence, mac));
            self.end.behind = 0;
        } else {
            self.end.behind += length;
        }
        let mut found = Vec::new();
        if !is_sound {
            found.push(Finding::Altered(meta.sequence));
        }
        let is_first = number == 1;
        if is_first {
            self.version = meta.v;
        }
        match meta.v.or(self.version) {
            Some(1..=VERSION) => {}
            other => found.push(Finding::UnknownVersion(other.unwrap_or(0))),
        }
        let is_files = meta.file == Some(file.number)
            && meta.at.as_deref().is_some_and(|at| file.is_begun_at(at));
        if is_first != (meta.kind == Kind::File) || (is_first && !is_files) {
            found.push(Finding::WrongFile);
        }
        found.extend(self.out_of_place(file, &meta));
        // A crash leaves pieces of lines, never a whole one with another's code.
        self.settle();
        for finding in found {
            self.report.add(&file.name(), Some(number), finding);
        }
        match meta.kind {
            Kind::Decision => {
                self.report.decisions += 1;
                self.report.counted += meta.rest.unwrap_or(0);
            }
            Kind::Rest => self.report.counted += meta.count.unwrap_or(0),
            Kind::Gap => {
                let lost = meta.lost.unwrap_or(0);
                self.report.note(&file.name(), number, Note::Lost(lost));
            }
            Kind::File | Kind::Entity | Kind::Context | Kind::Case => {}
        }
        if let Some(head) = &self.head
            && head.sequence == meta.sequence
        {
            self.head_seen = true;
            if head.mac() != Some(mac) {
                let finding = Finding::OtherHead(meta.sequence);
                self.report.add(&file.name(), Some(number), finding);
            }
        }
        self.chain = Some((meta.sequence, Some(mac)));
    }

    /// Whether the line follows the one before it.
    fn out_of_place(&self, file: &LogFile, meta: &Meta) -> Option<Finding> {
        let before = match self.chain {
            Some(before) => before,
            None if file.number == 1 => (0, Some(ORIGIN)),
            // Older files were removed when their time was over.
            None => return None,
        };
        let (sequence, mac) = before;
        let expected = sequence.saturating_add(1);
        if meta.sequence > expected {
            return Some(Finding::Missing(expected, meta.sequence - 1));
        }
        let follows = mac.is_none_or(|mac| chain::decode(&meta.prev) == Some(mac));
        (meta.sequence < expected || !follows).then_some(Finding::OutOfPlace(meta.sequence))
    }

    fn unfinished(&mut self, file: &LogFile, number: usize, length: u64, is_newest: bool) {
        if is_newest {
            self.report
                .note(&file.name(), number, Note::Unfinished(length));
        } else {
            self.doubt(file, number, length, Finding::Torn(length));
        }
    }

    /// Remembers a finding until it is clear whether a crash explains it. It explains nothing in
    /// a file that has no authentic line to begin with.
    fn doubt(&mut self, file: &LogFile, number: usize, bytes: u64, finding: Finding) {
        self.end.behind += bytes;
        if self.end.authentic.is_none() {
            self.report.add(&file.name(), Some(number), finding);
            return;
        }
        self.doubtful.push(Located {
            file: file.name(),
            line: Some(number),
            finding,
        });
    }

    fn settle(&mut self) {
        self.report.findings.append(&mut self.doubtful);
    }

    fn end(&mut self, files: &[LogFile]) {
        self.settle();
        let is_seen = self.head_seen;
        // The head of an empty log: the process died when it had begun the first file.
        let is_origin =
            |head: &Head| head.is_origin() && self.chain.is_none_or(|(last, _)| last <= 1);
        let Some(head) = self.head.take().filter(|head| !is_seen && !is_origin(head)) else {
            return;
        };
        let last = self.chain.map_or(0, |(sequence, _)| sequence);
        let name = files.last().map_or_else(String::new, LogFile::name);
        if head.sequence > last {
            let finding = Finding::CutOff(last, head.sequence);
            self.report.add(&name, None, finding);
        } else {
            self.report.note(&name, 1, Note::OldHead(head.sequence));
        }
    }
}
