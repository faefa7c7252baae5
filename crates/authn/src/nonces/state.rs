//! The state that one run leaves for the next, in `state.json`. Missing fields mean lost data.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::File;
use std::io;
use std::os::unix::fs::MetadataExt as _;
use std::time::UNIX_EPOCH;

use serde::{Deserialize, Serialize};

use super::half_minute::HalfMinute;
use super::half_minutes::HalfMinutes;

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct State {
    /// The boot that wrote it; `None` if unknown, which never counts as the same.
    pub(super) boot_id: Option<String>,
    /// Whether everything was synced and nothing accepted since.
    pub(super) clean_stop: bool,
    /// Half minutes whose nonces were dropped.
    pub(super) forgotten: HalfMinutes,
    /// Half minutes whose nonces may be lost.
    pub(super) closed: HalfMinutes,
    /// The run that wrote it, as in the database; `None` without a database.
    pub(super) run: Option<String>,
    /// How often that run had extended its lease.
    pub(super) beat: i64,
    /// The run before this one and its heartbeats, if the directory holds all that it accepted: a start may crash
    /// before it takes the lease.
    #[serde(default)]
    pub(super) before: Option<(String, i64)>,
    /// The half minutes with a journal, and its number of records when this was written. Empty in older files.
    #[serde(default)]
    pub(super) journals: BTreeMap<HalfMinute, u64>,
    /// The file in which records are counted since then.
    #[serde(default, rename = "tally")]
    pub(super) record_counts: Option<FileId>,
}

/// Identifies a file: a copy has another id.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct FileId {
    inode: u64,
    /// In nanoseconds since 1970; `None` if the file system has no creation times.
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
    /// The file that this was written to: another one has a copy.
    file: FileId,
    state: State,
}

/// The state as version 0.1.0 writes it, with one limit below which all nonces were dropped.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct LegacyState {
    boot_id: Option<String>,
    clean_stop: bool,
    floor: Option<HalfMinute>,
    closed_through: Option<HalfMinute>,
    closed: BTreeSet<HalfMinute>,
}

/// A state and where it was found.
#[derive(Debug)]
pub(super) struct FoundState {
    pub(super) state: State,
    /// Whether it is in another file than it was written to: nonces accepted since the copy was made are missing.
    pub(super) copied: bool,
}

impl FoundState {
    pub(super) fn read(text: &str, found_in: &FileId) -> serde_json::Result<Self> {
        if let Ok(old) = serde_json::from_str::<LegacyState>(text) {
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
    /// Whether the directory is that run's, with at least so many heartbeats.
    fn is_of(&self, run: &str, beat: Option<i64>) -> bool {
        let own = self.run.as_ref().map(|run| (run, self.beat));
        let before = self.before.as_ref().map(|(run, beat)| (run, *beat));
        let has = |(one, noted): (&String, i64)| one == run && beat.is_none_or(|it| noted >= it);
        own.is_some_and(has) || before.is_some_and(has)
    }

    /// Whether it is the directory of that run.
    pub(super) fn is_directory_of(&self, run: &str) -> bool {
        self.is_of(run, None)
    }

    /// Whether it holds all that the run accepted until that heartbeat.
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

impl From<LegacyState> for State {
    fn from(old: LegacyState) -> Self {
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
            record_counts: None,
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
            record_counts: Some(file(9)),
        };
        let text = String::from_utf8(state.to_json(&file(1)).expect("json")).expect("text");
        let read = |inode| FoundState::read(&text, &file(inode)).expect("a state");
        assert_eq!((&read(1).state, read(1).copied), (&state, false));
        assert!(read(2).copied);
        FoundState::read(&text[1..], &file(1)).expect_err("damaged");
        FoundState::read("{\"clean_stop\":true}", &file(1)).expect_err("parts are missing");
    }

    #[test]
    fn the_state_of_earlier_versions_is_understood() {
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
