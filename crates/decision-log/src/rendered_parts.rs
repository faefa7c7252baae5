//! The parts of a decision's line as JSON, masked.

use std::borrow::Cow;

use serde_json::Value;
use serde_json::value::{RawValue, to_raw_value};

use super::chain::Chain;
use super::context_cache::{ContextCache, ContextJson};
use super::domain_parts;
use super::line_body::{ActionUid, not_evaluable_uid};
use super::log_entry::{BuiltInDecision, Decided, EvaluationInput, LogEntry};
use super::mask::{Mask, MaskableParts};
use charter_authz::json::{JsonError, Uid, entity_texts};
use charter_domain::timestamp::Timestamp;

/// The parts of a decision's line.
pub(super) struct RenderedParts<'a> {
    pub(super) request_id: Cow<'a, str>,
    pub(super) domain: Option<&'a str>,
    pub(super) organization: Option<&'a str>,
    pub(super) principal: Cow<'a, RawValue>,
    pub(super) action: ActionUid<'a>,
    pub(super) resource: Cow<'a, RawValue>,
    pub(super) context: Option<RenderedContext>,
    pub(super) entities: RenderedEntities,
    /// What is left out although nobody masks it.
    pub(super) too_large: Vec<&'static str>,
}

pub(super) enum RenderedContext {
    Json(ContextJson),
    /// Of a domain of one's own, which has no `now` by itself; defined once in a file.
    Shared(String),
    Whole(Box<RawValue>),
}

pub(super) enum RenderedEntities {
    Each(Vec<String>),
    Masked(String),
}

impl<'a> RenderedParts<'a> {
    /// Renders the parts of an entry and masks them.
    pub(super) fn render(
        entry: &'a LogEntry,
        contexts: &mut ContextCache,
        mask: &Mask,
        chain: &Chain,
    ) -> Result<Self, JsonError> {
        let mut written = match &entry.decided {
            Decided::BuiltIn(decision) => Self::of_built_in(entry, decision, contexts)?,
            Decided::Domain(decision) => domain_parts::render(entry, decision)?,
        };
        if !mask.is_empty() {
            written.apply_mask(entry.at, mask, chain)?;
        }
        if let Decided::Domain(_) = &entry.decided {
            domain_parts::shorten(&mut written)?;
        }
        Ok(written)
    }

    fn of_built_in(
        entry: &'a LogEntry,
        decision: &'a BuiltInDecision,
        contexts: &mut ContextCache,
    ) -> Result<Self, JsonError> {
        let principal = &*decision.principal;
        let of_principal = principal.json()?;
        let of_question = match &decision.subject {
            EvaluationInput::Evaluated(asked) => asked.entities.as_ref(),
            EvaluationInput::NotEvaluable(..) => None,
        };
        let texts = match of_question {
            Some(whole) => entity_texts(whole)?,
            None => of_principal.entities(),
        };
        let mut written = Self {
            request_id: Cow::Borrowed(&entry.request_id),
            domain: None,
            organization: Some(&of_principal.organization),
            principal: Cow::Borrowed(&of_principal.principal),
            action: ActionUid {
                of: Cow::Borrowed("Action"),
                id: Cow::Borrowed(decision.decision.permission.as_str()),
            },
            resource: Cow::Borrowed(&of_principal.own_organization),
            context: None,
            entities: RenderedEntities::Each(texts),
            too_large: Vec::new(),
        };
        match &decision.subject {
            EvaluationInput::NotEvaluable(of, id) => {
                written.resource = Cow::Owned(to_raw_value(&not_evaluable_uid(of, id))?);
            }
            EvaluationInput::Evaluated(asked) => {
                let own = principal.organization();
                if let Some(uid) = asked.request.resource().filter(|uid| Some(*uid) != own) {
                    written.resource = Cow::Owned(to_raw_value(&Uid::of(uid))?);
                }
                if let Some(context) = asked.request.context() {
                    let ip = decision.source_ip.to_canonical();
                    let found = contexts.get(ip, entry.at, principal.kind(), context)?;
                    written.context = Some(RenderedContext::Json(found.clone()));
                }
            }
        }
        Ok(written)
    }

    fn apply_mask(&mut self, at: Timestamp, mask: &Mask, chain: &Chain) -> Result<(), JsonError> {
        let RenderedEntities::Each(texts) = &self.entities else {
            return Ok(());
        };
        let entities = texts.iter().map(|text| serde_json::from_str(text));
        let context = match &self.context {
            Some(RenderedContext::Json(known)) => known.whole(at)?,
            Some(RenderedContext::Shared(text)) => serde_json::from_str(text)?,
            _ => Value::Null,
        };
        let mut parts = MaskableParts {
            request_id: self.request_id.clone().into_owned(),
            principal: serde_json::from_str(self.principal.get())?,
            resource: serde_json::from_str(self.resource.get())?,
            context,
            entities: Value::Array(entities.collect::<Result<_, _>>()?),
        };
        mask.apply(&mut parts, chain);
        self.request_id = Cow::Owned(parts.request_id);
        self.principal = Cow::Owned(to_raw_value(&parts.principal)?);
        self.resource = Cow::Owned(to_raw_value(&parts.resource)?);
        match &mut self.context {
            None => {}
            Some(RenderedContext::Shared(text)) => *text = parts.context.to_string(),
            Some(context) => *context = RenderedContext::Whole(to_raw_value(&parts.context)?),
        }
        self.entities = match parts.entities {
            Value::Array(entities) => {
                RenderedEntities::Each(entities.iter().map(Value::to_string).collect())
            }
            Value::String(text) => RenderedEntities::Masked(text),
            other => RenderedEntities::Masked(other.to_string()),
        };
        Ok(())
    }
}
