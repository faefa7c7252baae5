//! The expected lengths of an earlier run's journals, to detect missing, cut and replaced ones.

use std::collections::{BTreeMap, BTreeSet};
use std::io;

use super::directory::Directory;
use super::fingerprint::Fingerprints;
use super::half_minute::HalfMinute;
use super::record_counts::RecordCounts;
use super::state::State;

/// Minimal number of records of each journal; `None` if unknown.
pub(super) struct LeftJournals(BTreeMap<HalfMinute, Option<u64>>);

impl LeftJournals {
    /// Reads the counts; returns them opened for this run, too.
    pub(super) fn of(
        state: Option<&State>,
        directory: &Directory,
        fingerprints: &Fingerprints,
    ) -> io::Result<(RecordCounts, Self)> {
        let is_its_own = |counts: &RecordCounts| {
            state.is_some_and(|state| state.record_counts.as_ref() == Some(counts.id()))
        };
        let counts = directory.open_record_counts()?.filter(is_its_own);
        let counted = |state: &State, id: HalfMinute, noted: u64| {
            if state.clean_stop {
                return Some(noted);
            }
            let since = counts.as_ref()?.get(id, fingerprints)?;
            Some(since.max(noted))
        };
        let journals = state.map(|state| {
            let journals = state.journals.iter();
            journals
                .map(|(id, noted)| (*id, counted(state, *id, *noted)))
                .collect()
        });
        let expected = Self(journals.unwrap_or_default());
        let counts = counts.map_or_else(|| directory.new_record_counts(), Ok)?;
        Ok((counts, expected))
    }

    /// Minimal number of records; `None` if unknown. Journals that the state does not name need none.
    pub(super) fn least(&self, id: HalfMinute) -> Option<u64> {
        self.0.get(&id).copied().unwrap_or(Some(0))
    }

    /// Whether the state names it.
    pub(super) fn knows(&self, id: HalfMinute) -> bool {
        self.0.contains_key(&id)
    }

    /// Those that are not among the `marked`.
    pub(super) fn missing(&self, marked: &BTreeSet<HalfMinute>) -> Vec<HalfMinute> {
        let ids = self.0.keys().copied();
        ids.filter(|id| !marked.contains(id) && self.least(*id) != Some(0))
            .collect()
    }
}
