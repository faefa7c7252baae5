//! Writes lines, one after the other, and what they refer to before them.

use std::borrow::Cow;

use serde::Serialize;
use serde_json::Value;
use serde_json::value::{RawValue, to_raw_value};

use super::body::{
    Action, CaseBody, ContextBody, DecisionBody, Display, Entities, EntityBody, ErrorBody, Facts,
    FileBody, GapBody, Line, RestBody, VERSION, unaskable, words,
};
use super::chain::{self, Chain, Position};
use super::definitions::{Defined, Definitions, Numbers};
use super::entry::{Entry, Subject};
use super::fragments::{Contexts, Known};
use super::mask::{Mask, Parts};
use super::queue::Lost;
use super::sampling::Rest;
use charter_authz::decision::Decision;
use charter_authz::json::{JsonError, PrincipalJson, Uid, entity_texts};
use charter_domain::timestamp::{self, Timestamp};

/// What an index says of a line.
#[derive(Debug, Clone, Copy)]
pub(super) struct Noted {
    pub(super) made_at: Option<i64>,
    pub(super) defined: Option<Defined>,
    pub(super) length: u64,
}

/// Writes lines one after the other.
pub(super) struct Renderer {
    pub(super) chain: Chain,
    pub(super) position: Position,
    /// Of the lines since the last look.
    pub(super) noted: Vec<Noted>,
    mask: Mask,
    definitions: Definitions,
    contexts: Contexts,
}

/// A decision's parts, as they are written.
struct Written<'a> {
    request_id: Cow<'a, str>,
    principal: Cow<'a, RawValue>,
    resource: Cow<'a, RawValue>,
    context: Option<Context>,
    entities: AllEntities<'a>,
}

enum Context {
    Known(Known),
    Masked(Box<RawValue>),
}

enum AllEntities<'a> {
    Each(Cow<'a, [String]>),
    Masked(String),
}

impl Renderer {
    /// In a file that has so many definitions.
    pub(super) fn new(chain: Chain, position: Position, mask: Mask, numbers: Numbers) -> Self {
        Self {
            chain,
            position,
            noted: Vec::new(),
            mask,
            definitions: Definitions::after(numbers),
            contexts: Contexts::default(),
        }
    }

    /// Appends a decision; `shadow` is what the other set answers, if that is something else, and
    /// `rest` how many of its kind before it are only counted. Gives its case.
    pub(super) fn decision(
        &mut self,
        entry: &Entry,
        shadow: Option<&Decision>,
        rest: u64,
        out: &mut Vec<u8>,
    ) -> Result<u32, JsonError> {
        let of_principal = entry.principal.json()?;
        let written = self.parts(entry, of_principal)?;
        let entities = match &written.entities {
            AllEntities::Masked(text) => Entities::Masked(text),
            AllEntities::Each(texts) => {
                let texts = texts.iter();
                let numbers = texts.map(|text| self.entity(text, out));
                Entities::Numbers(numbers.collect::<Result<_, _>>()?)
            }
        };
        let case = self.case(entry, of_principal, &written, entities, shadow, out)?;
        let masked_context;
        let context = match written.context {
            None => None,
            Some(Context::Masked(context) | Context::Known(Known::Whole(context))) => {
                masked_context = context;
                Some(Facts::Whole(&masked_context))
            }
            Some(Context::Known(Known::WithoutNow(context))) => {
                let number = self.context(&context, out)?;
                Some(Facts::Defined(number))
            }
        };
        let line = DecisionBody {
            sequence: self.position.sequence + 1,
            id: Display(entry.id),
            request_id: &written.request_id,
            case,
            context,
            rest,
            prev: &chain::encode(&self.position.mac),
        };
        self.write(&line, Some(entry.id.made_at_millis()), None, out)?;
        Ok(case)
    }

    /// Who asked, for the service's log: it is as masked there as here.
    pub(super) fn principal(&self, entry: &Entry) -> String {
        let id = entry.principal.caller().principal_id();
        let is_resource = entry.subject.is_about(&id);
        self.mask.principal(id, is_resource, &self.chain)
    }

