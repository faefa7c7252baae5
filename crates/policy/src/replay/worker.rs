//! One thread's share of a replay. Data that many records share is parsed once.

use std::collections::HashMap;
use std::sync::Arc;

use cedar_policy::{Context, Entities};
use parking_lot::RwLock;

use charter_authz::decision::{Decision, Denial, Outcome as RecordedOutcome};
use charter_authz::snapshot::Snapshot;
use charter_decision_log::reevaluation::{context, entities};
use charter_decision_log::{DecisionRecord, DefinitionReader, Direction, LogLine, Uid};
use charter_domain::permission::Permission;

use super::log_reader::Chunk;
use super::report::{EarlierSnapshots, Flip, FlipExample, ReplayMode, ReplayReport};

/// Bounds memory.
const MAX_CACHED: usize = 8_192;

type BoxError = Box<dyn std::error::Error>;

pub(super) struct Worker<'a> {
    snapshot: &'a Snapshot,
    earlier: &'a EarlierSnapshots,
    mode: ReplayMode,
    entities: HashMap<String, Entities>,
    /// Digest of the policies whose actions are in `entities`.
    actions_of: Arc<str>,
    contexts: HashMap<String, Context>,
    pub(super) report: ReplayReport,
}

enum ReplayedAnswer {
    Decided(Decision),
    /// The schema allowed the question neither then nor now.
    DeniedAgain,
    /// The question cannot be evaluated as it was.
    Impossible,
}

impl<'a> Worker<'a> {
    pub(super) fn new(
        snapshot: &'a Snapshot,
        earlier: &'a EarlierSnapshots,
        mode: ReplayMode,
    ) -> Self {
        Self {
            snapshot,
            earlier,
            mode,
            entities: HashMap::new(),
            actions_of: Arc::clone(snapshot.digest()),
            contexts: HashMap::new(),
            report: ReplayReport::default(),
        }
    }

    pub(super) fn replay(&mut self, chunk: &Chunk) {
        let lines = chunk.text.split_inclusive(|byte| *byte == b'\n');
        for (at, line) in (chunk.first_line..).zip(lines) {
            match self.line(&chunk.definitions, line) {
                Ok(()) => {}
                Err(_) if line.last() != Some(&b'\n') => self.report.unfinished += 1,
                Err(error) => {
                    let place = format!("{}:{at}: {error}", chunk.file);
                    self.report.unreadable(place);
                }
            }
        }
    }

    fn line(
        &mut self,
        definitions: &RwLock<DefinitionReader>,
        line: &[u8],
    ) -> Result<(), BoxError> {
        let record = match definitions.read().read(line)? {
            LogLine::Decision(record) => *record,
            LogLine::Unwritten(count) => {
                self.report.counted += count;
                return Ok(());
            }
            // They hold no decision.
            LogLine::Other => return Ok(()),
        };
        self.report.counted += record.rest;
        self.report.decisions += 1;
        self.report.evaluations += u64::from(record.via.is_some());
        let mut snapshot = self.snapshot;
        if *record.policy_digest != **snapshot.digest() {
            let known = self.earlier.get(&record.policy_digest);
            match (self.mode, known) {
                (ReplayMode::Reproduce, Some(earlier)) => snapshot = earlier,
                (mode, _) => {
                    self.count_other_policies(&record.policy_digest);
                    if mode == ReplayMode::Reproduce {
                        return Ok(());
                    }
                }
            }
        }
        if !record.masked.is_empty() {
            self.report.masked += 1;
            return Ok(());
        }
        let recorded = record.outcome().ok_or("the answer is none")?;
        if record.context.is_none() && recorded != RecordedOutcome::Deny(Denial::NotPermitted) {
            return Err("a question without a context is not denied".into());
        }
        let decision = match self.ask(&record, snapshot)? {
            ReplayedAnswer::Decided(decision) => decision,
            ReplayedAnswer::DeniedAgain => {
                self.report.unaskable += 1;
                return Ok(());
            }
            ReplayedAnswer::Impossible => {
                self.report.unasked += 1;
                return Ok(());
            }
        };
        self.report.replayed += 1;
        self.compare(record, recorded, &decision);
        Ok(())
    }

