//! How many records each journal holds, in a file of its own, to detect journals that were cut, replaced by an older
//! copy or removed while no process ran.

use std::fs::{File, OpenOptions};
use std::io;
use std::os::unix::fs::FileExt as _;
use std::path::Path;

use super::fingerprint::Fingerprints;
use super::half_minute::HalfMinute;
use super::state::FileId;
use charter_system::atomic;
use charter_system::private;

/// Half minutes that share a slot are 34 hours apart; the later one overwrites the other's count.
const SLOTS: i64 = 4096;
/// The half minute, the count and their checksum. Slots are aligned, so each is within one page.
const COUNT: usize = 24;
const SLOT: u64 = 32;

/// The open file of counts. Counts survive a crash of the process, not of the machine; after that they are not used.
pub(super) struct RecordCounts {
    file: File,
    id: FileId,
}

impl RecordCounts {
    /// Creates an empty file; replaces an existing one.
    pub(super) fn create(path: &Path) -> io::Result<Self> {
        atomic::replace_private(path, &[])?;
        Self::open(path)?.ok_or_else(|| io::ErrorKind::NotFound.into())
    }

    /// Opens the existing file.
    pub(super) fn open(path: &Path) -> io::Result<Option<Self>> {
        match private::open(path, OpenOptions::new().read(true).write(true)) {
            Ok(file) => Self::of(file).map(Some),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(error),
        }
    }

    fn of(file: File) -> io::Result<Self> {
        Ok(Self {
            id: FileId::of(&file)?,
            file,
        })
    }

    pub(super) const fn id(&self) -> &FileId {
        &self.id
    }

    /// Whether a path still names the file.
    pub(super) fn is_at(&self, path: &Path) -> io::Result<bool> {
        private::is_at(&self.file, path)
    }

    /// Sets the number of records of a journal.
    pub(super) fn set(
        &self,
        id: HalfMinute,
        records: u64,
        fingerprints: &Fingerprints,
    ) -> io::Result<()> {
        let bytes = encode(id, records, fingerprints);
        self.file.write_all_at(&bytes, offset(id))
    }

    /// The number of records of a journal; `None` if it is lost.
    pub(super) fn get(&self, id: HalfMinute, fingerprints: &Fingerprints) -> Option<u64> {
        let mut bytes = [0; COUNT];
        self.file.read_exact_at(&mut bytes, offset(id)).ok()?;
        let (_, rest) = bytes.split_first_chunk::<8>()?;
        let records = u64::from_le_bytes(*rest.first_chunk()?);
        (encode(id, records, fingerprints) == bytes).then_some(records)
    }
}

fn offset(id: HalfMinute) -> u64 {
    id.0.rem_euclid(SLOTS).unsigned_abs().saturating_mul(SLOT)
}

fn encode(id: HalfMinute, records: u64, fingerprints: &Fingerprints) -> [u8; COUNT] {
    let (number, records) = (id.0.to_le_bytes(), records.to_le_bytes());
    let check = fingerprints.check(id, [number, records].as_flattened());
    let mut bytes = [0; COUNT];
    bytes.copy_from_slice([number, records, check].as_flattened());
    bytes
}

#[cfg(test)]
mod tests {
    use secrecy::SecretBox;

    use super::*;

    #[test]
    fn a_count_is_read_back_under_its_own_half_minute_and_key_alone() {
        let directory = tempfile::tempdir().expect("a directory");
        let path = directory.path().join("tally");
        let key = |byte| Fingerprints::new(&SecretBox::new(Box::new([byte; 32])));
        let id = HalfMinute(58_000_000);
        assert!(RecordCounts::open(&path).expect("an answer").is_none());
        let counts = RecordCounts::create(&path).expect("a file");
        assert_eq!(counts.get(id, &key(1)), None);
        counts.set(id, 3, &key(1)).expect("counted");
        counts.set(id.next(), 1, &key(1)).expect("counted");
        counts.set(id, 4, &key(1)).expect("counted");
        let again = RecordCounts::open(&path)
            .expect("an answer")
            .expect("a file");
        assert_eq!(again.id(), counts.id());
        assert_eq!(again.get(id, &key(1)), Some(4));
        assert_eq!(again.get(id.next(), &key(1)), Some(1));
        assert_eq!(again.get(id, &key(2)), None);
        // The one that shares its slot.
        assert_eq!(again.get(HalfMinute(id.0 + SLOTS), &key(1)), None);
        std::fs::write(&path, "").expect("emptied");
        assert_eq!(again.get(id, &key(1)), None);
        std::fs::rename(&path, directory.path().join("moved")).expect("moved");
        assert!(!again.is_at(&path).expect("an answer"));
    }
}
