//! How many allowed decisions of one kind are written: as many a second as explain it. The others
//! are counted, and a line of the same case says how many there were.

use std::collections::HashMap;
use std::hash::{BuildHasher as _, Hash as _, Hasher as _, RandomState};

use super::entry::{Entry, Subject};
use charter_authz::decision::Outcome;
use charter_authz::json::PrincipalJson;
use charter_domain::timestamp::Timestamp;

/// Kinds that are remembered, a bound on memory only: beyond it all are closed.
const MOST: usize = 65_536;

/// Counts the kinds of one file.
pub(super) struct Sampler {
    /// Of a kind, written in a second; 0 for all.
    per_second: u64,
    kinds: HashMap<u64, Kind>,
    hasher: RandomState,
    /// The second in which [`due`](Self::due) looked last.
    looked: i64,
}

/// Decisions of the same caller about the same thing, allowed by the same policies.
struct Kind {
    second: i64,
    written: u64,
    case: u32,
    rest: u64,
    until: Timestamp,
}

/// What becomes of an entry.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Sampled {
    /// It is written, and says how many before it were not. Its kind is to be told its case.
    Written { kind: Option<u64>, rest: u64 },
    /// It is only counted.
    Counted,
}

/// Decisions that were counted and not written.
#[derive(Debug, Clone, Copy)]
pub(super) struct Rest {
    pub(super) case: u32,
    pub(super) count: u64,
    pub(super) until: Timestamp,
}

impl Sampler {
    pub(super) fn new(per_second: u64) -> Self {
        Self {
            per_second,
            kinds: HashMap::new(),
            hasher: RandomState::new(),
            looked: i64::MIN,
        }
    }

    /// Whether an entry is written. What is denied always is, and what somebody is told the
    /// id of; so is what needs a line of its own: an error, or a shadow that differs.
    pub(super) fn take(&mut self, entry: &Entry, of: &PrincipalJson, differs: bool) -> Sampled {
        let decision = &entry.decision;
        let always = self.per_second == 0
            || decision.outcome != Outcome::Allow
            || entry.tells_id
            || !decision.errors.is_empty()
            || differs;
        if always {
            return Sampled::Written {
                kind: None,
                rest: 0,
            };
        }
        let key = self.key(entry, of);
        let second = entry.at.timestamp();
        let kind = self.kinds.entry(key).or_insert_with(|| Kind {
            second,
            written: 0,
            case: 0,
            rest: 0,
            until: entry.at,
        });
        if kind.second != second {
            kind.second = second;
            kind.written = 0;
        }
        if kind.written < self.per_second {
            kind.written += 1;
            let rest = std::mem::take(&mut kind.rest);
            return Sampled::Written {
                kind: Some(key),
                rest,
            };
        }
        kind.rest += 1;
        kind.until = kind.until.max(entry.at);
        Sampled::Counted
    }

    /// An entry of that kind was written under that case.
    pub(super) fn is_case(&mut self, kind: u64, case: u32) {
        if let Some(kind) = self.kinds.get_mut(&kind) {
            kind.case = case;
        }
    }

    /// An entry of that kind could not be written: the next one is, and says the same.
    pub(super) fn put_back(&mut self, kind: Option<u64>, rest: u64) {
        if let Some(kind) = kind.and_then(|kind| self.kinds.get_mut(&kind)) {
            kind.rest += rest;
            kind.written = 0;
        }
    }

    /// What is to be told of kinds that have come to rest, which are forgotten.
    pub(super) fn due(&mut self, now: Timestamp) -> Vec<Rest> {
        let second = now.timestamp();
        if second == self.looked && self.kinds.len() < MOST {
            return Vec::new();
        }
        self.looked = second;
        let all = self.kinds.len() >= MOST;
        self.close(|kind| all || (kind.second - second).abs() > 1)
    }

    /// What is to be told of all kinds, as when their file ends.
    pub(super) fn all(&mut self) -> Vec<Rest> {
        self.close(|_| true)
    }

    /// Whether something is still to be told.
    pub(super) fn is_waiting(&self) -> bool {
        self.kinds.values().any(|kind| kind.rest > 0)
    }

    fn close(&mut self, is_over: impl Fn(&Kind) -> bool) -> Vec<Rest> {
        let over = self.kinds.extract_if(|_, kind| is_over(kind));
        let mut rests: Vec<Rest> = over
            .filter(|(_, kind)| kind.rest > 0)
            .map(|(_, kind)| Rest {
                case: kind.case,
                count: kind.rest,
                until: kind.until,
            })
            .collect();
        rests.sort_unstable_by_key(|rest| rest.case);
        rests
    }

    fn key(&self, entry: &Entry, of: &PrincipalJson) -> u64 {
        let mut hasher = self.hasher.build_hasher();
        of.principal.get().hash(&mut hasher);
        entry.via.name().hash(&mut hasher);
        entry.decision.permission.hash(&mut hasher);
        entry.decision.determining.hash(&mut hasher);
        entry.decision.policy_digest.hash(&mut hasher);
        match &entry.subject {
            Subject::Asked(asked) => asked.request.resource().hash(&mut hasher),
            Subject::Unaskable(of, id) => (of, id).hash(&mut hasher),
        }
        hasher.finish()
    }
}
