//! What one run leaves for the next, in `state.json`. Whatever is missing in it is taken for lost.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::File;
use std::io;
use std::os::unix::fs::MetadataExt as _;
use std::time::UNIX_EPOCH;

use serde::{Deserialize, Serialize};

use super::half_minute::HalfMinute;
use super::half_minutes::HalfMinutes;

/// What the next run must know.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct State {
    /// The boot that wrote it; `None` where the system tells none, which never counts as the same.
    pub(super) boot_id: Option<String>,
    /// Whether everything was synced and nothing accepted since.
    pub(super) clean_stop: bool,
    /// Those whose nonces were dropped.
    pub(super) forgotten: HalfMinutes,
    /// Those whose nonces may have been lost.
    pub(super) closed: HalfMinutes,
    /// The run that wrote it, as the database knows it; `None` before a database was told.
    pub(super) run: Option<String>,
    /// How often that run had told the database that it lives.
    pub(super) beat: i64,
    /// The run that the database named when this one began, and its beat, if the directory holds all
    /// that was accepted until then: a start may end before the database hears of it.
    #[serde(default)]
    pub(super) before: Option<(String, i64)>,
    /// The half minutes that have a journal, and how many records it held when this was written. Of
    /// versions before it there is nothing to compare with.
    #[serde(default)]
    pub(super) journals: BTreeMap<HalfMinute, u64>,
    /// The file in which they are counted since.
    #[serde(default)]
    pub(super) tally: Option<FileId>,
}

/// Which file it is: a copy is another one, whatever it holds.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct FileId {
    inode: u64,
    /// In nanoseconds since 1970; `None` where the file system does not tell.
    born: Option<String>,
}

impl FileId {
    pub(super) fn of(file: &File) -> io::Result<Self> {
        let metadata = file.metadata()?;
        let born = metadata.created().ok();
        let born = born.and_then(|born| born.duration_since(UNIX_EPOCH).ok());
        Ok(Self {
            inode: metadata.ino(),
            born: born.map(|born| born.as_nanos().to_string()),
        })
    }
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Document {
    /// The file that this was written to.
    file: FileId,
    state: State,
}

/// The state of versions that knew one floor below which everything was forgotten.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct WithFloor {
    boot_id: Option<String>,
    clean_stop: bool,
    floor: Option<HalfMinute>,
    closed_through: Option<HalfMinute>,
    closed: BTreeSet<HalfMinute>,
}

/// A state as it was found.
#[derive(Debug)]
pub(super) struct FoundState {
    pub(super) state: State,
    /// Whether it is in another file than it was written to: somebody put a copy back, and what
    /// was accepted since it was taken is missing.
    pub(super) copied: bool,
}

impl FoundState {
    pub(super) fn read(text: &str, found_in: &FileId) -> serde_json::Result<Self> {
        if let Ok(old) = serde_json::from_str::<WithFloor>(text) {
            return Ok(Self {
                state: old.into(),
                copied: false,
            });
        }
        let Document { file, state } = serde_json::from_str(text)?;
        Ok(Self {
            state,
            copied: file != *found_in,
        })
    }
}

impl State {
    /// Whether the directory is that run's. `None`: at whatever beat.
    fn is_of(&self, run: &str, beat: Option<i64>) -> bool {
        let own = self.run.as_ref().map(|run| (run, self.beat));
        let before = self.before.as_ref().map(|(run, beat)| (run, *beat));
        let has = |(one, noted): (&String, i64)| one == run && beat.is_none_or(|it| noted >= it);
        own.is_some_and(has) || before.is_some_and(has)
    }

    /// Whether it is the directory of that run, which therefore has ended.
    pub(super) fn is_directory_of(&self, run: &str) -> bool {
        self.is_of(run, None)
    }

    /// Whether all that was accepted until that beat of that run was accepted here.
    pub(super) fn has_all_of(&self, run: &str, beat: i64) -> bool {
        self.is_of(run, Some(beat))
    }

    pub(super) fn to_json(&self, file: &FileId) -> serde_json::Result<Vec<u8>> {
        serde_json::to_vec(&Document {
            file: file.clone(),
            state: self.clone(),
        })
    }
}

impl From<WithFloor> for State {
    fn from(old: WithFloor) -> Self {
        let through = |last: Option<HalfMinute>| last.map(HalfMinutes::through).unwrap_or_default();
        let mut closed = through(old.closed_through);
        closed.add(&old.closed.into_iter().collect());
        Self {
            boot_id: old.boot_id,
            clean_stop: old.clean_stop,
            forgotten: through(old.floor),
            closed,
            run: None,
            beat: 0,
            before: None,
            journals: BTreeMap::new(),
            tally: None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file(inode: u64) -> FileId {
        FileId {
            inode,
            born: Some("1".to_owned()),
        }
    }

    #[test]
    fn a_copy_is_told_from_what_was_written() {
        let state = State {
            boot_id: Some("boot".to_owned()),
            clean_stop: true,
            forgotten: HalfMinutes::through(HalfMinute(3)),
            closed: HalfMinutes::range(HalfMinute(5), HalfMinute(6)),
            run: Some("run-1".to_owned()),
            beat: 7,
            before: Some(("run-0".to_owned(), 3)),
            journals: BTreeMap::from([(HalfMinute(-4), 2), (HalfMinute(7), 0)]),
            tally: Some(file(9)),
        };
        let text = String::from_utf8(state.to_json(&file(1)).expect("json")).expect("text");
        let read = |inode| FoundState::read(&text, &file(inode)).expect("a state");
        assert_eq!((&read(1).state, read(1).copied), (&state, false));
        assert!(read(2).copied);
        FoundState::read(&text[1..], &file(1)).expect_err("damaged");
        FoundState::read("{\"clean_stop\":true}", &file(1)).expect_err("parts are missing");
    }

    #[test]
    fn what_earlier_versions_left_is_understood() {
        let text =
            r#"{"boot_id":"b","clean_stop":false,"floor":10,"closed_through":12,"closed":[14]}"#;
        let FoundState { state, copied } = FoundState::read(text, &file(1)).expect("a state");
        assert!(!copied && state.run.is_none());
        assert!(
            state.forgotten.contains(HalfMinute(-9)) && !state.forgotten.contains(HalfMinute(11))
        );
        let closed = [12, 13, 14].map(|id| state.closed.contains(HalfMinute(id)));
        assert_eq!(closed, [true, false, true]);
    }
}
