//! Restores a whole record from a line and the definitions before it.

use std::collections::HashMap;
use std::sync::Arc;

use serde::Deserialize;
use serde_json::Value;
use serde_json::value::{RawValue, to_raw_value};

use super::context_cache::now_of;
use super::definitions::DefinitionKind;
use super::log_line::{CountedDecisions, FileStart, LogGap, LogLine};
use super::record::{DecisionRecord, RecordedError};
use charter_authz::json::{JsonError, Uid};
use charter_domain::id::DecisionId;
use charter_domain::timestamp::{self, Timestamp};

/// The definitions of a file so far.
#[derive(Debug, Default)]
pub struct DefinitionReader {
    entities: HashMap<u32, Box<RawValue>>,
    contexts: HashMap<u32, Value>,
    cases: HashMap<u32, Arc<CaseDefinition>>,
}

/// Which policies decided, without the rest of a record.
#[derive(Debug, Clone, Copy)]
pub struct DeterminedBy<'a> {
    /// Their `@id`s.
    pub policies: &'a [String],
    /// The domain of one's own that they belong to.
    pub domain: Option<&'a str>,
    pub is_allowed: bool,
    /// Unix time in milliseconds.
    pub at: i64,
    /// How many decisions the line stands for.
    pub count: u64,
}

/// Everything of a decision but its time, ids and context.
#[derive(Debug, Deserialize)]
struct CaseDefinition {
    #[serde(default)]
    via: Option<String>,
    #[serde(default)]
    domain: Option<String>,
    #[serde(default)]
    organization: Option<String>,
    policy_digest: String,
    principal: Uid,
    action: Uid,
    resource: Uid,
    entities: EntityNumbers,
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

/// Numbers of entities, or the text that masks all of them.
#[derive(Debug, Deserialize)]
#[serde(untagged)]
enum EntityNumbers {
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
struct LineStart<'a> {
    #[serde(borrow, default)]
    kind: Option<&'a str>,
    #[serde(default)]
    number: Option<u32>,
}

#[derive(Deserialize)]
struct CountedLine<'a> {
    #[serde(borrow, default)]
    kind: Option<&'a str>,
    case: u32,
    #[serde(borrow, default)]
    id: Option<&'a str>,
    #[serde(borrow, default)]
    at: Option<&'a str>,
    #[serde(default)]
    count: u64,
    #[serde(default)]
    rest: u64,
}

#[derive(Deserialize)]
struct DecisionLine {
    id: String,
    request_id: String,
    case: u32,
    #[serde(default)]
    context: Value,
    #[serde(default)]
    rest: u64,
}

impl DefinitionReader {
    /// Registers the definition on a line, if any. Lines must come in order.
    pub fn define(&mut self, line: &[u8]) -> Result<(), JsonError> {
        let head: LineStart<'_> = serde_json::from_slice(line)?;
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

    /// Whether a line may be a definition; cheap.
    #[must_use]
    pub fn is_definition(line: &[u8]) -> bool {
        const KIND: &[u8] = b"\"kind\":\"";
        let start = line.get(..64).unwrap_or(line);
        let kind = memchr::memmem::find(start, KIND).and_then(|at| start.get(at + KIND.len()..));
        let is = |kind: &[u8], defined: DefinitionKind| kind.starts_with(defined.kind().as_bytes());
        kind.is_some_and(|kind| {
            DefinitionKind::ALL
                .into_iter()
                .any(|defined| is(kind, defined))
        })
    }

    /// Parses a line with the definitions before it.
    ///
    /// # Errors
    ///
    /// The line is malformed, or a definition is missing.
    pub fn read(&self, line: &[u8]) -> Result<LogLine, JsonError> {
        let head: LineStart<'_> = serde_json::from_slice(line)?;
        match head.kind {
            None => self.decision(serde_json::from_slice(line)?),
            // In format version 1 each line is complete.
            Some("decision") => Ok(LogLine::Decision(serde_json::from_slice(line)?)),
            Some("rest") => self.counted(line),
            Some("file") => Ok(LogLine::File(FileStart::parse(line)?)),
            Some("gap") => Ok(LogLine::Gap(LogGap::parse(line)?)),
            Some("entity" | "context" | "case") => Ok(LogLine::Other),
            Some(_) => Err("no line of a decision log".into()),
        }
    }

    /// Which policies decided a line; `None` for lines that are no decisions, and for those of format version 1.
    ///
    /// # Errors
    ///
    /// The line is malformed, or its case is missing.
    pub fn determined_by(&self, line: &[u8]) -> Result<Option<DeterminedBy<'_>>, JsonError> {
        let head: LineStart<'_> = serde_json::from_slice(line)?;
        if !matches!(head.kind, None | Some("rest")) {
            return Ok(None);
        }
        let counted: CountedLine<'_> = serde_json::from_slice(line)?;
        let case = self.cases.get(&counted.case).ok_or("its case is missing")?;
        let (at, count) = if counted.kind.is_none() {
            let id = counted.id.ok_or("a decision without an id")?;
            (id.parse::<DecisionId>()?.made_at_millis(), 1 + counted.rest)
        } else {
            let at = timestamp::parse(counted.at.unwrap_or_default())?;
            (at.timestamp_millis(), counted.count)
        };
        Ok(Some(DeterminedBy {
            policies: &case.determining,
            domain: case.domain.as_deref(),
            is_allowed: case.decision == "allow",
            at,
            count,
        }))
    }

    /// The numbers of case and context that a line refers to.
    pub(super) fn case_of(line: &[u8]) -> Result<(u32, Option<u32>), JsonError> {
        let decided: DecisionLine = serde_json::from_slice(line)?;
        let context = decided
            .context
            .as_u64()
            .and_then(|it| u32::try_from(it).ok());
        Ok((decided.case, context))
    }

    /// The entity numbers of a known case.
    pub(super) fn entities_of(&self, case: u32) -> Vec<u32> {
        match self.cases.get(&case).map(|case| &case.entities) {
            Some(EntityNumbers::Numbers(numbers)) => numbers.clone(),
            _ => Vec::new(),
        }
    }

    fn counted(&self, line: &[u8]) -> Result<LogLine, JsonError> {
        let counted: CountedLine<'_> = serde_json::from_slice(line)?;
        let case = self.cases.get(&counted.case).ok_or("its case is missing")?;
        Ok(LogLine::Counted(Box::new(CountedDecisions {
            until: timestamp::parse(counted.at.unwrap_or_default())?,
            count: counted.count,
            domain: case.domain.clone(),
            principal: case.principal.clone(),
            action: case.action.clone(),
            resource: case.resource.clone(),
            determining: case.determining.clone(),
        })))
    }

    fn decision(&self, decided: DecisionLine) -> Result<LogLine, JsonError> {
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
                // A domain of one's own has no facts but those that it was told.
                if let Some(facts) = context.as_object_mut().filter(|_| case.domain.is_none()) {
                    facts.insert("now".to_owned(), now_of(at));
                }
                Some(to_raw_value(&context)?)
            }
            whole => Some(to_raw_value(&whole)?),
        };
        Ok(LogLine::Decision(Box::new(DecisionRecord {
            id: decided.id,
            at: timestamp::format_millis(at),
            request_id: decided.request_id,
            via: case.via.clone(),
            domain: case.domain.clone(),
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

    fn entities(&self, entities: &EntityNumbers) -> Result<Box<RawValue>, JsonError> {
        let numbers = match entities {
            EntityNumbers::Masked(text) => return Ok(to_raw_value(text)?),
            EntityNumbers::Numbers(numbers) => numbers,
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
