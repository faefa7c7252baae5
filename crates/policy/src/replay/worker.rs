//! One thread's share of a replay. What many records have in common is read once.

use std::collections::HashMap;
use std::sync::Arc;

use cedar_policy::{Context, Entities};
use parking_lot::RwLock;

use charter_authz::decision::{Decision, Denial, Outcome as Answer};
use charter_authz::snapshot::Snapshot;
use charter_decision_log::again::{context, entities};
use charter_decision_log::{Definitions, Direction, Line, Record, Uid};
use charter_domain::permission::Permission;

use super::outcome::{Earlier, Example, Flip, Mode, Outcome};
use super::source::Chunk;

/// A bound on memory only.
const MOST_REMEMBERED: usize = 8_192;

type Fault = Box<dyn std::error::Error>;

pub(super) struct Worker<'a> {
    snapshot: &'a Snapshot,
    earlier: &'a Earlier,
    mode: Mode,
    entities: HashMap<String, Entities>,
    /// Whose actions are in `entities`: the policies' digest.
    actions_of: Arc<str>,
    contexts: HashMap<String, Context>,
    pub(super) outcome: Outcome,
}

/// What comes of asking again.
enum Asked {
    Decided(Decision),
    /// The question could not be put then, and cannot now.
    DeniedAgain,
    /// It cannot be put as it was.
    Impossible,
}

impl<'a> Worker<'a> {
    pub(super) fn new(snapshot: &'a Snapshot, earlier: &'a Earlier, mode: Mode) -> Self {
        Self {
            snapshot,
            earlier,
            mode,
            entities: HashMap::new(),
            actions_of: Arc::clone(snapshot.digest()),
            contexts: HashMap::new(),
            outcome: Outcome::default(),
        }
    }

    pub(super) fn replay(&mut self, chunk: &Chunk) {
        let lines = chunk.text.split_inclusive(|byte| *byte == b'\n');
        for (at, line) in (chunk.first_line..).zip(lines) {
            match self.line(&chunk.definitions, line) {
                Ok(()) => {}
                Err(_) if line.last() != Some(&b'\n') => self.outcome.unfinished += 1,
                Err(error) => {
                    let place = format!("{}:{at}: {error}", chunk.file);
                    self.outcome.unreadable(place);
                }
            }
        }
    }

    fn line(&mut self, definitions: &RwLock<Definitions>, line: &[u8]) -> Result<(), Fault> {
        let record = match definitions.read().read(line)? {
            Line::Decision(record) => *record,
            Line::Rest(count) => {
                self.outcome.counted += count;
                return Ok(());
            }
            // They say nothing of policies.
            Line::Other => return Ok(()),
        };
        self.outcome.counted += record.rest;
        self.outcome.decisions += 1;
        self.outcome.evaluations += u64::from(record.via.is_some());
        let mut snapshot = self.snapshot;
        if *record.policy_digest != **snapshot.digest() {
            let known = self.earlier.get(&record.policy_digest);
            match (self.mode, known) {
                (Mode::Reproduce, Some(earlier)) => snapshot = earlier,
                (mode, _) => {
                    self.count_other(&record.policy_digest);
                    if mode == Mode::Reproduce {
                        return Ok(());
                    }
                }
            }
        }
        if !record.masked.is_empty() {
            self.outcome.masked += 1;
            return Ok(());
        }
        let recorded = record.outcome().ok_or("the answer is none")?;
        if record.context.is_none() && recorded != Answer::Deny(Denial::NotPermitted) {
            return Err("a question without a context is not denied".into());
        }
        let decision = match self.ask(&record, snapshot)? {
            Asked::Decided(decision) => decision,
            Asked::DeniedAgain => {
                self.outcome.unaskable += 1;
                return Ok(());
            }
            Asked::Impossible => {
                self.outcome.unasked += 1;
                return Ok(());
            }
        };
        self.outcome.replayed += 1;
        self.compare(record, recorded, &decision);
        Ok(())
    }

    fn count_other(&mut self, digest: &str) {
        let others = &mut self.outcome.other_policies;
        match others.get_mut(digest) {
            Some(count) => *count += 1,
            None => {
                others.insert(digest.to_owned(), 1);
            }
        }
    }

    fn ask(&mut self, record: &Record, snapshot: &Snapshot) -> Result<Asked, Fault> {
        let Ok(permission) = record.action.id.parse::<Permission>() else {
            return Ok(Asked::Impossible);
        };
        let can_ask = snapshot.can_ask(permission, &record.request(Context::empty())?);
        let Some(facts) = &record.context else {
            // The policies that decided denied it by that, whatever kept the question from them.
            let is_denied = !can_ask || self.mode == Mode::Reproduce;
            return Ok(if is_denied {
                Asked::DeniedAgain
            } else {
                Asked::Impossible
            });
        };
        if !can_ask {
            return Ok(Asked::Impossible);
        }
        let (facts, things) = (facts.get(), record.entities.get());
        let context = remember(&mut self.contexts, facts, || context(facts))?.clone();
        let request = record.request(context)?;
        // They have the actions of the policies' schema in them.
        if self.actions_of != *snapshot.digest() {
            self.entities.clear();
            self.actions_of = Arc::clone(snapshot.digest());
        }
        let entities = remember(&mut self.entities, things, || entities(things, snapshot))?;
        let decision = snapshot.decide_again(permission, &request, entities);
        Ok(Asked::Decided(decision))
    }

    fn compare(&mut self, record: Record, recorded: Answer, decision: &Decision) {
        let direction = Direction::between(recorded, decision.outcome);
        let is_flip = matches!(direction, Some(Direction::Wider | Direction::Narrower));
        let differs = !record.is(decision);
        if is_flip {
            self.outcome.flips += 1;
            self.outcome.evaluation_flips += u64::from(record.via.is_some());
        } else if differs {
            self.outcome.other_reasons += 1;
        }
        if is_flip || (differs && self.mode == Mode::Reproduce) {
            let direction = direction.unwrap_or(Direction::Reason);
            let flip = Flip {
                permission: record.action.id,
                direction: direction.as_str(),
                principal: text(&record.principal),
                via: record.via,
            };
            self.outcome.flip(flip, || Example {
                id: record.id,
                at: record.at,
                resource: text(&record.resource),
                recorded: answer(recorded, &record.determining),
                now: answer(decision.outcome, &decision.determining),
            });
        }
    }
}

/// What was made of this text before, or is made of it now.
fn remember<'a, T>(
    known: &'a mut HashMap<String, T>,
    text: &str,
    make: impl FnOnce() -> Result<T, Fault>,
) -> Result<&'a T, Fault> {
    if !known.contains_key(text) {
        if known.len() >= MOST_REMEMBERED {
            known.clear();
        }
        known.insert(text.to_owned(), make()?);
    }
    known.get(text).ok_or_else(|| "nothing was made".into())
}

fn text(uid: &Uid) -> String {
    format!("{}::\"{}\"", uid.of, uid.id)
}

fn answer(answer: Answer, policies: &[String]) -> String {
    let by = policies
        .iter()
        .map(|policy| format!("`{policy}`"))
        .collect::<Vec<_>>()
        .join(", ");
    match answer {
        Answer::Allow => format!("allowed by {by}"),
        Answer::Deny(Denial::NotPermitted) => "not permitted".to_owned(),
        Answer::Deny(Denial::ForbiddenByPolicy) => format!("forbidden by {by}"),
    }
}
