//! Renders lines and the definitions that they need.

use std::borrow::Cow;

use serde::Serialize;

use super::chain::{self, Chain, Position};
use super::context_cache::{ContextCache, ContextJson};
use super::definitions::{DefinitionCounts, DefinitionKind, DefinitionWriter};
use super::line_body::{
    CaseBody, ContextBody, ContextField, DecisionBody, EntitiesField, EntityBody, ErrorBody,
    FileBody, GapBody, IdText, LineBody, UnwrittenBody, VERSION, outcome_words,
};
use super::line_parts::{LineContext, LineEntities, LineParts};
use super::log_entry::{Decided, LogEntry};
use super::log_file::MAX_LINE_BYTES;
use super::mask::Mask;
use super::queue::LostDecisions;
use super::rendered_parts;
use super::sampling::UnwrittenDecisions;
use super::shadow::ShadowAnswer;
use charter_authz::json::JsonError;
use charter_domain::timestamp::{self, Timestamp};

/// The rest of a line is short.
const MAX_CASE_BYTES: u64 = MAX_LINE_BYTES / 2;

/// What the index needs to know of a line.
#[derive(Debug, Clone, Copy)]
pub(super) struct LineSummary {
    pub(super) made_at: Option<i64>,
    pub(super) defined: Option<DefinitionKind>,
    pub(super) length: u64,
}

pub(super) struct LineRenderer {
    pub(super) chain: Chain,
    pub(super) position: Position,
    /// Of the lines since the last flush.
    pub(super) summaries: Vec<LineSummary>,
    mask: Mask,
    definitions: DefinitionWriter,
    contexts: ContextCache,
}

impl LineRenderer {
    /// Continues a file with that many definitions.
    pub(super) fn new(
        chain: Chain,
        position: Position,
        mask: Mask,
        numbers: DefinitionCounts,
    ) -> Self {
        Self {
            chain,
            position,
            summaries: Vec::new(),
            mask,
            definitions: DefinitionWriter::after(numbers),
            contexts: ContextCache::default(),
        }
    }

    /// Appends a decision and returns the number of its case. `shadow` is the decision of the
    /// shadow policies where it differs, `rest` the number of preceding decisions of its kind that
    /// are only counted.
    pub(super) fn decision(
        &mut self,
        entry: &LogEntry,
        shadow: Option<&ShadowAnswer>,
        rest: u64,
        out: &mut Vec<u8>,
    ) -> Result<u32, JsonError> {
        let written = rendered_parts::render(entry, &mut self.contexts, &self.mask, &self.chain)?;
        let entities = match &written.entities {
            LineEntities::Masked(text) => EntitiesField::Masked(text),
            LineEntities::Each(texts) => {
                let texts = texts.iter();
                let numbers = texts.map(|text| self.entity(text, out));
                EntitiesField::Numbers(numbers.collect::<Result<_, _>>()?)
            }
        };
        let case = self.case(entry, &written, entities, shadow, out)?;
        let whole_context;
        let context = match written.context {
            None => None,
            Some(LineContext::Whole(context) | LineContext::Json(ContextJson::Whole(context))) => {
                whole_context = context;
                Some(ContextField::Whole(&whole_context))
            }
            Some(
                LineContext::Shared(context) | LineContext::Json(ContextJson::WithoutTime(context)),
            ) => {
                let number = self.context(&context, out)?;
                Some(ContextField::Defined(number))
            }
        };
        let line = DecisionBody {
            sequence: self.position.sequence + 1,
            id: IdText(entry.id),
            request_id: &written.request_id,
            case,
            context,
            rest,
            prev: &chain::encode(&self.position.mac),
        };
        self.write(&line, Some(entry.id.made_at_millis()), None, out)?;
        Ok(case)
    }

    /// The principal's id for the service's log, masked as in the decision log.
    pub(super) fn principal(&self, entry: &LogEntry) -> String {
        let (id, is_resource) = match &entry.decided {
            Decided::BuiltIn(decision) => {
                let id = decision.principal.caller().principal_id();
                let is_resource = decision.subject.is_about(&id);
                (id, is_resource)
            }
            Decided::Domain(decision) => {
                let request = &decision.answered.request;
                let id = |uid: &cedar_policy::EntityUid| uid.id().unescaped().to_owned();
                let principal = request.principal().map(id).unwrap_or_default();
                let is_resource = request.resource().map(id).as_ref() == Some(&principal);
                (principal, is_resource)
            }
        };
        self.mask.principal(id, is_resource, &self.chain)
    }