    fn count_other_policies(&mut self, digest: &str) {
        let others = &mut self.report.other_policies;
        match others.get_mut(digest) {
            Some(count) => *count += 1,
            None => {
                others.insert(digest.to_owned(), 1);
            }
        }
    }

    fn ask(
        &mut self,
        record: &DecisionRecord,
        snapshot: &Snapshot,
    ) -> Result<ReplayedAnswer, BoxError> {
        let Ok(permission) = record.action.id.parse::<Permission>() else {
            return Ok(ReplayedAnswer::Impossible);
        };
        let can_ask = snapshot.can_ask(permission, &record.request(Context::empty())?);
        let Some(facts) = &record.context else {
            // The deciding policies denied it for that, whatever the cause.
            let is_denied = !can_ask || self.mode == ReplayMode::Reproduce;
            return Ok(if is_denied {
                ReplayedAnswer::DeniedAgain
            } else {
                ReplayedAnswer::Impossible
            });
        };
        if !can_ask {
            return Ok(ReplayedAnswer::Impossible);
        }
        let (facts, things) = (facts.get(), record.entities.get());
        let context = cached(&mut self.contexts, facts, || context(facts))?.clone();
        let request = record.request(context)?;
        // The cached entities include the actions of one schema.
        if self.actions_of != *snapshot.digest() {
            self.entities.clear();
            self.actions_of = Arc::clone(snapshot.digest());
        }
        let entities = cached(&mut self.entities, things, || entities(things, snapshot))?;
        let decision = snapshot.decide_request(permission, &request, entities);
        Ok(ReplayedAnswer::Decided(decision))
    }

    fn compare(&mut self, record: DecisionRecord, recorded: RecordedOutcome, decision: &Decision) {
        let direction = Direction::between(recorded, decision.outcome);
        let is_flip = matches!(direction, Some(Direction::Wider | Direction::Narrower));
        let differs = !record.is(decision);
        if is_flip {
            self.report.flips += 1;
            self.report.evaluation_flips += u64::from(record.via.is_some());
        } else if differs {
            self.report.other_reasons += 1;
        }
        if is_flip || (differs && self.mode == ReplayMode::Reproduce) {
            let direction = direction.unwrap_or(Direction::Reason);
            let flip = Flip {
                permission: record.action.id,
                direction: direction.as_str(),
                principal: text(&record.principal),
                via: record.via,
            };
            self.report.flip(flip, || FlipExample {
                id: record.id,
                at: record.at,
                resource: text(&record.resource),
                recorded: answer(recorded, &record.determining),
                now: answer(decision.outcome, &decision.determining),
            });
        }
    }
}

/// The cached value for this text, or a new one.
fn cached<'a, T>(
    known: &'a mut HashMap<String, T>,
    text: &str,
    make: impl FnOnce() -> Result<T, BoxError>,
) -> Result<&'a T, BoxError> {
    if !known.contains_key(text) {
        if known.len() >= MAX_CACHED {
            known.clear();
        }
        known.insert(text.to_owned(), make()?);
    }
    known.get(text).ok_or_else(|| "nothing was made".into())
}

fn text(uid: &Uid) -> String {
    format!("{}::\"{}\"", uid.of, uid.id)
}

fn answer(answer: RecordedOutcome, policies: &[String]) -> String {
    let by = policies
        .iter()
        .map(|policy| format!("`{policy}`"))
        .collect::<Vec<_>>()
        .join(", ");
    match answer {
        RecordedOutcome::Allow => format!("allowed by {by}"),
        RecordedOutcome::Deny(Denial::NotPermitted) => "not permitted".to_owned(),
        RecordedOutcome::Deny(Denial::ForbiddenByPolicy) => format!("forbidden by {by}"),
    }
}
