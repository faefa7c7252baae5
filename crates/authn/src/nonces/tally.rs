//! How many records each journal holds, in a file of its own. A journal that was cut, replaced by an
//! older copy or removed while no process watched holds fewer than were counted here.

use std::fs::{File, OpenOptions};
use std::io;
use std::os::unix::fs::FileExt as _;
use std::path::Path;

use super::fingerprint::Fingerprints;
use super::half_minute::HalfMinute;
use super::state::FileId;
use charter_system::atomic;
use charter_system::private;

/// Half minutes that share a slot lie 34 hours apart. Who finds another one's there has lost its count.
const SLOTS: i64 = 4096;
/// The half minute, the count and their check. Its slot is aligned, so that it lies in one page.
const COUNT: usize = 24;
const SLOT: u64 = 32;

/// An open tally. What is noted outlives the process, not the machine: after a crash of that, nothing
/// of what it counts is believed.
pub(super) struct Tally {
    file: File,
    id: FileId,
}

impl Tally {
    /// Creates an empty one, in place of any other.
    pub(super) fn create(path: &Path) -> io::Result<Self> {
        atomic::replace_private(path, &[])?;
        Self::open(path)?.ok_or_else(|| io::ErrorKind::NotFound.into())
    }

    /// Opens the one that is there.
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

    /// Which file it is.
    pub(super) const fn id(&self) -> &FileId {
        &self.id
    }

    /// Whether a path still names it.
    pub(super) fn is_at(&self, path: &Path) -> io::Result<bool> {
        private::is_at(&self.file, path)
    }

    /// Notes how many records a journal holds now.
    pub(super) fn note(
        &self,
        id: HalfMinute,
        records: u64,
        fingerprints: &Fingerprints,
    ) -> io::Result<()> {
        let bytes = encode(id, records, fingerprints);
        self.file.write_all_at(&bytes, offset(id))
    }

    /// How many were noted; `None` where that is lost.
    pub(super) fn read(&self, id: HalfMinute, fingerprints: &Fingerprints) -> Option<u64> {
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
        assert!(Tally::open(&path).expect("an answer").is_none());
        let tally = Tally::create(&path).expect("a tally");
        assert_eq!(tally.read(id, &key(1)), None);
        tally.note(id, 3, &key(1)).expect("noted");
        tally.note(id.next(), 1, &key(1)).expect("noted");
        tally.note(id, 4, &key(1)).expect("noted");
        let again = Tally::open(&path).expect("an answer").expect("a tally");
        assert_eq!(again.id(), tally.id());
        assert_eq!(again.read(id, &key(1)), Some(4));
        assert_eq!(again.read(id.next(), &key(1)), Some(1));
        assert_eq!(again.read(id, &key(2)), None);
        // The one that shares its slot.
        assert_eq!(again.read(HalfMinute(id.0 + SLOTS), &key(1)), None);
        std::fs::write(&path, "").expect("emptied");
        assert_eq!(again.read(id, &key(1)), None);
        std::fs::rename(&path, directory.path().join("moved")).expect("moved");
        assert!(!again.is_at(&path).expect("an answer"));
    }
}