    /// A rendering error for the service's log, masked.
    pub(super) fn fault<'a>(&self, fault: &'a str) -> Cow<'a, str> {
        self.mask.message(fault, &self.chain)
    }

    /// Appends the first line of a file and resets the definitions.
    pub(super) fn file(&mut self, at: Timestamp, body: FileBody<'_>, out: &mut Vec<u8>) {
        self.definitions = DefinitionWriter::after(DefinitionCounts::default());
        self.write_line("file", Some(at), None, body, out);
    }

    /// Appends a line about decisions that were not written.
    pub(super) fn gap(&mut self, at: Timestamp, lost: LostDecisions, out: &mut Vec<u8>) {
        let body = GapBody {
            lost: lost.count,
            since: timestamp::format_millis(lost.since),
            until: timestamp::format_millis(lost.until),
        };
        self.write_line("gap", Some(at), None, body, out);
    }

    /// Appends a line about decisions of a case that are only counted.
    pub(super) fn rest(&mut self, rest: UnwrittenDecisions, out: &mut Vec<u8>) {
        let body = UnwrittenBody {
            case: rest.case,
            count: rest.count,
        };
        self.write_line("rest", Some(rest.until), None, body, out);
    }

    fn entity(&mut self, text: &str, out: &mut Vec<u8>) -> Result<u32, JsonError> {
        self.definitions
            .number(DefinitionKind::Entity, text)
            .or_else(|number| {
                let entity = serde_json::from_str(text)?;
                self.define(DefinitionKind::Entity, number, EntityBody { entity }, out);
                Ok(number)
            })
    }

    fn context(&mut self, text: &str, out: &mut Vec<u8>) -> Result<u32, JsonError> {
        self.definitions
            .number(DefinitionKind::Context, text)
            .or_else(|number| {
                let context = serde_json::from_str(text)?;
                self.define(
                    DefinitionKind::Context,
                    number,
                    ContextBody { context },
                    out,
                );
                Ok(number)
            })
    }

    fn case(
        &mut self,
        entry: &LogEntry,
        written: &LineParts<'_>,
        entities: EntitiesField<'_>,
        shadow: Option<&ShadowAnswer>,
        out: &mut Vec<u8>,
    ) -> Result<u32, JsonError> {
        let decision = entry.answer();
        let (answer, reason) = outcome_words(decision.outcome);
        let refusal = decision.refusal;
        let masked = self.mask.names().chain(written.too_large.iter().copied());
        let error_body = |error| ErrorBody::new(error, &self.mask, &self.chain);
        let body = CaseBody {
            via: entry.via.name(),
            domain: written.domain,
            organization: written.organization,
            policy_digest: decision.policy_digest,
            principal: &written.principal,
            action: &written.action,
            resource: &written.resource,
            entities,
            decision: answer,
            reason,
            code: refusal.and_then(|refusal| refusal.code.as_deref()),
            message: refusal.and_then(|refusal| refusal.message.as_deref()),
            determining: decision.determining,
            errors: decision.errors.iter().map(error_body).collect(),
            shadow: shadow.map(Into::into),
            masked: masked.collect(),
        };
        let text = serde_json::to_string(&body)?;
        if text.len() as u64 > MAX_CASE_BYTES {
            return Err("a decision with names that are too long to be kept".into());
        }
        let number = self.definitions.number(DefinitionKind::Case, &text);
        let (number, is_new) = match number {
            Ok(known) => (known, false),
            Err(new) => (new, true),
        };
        if is_new {
            let line = LineBody {
                v: None,
                sequence: self.position.sequence + 1,
                kind: DefinitionKind::Case.kind(),
                number: Some(number),
                at: None,
                body,
                prev: &chain::encode(&self.position.mac),
            };
            let start = out.len();
            serde_json::to_writer(&mut *out, &line)?;
            self.close(start, None, Some(DefinitionKind::Case), out);
        }
        Ok(number)
    }

    fn define(
        &mut self,
        defined: DefinitionKind,
        number: u32,
        body: impl Serialize,
        out: &mut Vec<u8>,
    ) {
        self.write_line(defined.kind(), None, Some((defined, number)), body, out);
    }

    fn write_line(
        &mut self,
        kind: &'static str,
        at: Option<Timestamp>,
        defined: Option<(DefinitionKind, u32)>,
        body: impl Serialize,
        out: &mut Vec<u8>,
    ) {
        let line = LineBody {
            // The first line gives the version for the whole file.
            v: (kind == "file").then_some(VERSION),
            sequence: self.position.sequence + 1,
            kind,
            number: defined.map(|(_, number)| number),
            at: at.map(timestamp::format_millis),
            body,
            prev: &chain::encode(&self.position.mac),
        };
        // Serialising numbers and strings to memory cannot fail.
        let _ = self.write(&line, None, defined.map(|(defined, _)| defined), out);
    }

    /// Appends a whole line or nothing.
    fn write(
        &mut self,
        line: &impl Serialize,
        made_at: Option<i64>,
        defined: Option<DefinitionKind>,
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
        defined: Option<DefinitionKind>,
        out: &mut Vec<u8>,
    ) {
        self.position = Position {
            sequence: self.position.sequence + 1,
            mac: self.chain.seal(out, start),
        };
        self.summaries.push(LineSummary {
            made_at,
            defined,
            length: (out.len() - start) as u64,
        });
    }
}
