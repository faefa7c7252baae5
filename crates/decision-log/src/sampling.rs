//! Samples allowed decisions: at most so many of each kind per second are written. The others are counted in a
//! line of the same case.

use std::collections::HashMap;
use std::hash::{BuildHasher as _, Hash as _, Hasher as _, RandomState};

use super::log_entry::{BuiltInDecision, Decided, EvaluationInput, LogEntry};
use charter_authz::json::JsonError;
use charter_domain::timestamp::Timestamp;

/// Bounds memory: beyond it all kinds are closed.
const MAX_KINDS: usize = 65_536;

/// Tracks the kinds of one file.
pub(super) struct Sampler {
    /// Written decisions of one kind per second; 0 writes all.
    per_second: u64,
    kinds: HashMap<u64, SampledKind>,
    hasher: RandomState,
    /// The second of the last call of [`due`](Self::due).
    looked: i64,
}

/// Decisions of the same caller about the same resource, allowed by the same policies.
struct SampledKind {
    second: i64,
    written: u64,
    case: u32,
    rest: u64,
    until: Timestamp,
}

/// What happens to an entry.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum SamplingOutcome {
    /// It is written with the number of decisions not written before it. [`Sampler::is_case`] must
    /// be called for its kind.
    Written { kind: Option<u64>, rest: u64 },
    /// It is only counted.
    Counted,
}

/// Decisions that were counted and not written.
#[derive(Debug, Clone, Copy)]
pub(super) struct UnwrittenDecisions {
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

    /// Whether an entry is written. Denials always are, as are allowed decisions whose id the
    /// caller learns, and those with an error or a different shadow decision.
    pub(super) fn take(
        &mut self,
        entry: &LogEntry,
        differs: bool,
    ) -> Result<SamplingOutcome, JsonError> {
        let answer = entry.answer();
        let always = self.per_second == 0
            || !answer.is_allowed()
            || entry.tells_id
            || !answer.errors.is_empty()
            || differs;
        if always {
            return Ok(SamplingOutcome::Written {
                kind: None,
                rest: 0,
            });
        }
        let key = self.key(entry)?;
        let second = entry.at.timestamp();
        let kind = self.kinds.entry(key).or_insert_with(|| SampledKind {
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
            return Ok(SamplingOutcome::Written {
                kind: Some(key),
                rest,
            });
        }
        kind.rest += 1;
        kind.until = kind.until.max(entry.at);
        Ok(SamplingOutcome::Counted)
    }

    /// Records the case of an entry that was written.
    pub(super) fn is_case(&mut self, kind: u64, case: u32) {
        if let Some(kind) = self.kinds.get_mut(&kind) {
            kind.case = case;
        }
    }

    /// Restores the count of an entry that could not be written.
    pub(super) fn put_back(&mut self, kind: Option<u64>, rest: u64) {
        if let Some(kind) = kind.and_then(|kind| self.kinds.get_mut(&kind)) {
            kind.rest += rest;
            kind.written = 0;
        }
    }

    /// Counts of kinds that had no decision recently, which are forgotten.
    pub(super) fn due(&mut self, now: Timestamp) -> Vec<UnwrittenDecisions> {
        let second = now.timestamp();
        if second == self.looked && self.kinds.len() < MAX_KINDS {
            return Vec::new();
        }
        self.looked = second;
        let all = self.kinds.len() >= MAX_KINDS;
        self.close(|kind| all || (kind.second - second).abs() > 1)
    }

    /// Counts of all kinds, for example when their file ends.
    pub(super) fn all(&mut self) -> Vec<UnwrittenDecisions> {
        self.close(|_| true)
    }

    /// Whether there are counts to write.
    pub(super) fn is_waiting(&self) -> bool {
        self.kinds.values().any(|kind| kind.rest > 0)
    }

    fn close(&mut self, is_over: impl Fn(&SampledKind) -> bool) -> Vec<UnwrittenDecisions> {
        let over = self.kinds.extract_if(|_, kind| is_over(kind));
        let mut rests: Vec<UnwrittenDecisions> = over
            .filter(|(_, kind)| kind.rest > 0)
            .map(|(_, kind)| UnwrittenDecisions {
                case: kind.case,
                count: kind.rest,
                until: kind.until,
            })
            .collect();
        rests.sort_unstable_by_key(|rest| rest.case);
        rests
    }

    fn key(&self, entry: &LogEntry) -> Result<u64, JsonError> {
        let mut hasher = self.hasher.build_hasher();
        let answer = entry.answer();
        entry.via.name().hash(&mut hasher);
        answer.determining.hash(&mut hasher);
        answer.policy_digest.hash(&mut hasher);
        match &entry.decided {
            Decided::BuiltIn(BuiltInDecision {
                principal,
                subject,
                decision,
                ..
            }) => {
                principal.json()?.principal.get().hash(&mut hasher);
                decision.permission.hash(&mut hasher);
                match subject {
                    EvaluationInput::Evaluated(asked) => asked.request.resource().hash(&mut hasher),
                    EvaluationInput::NotEvaluable(of, id) => (of, id).hash(&mut hasher),
                }
            }
            Decided::Domain(decision) => {
                let request = &decision.answered.request;
                decision.domain.hash(&mut hasher);
                (request.principal(), request.action(), request.resource()).hash(&mut hasher);
            }
        }
        Ok(hasher.finish())
    }
}
