//! The parts of the line of a domain's decision. Whoever asks says what they hold, so their size is bounded here.

use std::borrow::Cow;

use serde::Serialize;
use serde_json::value::{RawValue, to_raw_value};

use super::domain_decision::DomainDecision;
use super::line_body::ActionUid;
use super::line_parts::{LineContext, LineEntities, LineParts};
use super::log_entry::LogEntry;
use super::mask::Mask;
use charter_authz::json::{JsonError, Uid, context_json, entity_texts};

/// A longer context is defined once in a file, and not in each line.
const MAX_INLINE: usize = 256;
/// Of a context, and of all entities of a question together. A line must be shorter than `MAX_LINE_BYTES`.
const MAX_PART_BYTES: usize = 1024 * 1024;

pub(super) fn render<'a>(
    entry: &'a LogEntry,
    decision: &'a DomainDecision,
) -> Result<LineParts<'a>, JsonError> {
    let (request, entities) = (&decision.answered.request, &decision.answered.entities);
    let uid = |found: Option<&cedar_policy::EntityUid>| {
        found.map(Uid::of).ok_or("a question without a name")
    };
    let action = uid(request.action())?;
    let context = request.context().map(context_json).transpose()?;
    let context = context.map(|context| LineContext::Shared(context.to_string()));
    Ok(LineParts {
        request_id: Cow::Borrowed(&entry.request_id),
        domain: Some(&decision.domain),
        organization: None,
        principal: raw(&uid(request.principal())?)?,
        action: ActionUid {
            of: Cow::Owned(action.of),
            id: Cow::Owned(action.id),
        },
        resource: raw(&uid(request.resource())?)?,
        context,
        entities: LineEntities::Each(entity_texts(entities)?),
        too_large: Vec::new(),
    })
}

/// Leaves out what is too large, and puts a short context into the line itself.
pub(super) fn shorten(written: &mut LineParts<'_>) -> Result<(), JsonError> {
    if let Some(LineContext::Shared(text)) = &written.context {
        if text.len() > MAX_PART_BYTES {
            written.too_large.push("context");
            written.context = Some(LineContext::Whole(to_raw_value(Mask::TOO_LARGE)?));
        } else if text.len() <= MAX_INLINE || !text.starts_with('{') {
            let text = RawValue::from_string(text.clone())?;
            written.context = Some(LineContext::Whole(text));
        }
    }
    if let LineEntities::Each(texts) = &written.entities {
        let bytes: usize = texts.iter().map(String::len).sum();
        if bytes > MAX_PART_BYTES {
            written.too_large.push("entities");
            written.entities = LineEntities::Masked(Mask::TOO_LARGE.to_owned());
        }
    }
    Ok(())
}

fn raw<'a>(value: &impl Serialize) -> Result<Cow<'a, RawValue>, JsonError> {
    Ok(Cow::Owned(to_raw_value(value)?))
}
