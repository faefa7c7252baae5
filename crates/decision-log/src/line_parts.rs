//! The parts of a decision's line as JSON, and how they are masked.

use std::borrow::Cow;

use serde_json::Value;
use serde_json::value::{RawValue, to_raw_value};

use super::chain::Chain;
use super::context_cache::ContextJson;
use super::line_body::ActionUid;
use super::mask::{Mask, MaskableParts};
use charter_authz::json::JsonError;
use charter_domain::timestamp::Timestamp;

/// The parts of a decision's line.
pub(super) struct LineParts<'a> {
    pub(super) request_id: Cow<'a, str>,
    pub(super) domain: Option<&'a str>,
    pub(super) organization: Option<&'a str>,
    pub(super) principal: Cow<'a, RawValue>,
    pub(super) action: ActionUid<'a>,
    pub(super) resource: Cow<'a, RawValue>,
    pub(super) context: Option<LineContext>,
    pub(super) entities: LineEntities,
    /// What is left out although nobody masks it.
    pub(super) too_large: Vec<&'static str>,
}

pub(super) enum LineContext {
    Json(ContextJson),
    /// Of a domain of one's own, which has no `now` by itself; defined once in a file.
    Shared(String),
    Whole(Box<RawValue>),
}

pub(super) enum LineEntities {
    Each(Vec<String>),
    Masked(String),
}

impl LineParts<'_> {
    pub(super) fn apply_mask(
        &mut self,
        at: Timestamp,
        mask: &Mask,
        chain: &Chain,
    ) -> Result<(), JsonError> {
        let LineEntities::Each(texts) = &self.entities else {
            return Ok(());
        };
        let entities = texts.iter().map(|text| serde_json::from_str(text));
        let context = match &self.context {
            Some(LineContext::Json(known)) => known.whole(at)?,
            Some(LineContext::Shared(text)) => serde_json::from_str(text)?,
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
            Some(LineContext::Shared(text)) => *text = parts.context.to_string(),
            Some(context) => *context = LineContext::Whole(to_raw_value(&parts.context)?),
        }
        self.entities = match parts.entities {
            Value::Array(entities) => {
                LineEntities::Each(entities.iter().map(Value::to_string).collect())
            }
            Value::String(text) => LineEntities::Masked(text),
            other => LineEntities::Masked(other.to_string()),
        };
        Ok(())
    }
}
