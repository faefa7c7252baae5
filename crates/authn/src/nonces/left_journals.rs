//! What the journals of an earlier run must hold, so that one is missed that is gone, was cut, or was
//! replaced by an older copy since.

use std::collections::{BTreeMap, BTreeSet};
use std::io;

use super::directory::Directory;
use super::fingerprint::Fingerprints;
use super::half_minute::HalfMinute;
use super::state::State;
use super::tally::Tally;

/// How many records each must hold at least; `None` where nobody can tell.
pub(super) struct LeftJournals(BTreeMap<HalfMinute, Option<u64>>);

impl LeftJournals {
    /// Reads what was counted, and gives the tally that goes on with it.
    pub(super) fn of(
        state: Option<&State>,
        directory: &Directory,
        fingerprints: &Fingerprints,
    ) -> io::Result<(Tally, Self)> {
        let is_its_own =
            |tally: &Tally| state.is_some_and(|state| state.tally.as_ref() == Some(tally.id()));
        let tally = directory.open_tally()?.filter(is_its_own);
        let counted = |state: &State, id: HalfMinute, noted: u64| {
            if state.clean_stop {
                return Some(noted);
            }
            let since = tally.as_ref()?.read(id, fingerprints)?;
            Some(since.max(noted))
        };
        let journals = state.map(|state| {
            let journals = state.journals.iter();
            journals
                .map(|(id, noted)| (*id, counted(state, *id, *noted)))
                .collect()
        });
        let expected = Self(journals.unwrap_or_default());
        let tally = tally.map_or_else(|| directory.new_tally(), Ok)?;
        Ok((tally, expected))
    }

    /// How many records it must hold; `None` where nobody can tell. Of what no state tells nothing was
    /// accepted, or it is an earlier version's.
    pub(super) fn least(&self, id: HalfMinute) -> Option<u64> {
        self.0.get(&id).copied().unwrap_or(Some(0))
    }

    /// Whether the state tells of it.
    pub(super) fn knows(&self, id: HalfMinute) -> bool {
        self.0.contains_key(&id)
    }

    /// Those that should be among the `marked`.
    pub(super) fn missed(&self, marked: &BTreeSet<HalfMinute>) -> Vec<HalfMinute> {
        let ids = self.0.keys().copied();
        ids.filter(|id| !marked.contains(id) && self.least(*id) != Some(0))
            .collect()
    }
}
