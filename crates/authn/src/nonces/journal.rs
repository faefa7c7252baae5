//! The journal of a bucket: a header, then a record of fixed size for each nonce. Appended records survive a crash of
//! the process (they are in the page cache), and after [`Journal::stop`] one of the machine.

use std::fs::{File, OpenOptions};
use std::io::{self, BufReader, Read as _, Write as _};
use std::path::Path;

use parking_lot::Mutex;

use super::fingerprint::Fingerprints;
use super::half_minute::HalfMinute;
use charter_system::{atomic, private};

const MAGIC: &[u8; 8] = b"CHRPLAY1";
const HEADER: usize = 16;
const RECORD: usize = 40;

/// Why a journal could not be read back. Its bucket must stay closed.
#[derive(Debug, thiserror::Error)]
pub(super) enum ReadError {
    #[error("{0}")]
    Io(#[from] io::Error),
    /// Damaged, or written by another program, for another half minute or under another key.
    #[error("it is damaged or was written under another replay key")]
    Corrupt,
    /// Fewer records than were counted.
    #[error("records are missing")]
    Incomplete,
}

/// One remembered nonce.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Record {
    /// The access key's id.
    pub(super) key: u128,
    /// The hash of key and nonce.
    pub(super) fingerprint: u128,
}

/// An open journal.
pub(super) struct Journal {
    file: Mutex<Appender>,
}

struct Appender {
    file: File,
    /// Bytes of the header and of whole records.
    len: u64,
    /// Whether a failed append may have left part of a record behind.
    torn: bool,
    stopped: bool,
}

impl Journal {
    /// Creates a journal durably: the file marks that the half minute may hold nonces.
    pub(super) fn create(
        path: &Path,
        id: HalfMinute,
        fingerprints: &Fingerprints,
    ) -> io::Result<Self> {
        atomic::replace_private(path, &header(id, fingerprints))?;
        let file = private::open(path, OpenOptions::new().append(true))?;
        Ok(Self::appending(file, HEADER as u64))
    }

    /// Reads a journal back and opens it for appending. An incomplete record at the end is cut off: its nonce was never
    /// accepted.
    pub(super) fn reopen(
        path: &Path,
        id: HalfMinute,
        fingerprints: &Fingerprints,
        mut each: impl FnMut(Record),
    ) -> Result<Self, ReadError> {
        let file = private::open(path, OpenOptions::new().read(true).append(true))?;
        let mut reader = BufReader::with_capacity(RECORD * 4096, &file);
        let mut found = [0; HEADER];
        if fill(&mut reader, &mut found)? < HEADER || found != header(id, fingerprints) {
            return Err(ReadError::Corrupt);
        }
        let mut len = HEADER as u64;
        let mut bytes = [0; RECORD];
        let torn = loop {
            let read = fill(&mut reader, &mut bytes)?;
            if read < RECORD {
                break read > 0;
            }
            each(Record::decode(id, &bytes, fingerprints).ok_or(ReadError::Corrupt)?);
            len = len.saturating_add(RECORD as u64);
        };
        if torn {
            file.set_len(len)?;
        }
        Ok(Self::appending(file, len))
    }

    fn appending(file: File, len: u64) -> Self {
        Self {
            file: Mutex::new(Appender {
                file,
                len,
                torn: false,
                stopped: false,
            }),
        }
    }

    /// Writes encoded records, all or none, and calls `count` with the new number of records.
    pub(super) fn append(
        &self,
        records: &[u8],
        count: impl FnOnce(u64) -> io::Result<()>,
    ) -> io::Result<()> {
        let mut appender = self.file.lock();
        appender.append(records)?;
        count(appender.records())
    }

    /// The number of records.
    pub(super) fn records(&self) -> u64 {
        self.file.lock().records()
    }

    /// Whether a path still names this file, at its full length.
    pub(super) fn is_whole_at(&self, path: &Path) -> io::Result<bool> {
        let appender = self.file.lock();
        Ok(
            appender.file.metadata()?.len() >= appender.len
                && private::is_at(&appender.file, path)?,
        )
    }

    /// Syncs the file and refuses further appends.
    pub(super) fn stop(&self) -> io::Result<()> {
        let mut appender = self.file.lock();
        appender.stopped = true;
        appender.file.sync_all()
    }

    /// Appends go to `file` from now on, to see how they fail.
    #[cfg(test)]
    pub(super) fn replace_file(&self, file: File) -> File {
        std::mem::replace(&mut self.file.lock().file, file)
    }
}

impl Appender {
    const fn records(&self) -> u64 {
        self.len.saturating_sub(HEADER as u64) / RECORD as u64
    }

    fn append(&mut self, records: &[u8]) -> io::Result<()> {
        if self.stopped {
            return Err(io::Error::other("the replay guard has stopped"));
        }
        if self.torn {
            self.file.set_len(self.len)?;
            self.torn = false;
        }
        // Set first: whatever goes wrong, the next append starts at a whole record.
        self.torn = true;
        self.file.write_all(records)?;
        self.torn = false;
        self.len = self.len.saturating_add(records.len() as u64);
        Ok(())
    }
}

impl Record {
    /// The record in the journal of that half minute.
    pub(super) fn encode(self, id: HalfMinute, fingerprints: &Fingerprints) -> [u8; RECORD] {
        let content = [self.key.to_le_bytes(), self.fingerprint.to_le_bytes()];
        let content = content.as_flattened();
        let check = fingerprints.check(id, content);
        let mut bytes = [0; RECORD];
        for (to, from) in bytes.iter_mut().zip(content.iter().chain(&check)) {
            *to = *from;
        }
        bytes
    }

