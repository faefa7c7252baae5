//! A request with its entities as people write it down: in the Cedar CLI's form, as JSON.

use std::collections::BTreeMap;

use cedar_policy::{Context, Entities, EntityUid, Request, Schema};
use serde::Deserialize;
use serde_json::value::RawValue;

use charter_authz::fault::{Fault, LoadError};
use charter_authz::source::Source;

/// A request, not yet held against the schema.
#[derive(Debug, Deserialize)]
pub(super) struct WrittenRequest<'a> {
    principal: String,
    action: String,
    resource: String,
    #[serde(borrow)]
    context: &'a RawValue,
}

#[derive(Debug, Deserialize)]
struct WrittenQuestion<'a> {
    #[serde(borrow)]
    request: WrittenRequest<'a>,
    #[serde(borrow)]
    entities: &'a RawValue,
}

/// Texts of entity files that may be named in place of entities, by file name.
pub(super) type EntityFiles<'a> = BTreeMap<&'a str, &'a str>;

/// Reads a request with its entities; what else is there, as in an example, is not looked at.
///
/// # Errors
///
/// The text does not have the form, or the schema does not let this be asked.
pub fn read(source: &Source, schema: &Schema) -> Result<(Request, Entities), LoadError> {
    let question: WrittenQuestion<'_> = serde_json::from_str(source.inner())
        .map_err(|error| LoadError::new(vec![malformed(source, 0, &error)]))?;
    let (request, entities) = (&question.request, question.entities);
    to_cedar(request, entities, schema, &EntityFiles::new())
        .map_err(|reason| LoadError::new(vec![Fault::new(reason)]))
}

pub(super) fn to_cedar(
    written: &WrittenRequest<'_>,
    entities: &RawValue,
    schema: &Schema,
    files: &EntityFiles<'_>,
) -> Result<(Request, Entities), String> {
    let uid = |what: &str, text: &str| -> Result<EntityUid, String> {
        text.parse()
            .map_err(|error| format!("the {what} `{text}` is not an entity: {error}"))
    };
    let action = uid("action", &written.action)?;
    let context = Context::from_json_str(written.context.get(), Some((schema, &action))).map_err(
        |error| {
            format!(
                "the context is not what the schema asks for: {}",
                chain(&error)
            )
        },
    )?;
    let request = Request::new(
        uid("principal", &written.principal)?,
        action,
        uid("resource", &written.resource)?,
        context,
        Some(schema),
    )
    .map_err(|error| format!("the schema does not let this be asked: {}", chain(&error)))?;
    let text = match named_file(entities) {
        None => entities.get(),
        Some(name) => files
            .get(name.as_str())
            .ok_or_else(|| format!("there is no file `{name}` beside the example"))?,
    };
    let entities = Entities::from_json_str(text, Some(schema)).map_err(|error| {
        format!(
            "the entities are not what the schema asks for: {}",
            chain(&error)
        )
    })?;
    Ok((request, entities))
}

/// A file that is named where entities are expected.
pub(super) fn named_file(entities: &RawValue) -> Option<String> {
    serde_json::from_str(entities.get()).ok()
}

/// The causes are where Cedar says which entity and which attribute it means.
fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        let more = error.to_string();
        if !text.contains(&more) {
            text = format!("{text}: {more}");
        }
        cause = error.source();
    }
    text
}

/// A fault where JSON stopped making sense, `begin` bytes into the file.
pub(super) fn malformed(source: &Source, begin: usize, error: &serde_json::Error) -> Fault {
    let text = source.inner().get(begin..).unwrap_or_default();
    let line_start: usize = text
        .split_inclusive('\n')
        .take(error.line().saturating_sub(1))
        .map(str::len)
        .sum();
    let offset = (line_start + error.column().saturating_sub(1)).min(text.len());
    let mut message = error.to_string();
    // The place is shown with a caret; Serde's is relative to where it began.
    if let Some(end) = message.rfind(" at line ") {
        message.truncate(end);
    }
    let offset = begin + offset;
    let length = usize::from(offset < source.inner().len());
    Fault::new(message).at(source, offset, length)
}
