//! Renders the parts of a decision's line.

use std::borrow::Cow;

use serde_json::value::to_raw_value;

use super::chain::Chain;
use super::context_cache::ContextCache;
use super::domain_parts;
use super::line_body::{ActionUid, not_evaluable_uid};
use super::line_parts::{LineContext, LineEntities, LineParts};
use super::log_entry::{BuiltInDecision, Decided, EvaluationInput, LogEntry};
use super::mask::Mask;
use charter_authz::json::{JsonError, Uid, entity_texts};

/// Renders the parts of an entry and masks them.
pub(super) fn render<'a>(
    entry: &'a LogEntry,
    contexts: &mut ContextCache,
    mask: &Mask,
    chain: &Chain,
) -> Result<LineParts<'a>, JsonError> {
    let mut written = match &entry.decided {
        Decided::BuiltIn(decision) => of_built_in(entry, decision, contexts)?,
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

fn of_built_in<'a>(
    entry: &'a LogEntry,
    decision: &'a BuiltInDecision,
    contexts: &mut ContextCache,
) -> Result<LineParts<'a>, JsonError> {
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
    let mut written = LineParts {
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
        entities: LineEntities::Each(texts),
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
                written.context = Some(LineContext::Json(found.clone()));
            }
        }
    }
    Ok(written)
}