    fn decode(id: HalfMinute, bytes: &[u8; RECORD], fingerprints: &Fingerprints) -> Option<Self> {
        let (key, rest) = bytes.split_first_chunk()?;
        let (fingerprint, check) = rest.split_first_chunk()?;
        let record = Self {
            key: u128::from_le_bytes(*key),
            fingerprint: u128::from_le_bytes(*fingerprint),
        };
        let (content, _) = bytes.split_at_checked(32)?;
        (fingerprints.check(id, content) == check).then_some(record)
    }
}

fn header(id: HalfMinute, fingerprints: &Fingerprints) -> [u8; HEADER] {
    let mut bytes = [0; HEADER];
    bytes.copy_from_slice([*MAGIC, fingerprints.check(id, MAGIC)].as_flattened());
    bytes
}

/// Reads until the buffer is full or the file ends; returns the number of bytes.
fn fill(reader: &mut impl io::Read, buffer: &mut [u8]) -> io::Result<usize> {
    let wanted = buffer.len();
    let mut rest = buffer;
    let mut limited = reader.take(wanted as u64);
    io::copy(&mut limited, &mut rest).map(|read| usize::try_from(read).unwrap_or(wanted))
}

#[cfg(test)]
mod tests {
    use secrecy::SecretBox;

    use super::*;

    const ID: HalfMinute = HalfMinute(58_000_000);

    fn fingerprints(key: u8) -> Fingerprints {
        Fingerprints::new(&SecretBox::new(Box::new([key; 32])))
    }

    fn record(n: u128) -> Record {
        Record {
            key: n << 70,
            fingerprint: u128::MAX - n,
        }
    }

    fn read(path: &Path, key: u8) -> Result<Vec<Record>, ReadError> {
        let mut records = Vec::new();
        Journal::reopen(path, ID, &fingerprints(key), |record| records.push(record))?;
        Ok(records)
    }

    fn append(journal: &Journal, n: u128) -> io::Result<()> {
        journal.append(&record(n).encode(ID, &fingerprints(1)), |_| Ok(()))
    }

    fn journal_of(path: &Path, records: u128) -> Journal {
        let journal = Journal::create(path, ID, &fingerprints(1)).expect("a journal");
        for n in 0..records {
            let appended = append(&journal, n);
            appended.expect("a record");
        }
        journal
    }

    #[test]
    fn appended_nonces_are_read_back_whatever_byte_the_end_is_torn_at() {
        let directory = tempfile::tempdir().expect("a directory");
        let path = directory.path().join("journal");
        journal_of(&path, 3);
        let whole = std::fs::read(&path).expect("bytes");
        assert_eq!(whole.len(), HEADER + 3 * RECORD);
        for len in 0..=whole.len() {
            std::fs::write(&path, &whole[..len]).expect("written");
            if len < HEADER {
                assert!(matches!(read(&path, 1), Err(ReadError::Corrupt)), "{len}");
                continue;
            }
            let kept = (len - HEADER) / RECORD;
            let expected: Vec<_> = (0..kept as u128).map(record).collect();
            assert_eq!(read(&path, 1).expect("readable"), expected, "{len}");
            // What comes next starts at a whole record again.
            let journal = Journal::reopen(&path, ID, &fingerprints(1), drop).expect("a journal");
            let appended = append(&journal, 9);
            appended.expect("a record");
            assert_eq!(read(&path, 1).expect("readable").last(), Some(&record(9)));
        }
    }

    #[test]
    fn a_changed_byte_anywhere_makes_it_corrupt() {
        let directory = tempfile::tempdir().expect("a directory");
        let path = directory.path().join("journal");
        journal_of(&path, 2);
        let whole = std::fs::read(&path).expect("bytes");
        for at in 0..whole.len() {
            let mut damaged = whole.clone();
            damaged[at] ^= 1;
            std::fs::write(&path, &damaged).expect("written");
            assert!(matches!(read(&path, 1), Err(ReadError::Corrupt)), "{at}");
        }
    }

    #[test]
    fn another_key_or_another_half_minute_makes_it_corrupt() {
        let directory = tempfile::tempdir().expect("a directory");
        let path = directory.path().join("journal");
        journal_of(&path, 0);
        assert!(matches!(read(&path, 2), Err(ReadError::Corrupt)));
        let other = Journal::reopen(&path, ID.next(), &fingerprints(1), drop);
        assert!(matches!(other, Err(ReadError::Corrupt)));
    }

    #[test]
    fn a_failed_append_leaves_no_part_behind() {
        let directory = tempfile::tempdir().expect("a directory");
        let path = directory.path().join("journal");
        let journal = journal_of(&path, 1);
        let full = OpenOptions::new().append(true).open("/dev/full");
        let mut file = journal.replace_file(full.expect("/dev/full"));
        let refused = append(&journal, 1);
        refused.expect_err("the disk is full");
        file.write_all(b"part of a record").expect("written");
        journal.replace_file(file);
        let appended = append(&journal, 2);
        appended.expect("there is room again");
        assert_eq!(read(&path, 1).expect("readable"), [record(0), record(2)]);
    }

    #[test]
    fn a_stopped_journal_takes_nothing() {
        let directory = tempfile::tempdir().expect("a directory");
        let journal = journal_of(&directory.path().join("journal"), 1);
        journal.stop().expect("synced");
        let refused = append(&journal, 1);
        refused.expect_err("it has stopped");
    }
}