    /// An error of writing an entry down, for the service's log.
    pub(super) fn fault<'a>(&self, fault: &'a str) -> Cow<'a, str> {
        self.mask.message(fault, &self.chain)
    }

    /// Appends the first line of a file, in which nothing is defined yet.
    pub(super) fn file(&mut self, at: Timestamp, body: FileBody<'_>, out: &mut Vec<u8>) {
        self.definitions = Definitions::after(Numbers::default());
        self.simple("file", Some(at), None, body, out);
    }

    /// Appends a line that says how many decisions were not written.
    pub(super) fn gap(&mut self, at: Timestamp, lost: Lost, out: &mut Vec<u8>) {
        let body = GapBody {
            lost: lost.count,
            since: timestamp::format_millis(lost.since),
            until: timestamp::format_millis(lost.until),
        };
        self.simple("gap", Some(at), None, body, out);
    }

    /// Appends a line that says how many decisions of a case are only counted.
    pub(super) fn rest(&mut self, rest: Rest, out: &mut Vec<u8>) {
        let body = RestBody {
            case: rest.case,
            count: rest.count,
        };
        self.simple("rest", Some(rest.until), None, body, out);
    }

    fn entity(&mut self, text: &str, out: &mut Vec<u8>) -> Result<u32, JsonError> {
        self.definitions
            .number(Defined::Entity, text)
            .or_else(|number| {
                let entity = serde_json::from_str(text)?;
                self.define(Defined::Entity, number, EntityBody { entity }, out);
                Ok(number)
            })
    }

    fn context(&mut self, text: &str, out: &mut Vec<u8>) -> Result<u32, JsonError> {
        self.definitions
            .number(Defined::Context, text)
            .or_else(|number| {
                let context = serde_json::from_str(text)?;
                self.define(Defined::Context, number, ContextBody { context }, out);
                Ok(number)
            })
    }

    fn case(
        &mut self,
        entry: &Entry,
        of_principal: &PrincipalJson,
        written: &Written<'_>,
        entities: Entities<'_>,
        shadow: Option<&Decision>,
        out: &mut Vec<u8>,
    ) -> Result<u32, JsonError> {
        let decision = &entry.decision;
        let (answer, reason) = words(decision.outcome);
        let refusal = decision.refusal.as_ref();
        let told = |error| ErrorBody::new(error, &self.mask, &self.chain);
        let body = CaseBody {
            via: entry.via.name(),
            organization: &of_principal.organization,
            policy_digest: &decision.policy_digest,
            principal: &written.principal,
            action: Action {
                of: "Action",
                id: decision.permission.as_str(),
            },
            resource: &written.resource,
            entities,
            decision: answer,
            reason,
            code: refusal.and_then(|refusal| refusal.code.as_deref()),
            message: refusal.and_then(|refusal| refusal.message.as_deref()),
            determining: &decision.determining,
            errors: decision.errors.iter().map(told).collect(),
            shadow: shadow.map(Into::into),
            masked: self.mask.names().collect(),
        };
        let text = serde_json::to_string(&body)?;
        let number = self.definitions.number(Defined::Case, &text);
        let (number, is_new) = match number {
            Ok(known) => (known, false),
            Err(new) => (new, true),
        };
        if is_new {
            let line = Line {
                v: None,
                sequence: self.position.sequence + 1,
                kind: Defined::Case.kind(),
                number: Some(number),
                at: None,
                body,
                prev: &chain::encode(&self.position.mac),
            };
            let start = out.len();
            serde_json::to_writer(&mut *out, &line)?;
            self.close(start, None, Some(Defined::Case), out);
        }
        Ok(number)
    }

    fn define(&mut self, defined: Defined, number: u32, body: impl Serialize, out: &mut Vec<u8>) {
        self.simple(defined.kind(), None, Some((defined, number)), body, out);
    }

    fn simple(
        &mut self,
        kind: &'static str,
        at: Option<Timestamp>,
        defined: Option<(Defined, u32)>,
        body: impl Serialize,
        out: &mut Vec<u8>,
    ) {
        let line = Line {
            // Of a file's first line, it is that of all.
            v: (kind == "file").then_some(VERSION),
            sequence: self.position.sequence + 1,
            kind,
            number: defined.map(|(_, number)| number),
            at: at.map(timestamp::format_millis),
            body,
            prev: &chain::encode(&self.position.mac),
        };
        // Numbers and strings into memory cannot fail.
        let _ = self.write(&line, None, defined.map(|(defined, _)| defined), out);
    }

    /// Appends a line, or nothing.
    fn write(
        &mut self,
        line: &impl Serialize,
        made_at: Option<i64>,
        defined: Option<Defined>,
        out: &mut Vec<u8>,
    ) -> Result<(), JsonError> {
        let start = out.len();
        if let Err(error) = serde_json::to_writer(&mut *out, line) {
            out.truncate(start);
            return Err(error.into());
        }
        self.close(start, made_at, defined, out);
        Ok(())
    }

    fn close(
        &mut self,
        start: usize,
        made_at: Option<i64>,
        defined: Option<Defined>,
        out: &mut Vec<u8>,
    ) {
        self.position = Position {
            sequence: self.position.sequence + 1,
            mac: self.chain.seal(out, start),
        };
        self.noted.push(Noted {
            made_at,
            defined,
            length: (out.len() - start) as u64,
        });
    }

    /// What of an entry is written, masked as it is to be.
    fn parts<'a>(
        &mut self,
        entry: &'a Entry,
        of_principal: &'a PrincipalJson,
    ) -> Result<Written<'a>, JsonError> {
        let principal = &*entry.principal;
        let mut written = Written {
            request_id: Cow::Borrowed(&entry.request_id),
            principal: Cow::Borrowed(&of_principal.principal),
            resource: Cow::Borrowed(&of_principal.own_organization),
            context: None,
            entities: AllEntities::Each(Cow::Borrowed(&of_principal.entities)),
        };
        match &entry.subject {
            Subject::Unaskable(of, id) => {
                written.resource = Cow::Owned(to_raw_value(&unaskable(of, id))?);
            }
            Subject::Asked(asked) => {
                let own = principal.organization();
                if let Some(uid) = asked.request.resource().filter(|uid| Some(*uid) != own) {
                    written.resource = Cow::Owned(to_raw_value(&Uid::of(uid))?);
                }
                if let Some(whole) = &asked.entities {
                    written.entities = AllEntities::Each(Cow::Owned(entity_texts(whole)?));
                }
                if let Some(context) = asked.request.context() {
                    let ip = entry.source_ip.to_canonical();
                    let found = self.contexts.get(ip, entry.at, principal.kind(), context)?;
                    written.context = Some(Context::Known(found.clone()));
                }
            }
        }
        if !self.mask.is_empty() {
            self.hide(&mut written, entry.at)?;
        }
        Ok(written)
    }

    fn hide(&self, written: &mut Written<'_>, at: Timestamp) -> Result<(), JsonError> {
        let AllEntities::Each(texts) = &written.entities else {
            return Ok(());
        };
        let entities = texts.iter().map(|text| serde_json::from_str(text));
        let context = match &written.context {
            Some(Context::Known(known)) => known.whole(at)?,
            _ => Value::Null,
        };
        let mut parts = Parts {
            request_id: written.request_id.clone().into_owned(),
            principal: serde_json::from_str(written.principal.get())?,
            resource: serde_json::from_str(written.resource.get())?,
            context,
            entities: Value::Array(entities.collect::<Result<_, _>>()?),
        };
        self.mask.apply(&mut parts, &self.chain);
        written.request_id = Cow::Owned(parts.request_id);
        written.principal = Cow::Owned(to_raw_value(&parts.principal)?);
        written.resource = Cow::Owned(to_raw_value(&parts.resource)?);
        if written.context.is_some() {
            written.context = Some(Context::Masked(to_raw_value(&parts.context)?));
        }
        written.entities = match parts.entities {
            Value::Array(entities) => {
                AllEntities::Each(entities.iter().map(Value::to_string).collect())
            }
            Value::String(text) => AllEntities::Masked(text),
            other => AllEntities::Masked(other.to_string()),
        };
        Ok(())
    }
}
