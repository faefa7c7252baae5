//! One thread's share of a replay. Data that many records share is parsed once.

use std::collections::HashMap;
use std::sync::Arc;

use cedar_policy::{Context, Entities, EntityUid, Request};
use parking_lot::RwLock;

use charter_authz::decision::{Denial, Outcome as RecordedOutcome, PolicyVerdict};
use charter_authz::snapshot::Snapshot;
use charter_decision_log::reevaluation::{context, entities};
use charter_decision_log::{DecisionRecord, DefinitionReader, Direction, EVALUATION, LogLine};
use charter_domain::permission::Permission;
use charter_domain::timestamp;

use super::log_reader::Chunk;
use super::policies::ReplayPolicies;
use super::report::{EarlierSnapshots, Flip, FlipExample, ReplayMode, ReplayReport};

/// Bounds memory.
const MAX_CACHED: usize = 8_192;

pub(crate) type BoxError = Box<dyn std::error::Error>;

pub(crate) struct Worker<'a> {
    policies: &'a ReplayPolicies<'a>,
    earlier: &'a EarlierSnapshots,
    mode: ReplayMode,
    /// By the digest of the policies whose actions are in them.
    entities: HashMap<Arc<str>, HashMap<String, Entities>>,
    contexts: HashMap<String, Context>,
    pub(super) report: ReplayReport,
}

pub(crate) enum ReplayedAnswer {
    Decided(PolicyVerdict),
    /// The schema allowed the question neither then nor now.
    DeniedAgain,
    /// The question cannot be evaluated as it was.
    Impossible,
}

impl<'a> Worker<'a> {
    pub(crate) fn new(
        policies: &'a ReplayPolicies<'a>,
        earlier: &'a EarlierSnapshots,
        mode: ReplayMode,
    ) -> Self {
        Self {
            policies,
            earlier,
            mode,
            entities: HashMap::new(),
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
            LogLine::Counted(counted) => {
                self.report.counted += counted.count;
                return Ok(());
            }
            // They hold no decision.
            LogLine::File(_) | LogLine::Gap(_) | LogLine::Other => return Ok(()),
        };
        self.report.counted += record.rest;
        self.report.decisions += 1;
        let domain = record.domain.as_deref();
        let Some(mut snapshot) = self.policies.of(domain) else {
            self.report.left_out(domain);
            return Ok(());
        };
        self.report.evaluations += u64::from(is_evaluation(&record));
        if *record.policy_digest != **snapshot.digest() {
            let earlier = self.earlier.get(domain.unwrap_or_default());
            let known = earlier.and_then(|known| known.get(&record.policy_digest));
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

    pub(crate) fn ask(
        &mut self,
        record: &DecisionRecord,
        snapshot: &Snapshot,
    ) -> Result<ReplayedAnswer, BoxError> {
        if snapshot.is_custom_domain() != record.domain.is_some() {
            return Err("the policies are those of another domain".into());
        }
        if snapshot.is_custom_domain() {
            return self.ask_domain(record, snapshot);
        }
        let Ok(permission) = record.action.id.parse::<Permission>() else {
            return Ok(ReplayedAnswer::Impossible);
        };
        let can_ask = snapshot.can_ask(permission, &record.request(Context::empty())?);
        let Some(facts) = &record.context else {
            return Ok(if can_ask {
                ReplayedAnswer::Impossible
            } else {
                ReplayedAnswer::DeniedAgain
            });
        };
        if !can_ask {
            return Ok(ReplayedAnswer::Impossible);
        }
        let (facts, things) = (facts.get(), record.entities.get());
        let context = cached(&mut self.contexts, facts, || context(facts))?.clone();
        let request = record.request(context)?;
        let known = self.entities_of(snapshot);
        let entities = cached(known, things, || entities(things, snapshot))?;
        let decision = snapshot.decide_request(permission, &request, entities);
        Ok(ReplayedAnswer::Decided(decision.into()))
    }

    /// What does not suit the schema is not asked, as in the service.
    fn ask_domain(
        &mut self,
        record: &DecisionRecord,
        snapshot: &Snapshot,
    ) -> Result<ReplayedAnswer, BoxError> {
        let facts = record.context.as_ref().ok_or("its context is missing")?;
        let (schema, things) = (snapshot.schema(), record.entities.get());
        let (action, resource) = (record.action.to_cedar()?, record.resource.to_cedar()?);
        let principal = record.principal.to_cedar()?;
        let request = Context::from_json_str(facts.get(), Some((schema, &action)))
            .ok()
            .and_then(|facts| Request::new(principal, action, resource, facts, Some(schema)).ok());
        let Some(request) = request else {
            return Ok(ReplayedAnswer::Impossible);
        };
        let known = self.entities_of(snapshot);
        let fitting = || Ok(Entities::from_json_str(things, Some(schema))?);
        Ok(match cached(known, things, fitting) {
            Ok(entities) => ReplayedAnswer::Decided(snapshot.judge(&request, entities)),
            Err(_) => ReplayedAnswer::Impossible,
        })
    }

    /// Whether the principal of a record is a member, by what is on record. The record must have been asked.
    pub(crate) fn is_principal_in(
        &mut self,
        record: &DecisionRecord,
        snapshot: &Snapshot,
        group: &EntityUid,
    ) -> Result<bool, BoxError> {
        let principal = record.principal.to_cedar()?;
        let known = self.entities_of(snapshot).get(record.entities.get());
        let entities = known.ok_or("its entities are not known")?;
        Ok(principal == *group || entities.is_ancestor_of(group, &principal))
    }

    /// The cached entities include the actions of one schema.
    fn entities_of(&mut self, snapshot: &Snapshot) -> &mut HashMap<String, Entities> {
        let digest = Arc::clone(snapshot.digest());
        self.entities.entry(digest).or_default()
    }

    fn compare(
        &mut self,
        record: DecisionRecord,
        recorded: RecordedOutcome,
        decision: &PolicyVerdict,
    ) {
        let direction = Direction::between(recorded, decision.outcome);
        let is_flip = matches!(direction, Some(Direction::Wider | Direction::Narrower));
        let differs = !record.is(decision);
        if is_flip {
            self.report.flips += 1;
            self.report.evaluation_flips += u64::from(is_evaluation(&record));
        } else if differs {
            self.report.other_reasons += 1;
        }
        if is_flip || (differs && self.mode == ReplayMode::Reproduce) {
            let direction = direction.unwrap_or(Direction::Reason);
            let flip = Flip {
                domain: record.domain,
                permission: record.action.id,
                direction,
                principal: record.principal.to_string(),
                via: record.via,
            };
            self.report.flip(flip, || FlipExample {
                id: record.id,
                at: timestamp::parse(&record.at).map_or(record.at, timestamp::format),
                resource: record.resource.to_string(),
                recorded: answer(recorded, &record.determining),
                now: answer(decision.outcome, &decision.determining),
            });
        }
    }
}

fn is_evaluation(record: &DecisionRecord) -> bool {
    record.via.as_deref() == Some(EVALUATION)
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
