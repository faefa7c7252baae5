//! Checks the log: every line against the chain, the files against each other, the end against
//! the head. It reads line by line and trusts nothing that it reads.

use std::fs::File;
use std::io::{self, BufRead as _, BufReader, Read as _};
use std::path::Path;

use super::chain::{self, Chain, LogKey, Mac, ORIGIN};
use super::files::{self, LogFile};
use super::findings::{Finding, Located, Note, Report};
use super::head::Head;
use super::line::VERSION;
use super::read::{Kind, Meta, first_line};

/// No line is longer.
const LONGEST_LINE: u64 = 64 * 1024 * 1024;

/// Checks the log of a directory. `head` is the file of the head, if it is known.
///
/// # Errors
///
/// The directory or a file cannot be read. What is wrong with the log is in the report.
pub fn verify(dir: &Path, head: Option<&Path>, keys: &[LogKey]) -> io::Result<Report> {
    // The head first: what is written meanwhile is in the files and not yet in it.
    let attested = head.map(Head::read).transpose()?.flatten();
    let (files, foreign) = files::list(dir)?;
    let mut verifier = Verifier {
        keys: keys.iter().filter_map(Chain::new).collect(),
        report: Report::default(),
        chain: None,
        head: None,
        head_seen: false,
        doubtful: Vec::new(),
        doubtful_bytes: 0,
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
    verifier.missing_files(&files)?;
    for (index, file) in files.iter().enumerate() {
        verifier.file(file, index + 1 == files.len())?;
    }
    verifier.end(&files);
    Ok(verifier.report)
}

struct Verifier {
    keys: Vec<Chain>,
    report: Report,
    /// The line before: its number, and its code if it could be read.
    chain: Option<(u64, Option<Mac>)>,
    head: Option<Head>,
    head_seen: bool,
    /// Findings behind the last authentic line of a file: a crash leaves such an end, and the next
    /// file's first line then says how long it is.
    doubtful: Vec<Located>,
    doubtful_bytes: u64,
}

impl Verifier {
    fn missing_files(&mut self, files: &[LogFile]) -> io::Result<()> {
        let (Some(first), Some(newest)) = (files.first(), files.last()) else {
            return Ok(());
        };
        let oldest = first_line(&newest.path)?.and_then(|line| line.oldest);
        if let Some(oldest) = oldest.filter(|oldest| *oldest < first.number) {
            let through = first.number - 1;
            let finding = Finding::MissingFiles(oldest, through);
            self.report.add(&newest.name(), Some(1), finding);
        }
        for pair in files.windows(2) {
            let [before, after] = pair else { continue };
            if after.number == before.number {
                self.report.add(&after.name(), None, Finding::SameNumber);
            } else if after.number != before.number + 1 {
                let finding = Finding::MissingFiles(before.number + 1, after.number - 1);
                self.report.add(&after.name(), Some(1), finding);
            }
        }
        Ok(())
    }

    fn file(&mut self, file: &LogFile, is_newest: bool) -> io::Result<()> {
        let open = match File::open(&file.path) {
            Ok(open) => open,
            // Its time was over meanwhile.
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                self.chain = None;
                return Ok(());
            }
            Err(error) => return Err(error),
        };
        self.report.files += 1;
        let mut reader = BufReader::with_capacity(256 * 1024, open);
        let mut key = None;
        let mut line = Vec::new();
        for number in 1_usize.. {
            line.clear();
            (&mut reader)
                .take(LONGEST_LINE)
                .read_until(b'\n', &mut line)?;
            if line.is_empty() {
                if number == 1 {
                    self.doubt(file, 1, 0, Finding::NoFirstLine);
                }
                break;
            }
            let length = line.len() as u64;
            if line.pop_if(|last| *last == b'\n').is_none() {
                self.unfinished(file, number, length, is_newest);
                break;
            }
            self.report.lines += 1;
            if number == 1 {
                key = self.begin(file, &line);
            }
            self.line(file, number, &line, key.as_ref());
        }
        if is_newest {
            self.settle();
        }
        Ok(())
    }

    /// The first line of a file: under which key it is, and what it says of the file before.
    fn begin(&mut self, file: &LogFile, line: &[u8]) -> Option<Chain> {
        let meta: Option<Meta> = serde_json::from_slice(line).ok();
        let named = meta.as_ref().and_then(|meta| meta.key.clone());
        let key = self
            .keys
            .iter()
            .find(|key| Some(key.id()) == named.as_deref())
            .cloned();
        let authentic =
            |key: &Chain| chain::split(line).is_some_and(|(body, mac)| key.mac(body) == mac);
        if let Some(meta) = meta.filter(|_| key.as_ref().is_some_and(authentic)) {
            let told = meta.unreadable_bytes.unwrap_or(0);
            if told > 0 && told == self.doubtful_bytes {
                let bytes = self.doubtful_bytes;
                self.report.note(&file.name(), 1, Note::TornBefore(bytes));
                self.doubtful.clear();
            }
            if let Some(through) = meta.missing_through {
                let finding = Finding::MissingSinceRestart(through);
                self.report.add(&file.name(), Some(1), finding);
                // What is missing there is told once.
                self.chain = Some((through, None));
            }
        } else if let Some(named) = named.filter(|_| key.is_none()) {
            let finding = Finding::UnknownKey(named);
            self.report.add(&file.name(), Some(1), finding);
        }
        self.settle();
        key
    }

    fn line(&mut self, file: &LogFile, number: usize, line: &[u8], key: Option<&Chain>) {
        let length = line.len() as u64 + 1;
        let parsed: Result<Meta, _> = serde_json::from_slice(line);
        let (Some((body, mac)), Ok(meta)) = (chain::split(line), parsed) else {
            self.doubt(file, number, length, Finding::Malformed);
            self.chain = self.chain.map(|(sequence, _)| (sequence + 1, None));
            return;
        };
        let is_authentic = key.is_none_or(|key| key.mac(body) == mac);
        if is_authentic && key.is_some() {
            // What stood in doubt before it is no torn end.
            self.settle();
        }
        let mut found = Vec::new();
        if !is_authentic {
            found.push(Finding::Altered(meta.sequence));
        }
        if meta.v != VERSION {
            found.push(Finding::UnknownVersion(meta.v));
        }
        let is_first = number == 1;
        if is_first != (meta.kind == Kind::File) || (is_first && meta.file != Some(file.number)) {
            found.push(Finding::WrongFile);
        }
        found.extend(self.out_of_place(file, &meta));
        for finding in found {
            self.doubt(file, number, if is_authentic { 0 } else { length }, finding);
        }
        match meta.kind {
            Kind::Decision => self.report.decisions += 1,
            Kind::Gap => {
                let lost = meta.lost.unwrap_or(0);
                self.report.note(&file.name(), number, Note::Lost(lost));
            }
            Kind::File => {}
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

    /// Remembers a finding until it is clear whether a crash explains it.
    fn doubt(&mut self, file: &LogFile, number: usize, bytes: u64, finding: Finding) {
        let (file, line) = (file.name(), Some(number));
        let located = Located {
            file,
            line,
            finding,
        };
        if bytes == 0 {
            self.settle();
            self.report.findings.push(located);
        } else {
            self.doubtful.push(located);
            self.doubtful_bytes += bytes;
        }
    }

    fn settle(&mut self) {
        self.report.findings.append(&mut self.doubtful);
        self.doubtful_bytes = 0;
    }

    fn end(&mut self, files: &[LogFile]) {
        self.settle();
        let Some(head) = self.head.take().filter(|_| !self.head_seen) else {
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
