//! From a line back to the whole record: what the file defined before stands in its place.

use std::collections::HashMap;
use std::sync::Arc;

use serde::Deserialize;
use serde_json::Value;
use serde_json::value::{RawValue, to_raw_value};

use super::definitions::Defined;
use super::fragments::now_of;
use super::read::{Record, RecordedError};
use charter_authz::json::{JsonError, Uid};
use charter_domain::id::DecisionId;
use charter_domain::timestamp::{self, Timestamp};

/// What a file has defined so far.
#[derive(Debug, Default)]
pub struct Definitions {
    entities: HashMap<u32, Box<RawValue>>,
    contexts: HashMap<u32, Value>,
    cases: HashMap<u32, Arc<Case>>,
}

/// What a line is.
#[derive(Debug)]
pub enum Line {
    /// A decision.
    Decision(Box<Record>),
    /// That many more of a decision's kind, which are not written one by one.
    Rest(u64),
    /// Something else that a log has.
    Other,
}

/// All of a decision but its time, its ids and the facts of its moment.
#[derive(Debug, Deserialize)]
struct Case {
    #[serde(default)]
    via: Option<String>,
    organization: String,
    policy_digest: String,
    principal: Uid,
    action: Uid,
    resource: Uid,
    entities: OneOrMany,
    decision: String,
    reason: Option<String>,
    #[serde(default)]
    code: Option<String>,
    #[serde(default)]
    message: Option<String>,
    determining: Vec<String>,
    errors: Vec<RecordedError>,
    #[serde(default)]
    shadow: Option<Value>,
    #[serde(default)]
    masked: Vec<String>,
}

/// Numbers of entities, or what stands in the place of all of them.
#[derive(Debug, Deserialize)]
#[serde(untagged)]
enum OneOrMany {
    Numbers(Vec<u32>),
    Masked(String),
}

#[derive(Deserialize)]
struct Definition<'a> {
    number: u32,
    #[serde(borrow)]
    entity: Option<&'a RawValue>,
    context: Option<Value>,
}

#[derive(Deserialize)]
struct Head<'a> {
    #[serde(borrow, default)]
    kind: Option<&'a str>,
    #[serde(default)]
    number: Option<u32>,
    #[serde(default)]
    count: Option<u64>,
}

#[derive(Deserialize)]
struct Decided {
    id: String,
    request_id: String,
    case: u32,
    #[serde(default)]
    context: Value,
    #[serde(default)]
    rest: u64,
}

impl Definitions {
    /// Takes what a line defines; anything else is left. Lines of a file come in their order.
    ///
    /// # Errors
    ///
    /// It is no line of a log.
    pub fn define(&mut self, line: &[u8]) -> Result<(), JsonError> {
        let head: Head<'_> = serde_json::from_slice(line)?;
        match head.kind {
            Some("case") => {
                let number = head.number.ok_or("a case without a number")?;
                self.cases
                    .insert(number, Arc::new(serde_json::from_slice(line)?));
            }
            Some("entity" | "context") => {
                let found: Definition<'_> = serde_json::from_slice(line)?;
                if let Some(entity) = found.entity {
                    self.entities.insert(found.number, entity.to_owned());
                }
                if let Some(context) = found.context {
                    self.contexts.insert(found.number, context);
                }
            }
            _ => {}
        }
        Ok(())
    }

    /// Whether a line may define something; cheap.
    #[must_use]
    pub fn is_definition(line: &[u8]) -> bool {
        const KIND: &[u8] = b"\"kind\":\"";
        let start = line.get(..64).unwrap_or(line);
        let kind = memchr::memmem::find(start, KIND).and_then(|at| start.get(at + KIND.len()..));
        let is = |kind: &[u8], defined: Defined| kind.starts_with(defined.kind().as_bytes());
        kind.is_some_and(|kind| Defined::ALL.into_iter().any(|defined| is(kind, defined)))
    }

    /// Reads a line with what was defined before it.
    ///
    /// # Errors
    ///
    /// It is no line of a log, or what it refers to was not defined.
    pub fn read(&self, line: &[u8]) -> Result<Line, JsonError> {
        let head: Head<'_> = serde_json::from_slice(line)?;
        match head.kind {
            None => self.decision(serde_json::from_slice(line)?),
            // Of a file of version 1, where each line says all.
            Some("decision") => Ok(Line::Decision(serde_json::from_slice(line)?)),
            Some("rest") => Ok(Line::Rest(head.count.unwrap_or(0))),
            Some("file" | "gap" | "entity" | "context" | "case") => Ok(Line::Other),
            Some(_) => Err("no line of a decision log".into()),
        }
    }

    /// The numbers of what a line refers to, to be found first.
    pub(super) fn case_of(line: &[u8]) -> Result<(u32, Option<u32>), JsonError> {
        let decided: Decided = serde_json::from_slice(line)?;
        let context = decided
            .context
            .as_u64()
            .and_then(|it| u32::try_from(it).ok());
        Ok((decided.case, context))
    }

    /// The numbers of a case's entities, once the case is known.
    pub(super) fn entities_of(&self, case: u32) -> Vec<u32> {
        match self.cases.get(&case).map(|case| &case.entities) {
            Some(OneOrMany::Numbers(numbers)) => numbers.clone(),
            _ => Vec::new(),
        }
    }

    fn decision(&self, decided: Decided) -> Result<Line, JsonError> {
        let case = self.cases.get(&decided.case).ok_or("its case is missing")?;
        let id: DecisionId = decided.id.parse()?;
        let at =
            Timestamp::from_timestamp_millis(id.made_at_millis()).ok_or("an id beyond time")?;
        let context = match decided.context {
            Value::Null => None,
            Value::Number(number) => {
                let number = number.as_u64().and_then(|it| u32::try_from(it).ok());
                let known = number.and_then(|number| self.contexts.get(&number));
                let mut context = known.cloned().ok_or("its context is missing")?;
                if let Some(facts) = context.as_object_mut() {
                    facts.insert("now".to_owned(), now_of(at));
                }
                Some(to_raw_value(&context)?)
            }
            whole => Some(to_raw_value(&whole)?),
        };
        Ok(Line::Decision(Box::new(Record {
            id: decided.id,
            at: timestamp::format_millis(at),
            request_id: decided.request_id,
            via: case.via.clone(),
            organization: case.organization.clone(),
            policy_digest: case.policy_digest.clone(),
            principal: case.principal.clone(),
            action: case.action.clone(),
            resource: case.resource.clone(),
            context,
            entities: self.entities(&case.entities)?,
            decision: case.decision.clone(),
            reason: case.reason.clone(),
            code: case.code.clone(),
            message: case.message.clone(),
            determining: case.determining.clone(),
            errors: case.errors.clone(),
            shadow: case.shadow.clone(),
            masked: case.masked.clone(),
            rest: decided.rest,
        })))
    }

    fn entities(&self, entities: &OneOrMany) -> Result<Box<RawValue>, JsonError> {
        let numbers = match entities {
            OneOrMany::Masked(text) => return Ok(to_raw_value(text)?),
            OneOrMany::Numbers(numbers) => numbers,
        };
        let known: Option<Vec<&RawValue>> = numbers
            .iter()
            .map(|number| self.entities.get(number).map(|it| &**it))
            .collect();
        Ok(to_raw_value(
            &known.ok_or("one of its entities is missing")?,
        )?)
    }
}
