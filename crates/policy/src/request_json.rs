//! A request with its entities in the Cedar CLI's JSON format.

use std::collections::BTreeMap;

use cedar_policy::{Context, ContextJsonError, Entities, EntityUid, Request, Schema};
use serde::Deserialize;
use serde_json::value::RawValue;

use charter_authz::fault::{FolderFault, LoadError};
use charter_authz::source::Source;
use charter_domain::causes::with_causes;

/// A request that is not yet validated.
#[derive(Debug, Deserialize)]
#[serde(expecting = "an object with `principal`, `action`, `resource` and `context`")]
pub(super) struct RequestJson<'a> {
    principal: String,
    action: String,
    resource: String,
    #[serde(borrow)]
    context: &'a RawValue,
}

#[derive(Debug, Deserialize)]
#[serde(expecting = "an object with `request` and `entities`")]
struct RequestFileJson<'a> {
    #[serde(borrow)]
    request: RequestJson<'a>,
    #[serde(borrow)]
    entities: &'a RawValue,
}

/// Texts of the entity files that an example may name instead of entities, by file name.
pub(super) type EntityFiles<'a> = BTreeMap<&'a str, &'a str>;

const HELP: &str = "a request file has `request` (`principal`, `action`, `resource`, `context`) and `entities`, \
                    as an example has";

/// Reads a request with its entities and ignores other members, such as those of an example.
///
/// # Errors
///
/// The text does not have the format, or the schema does not allow the request.
pub fn read(source: &Source, schema: &Schema) -> Result<(Request, Entities), LoadError> {
    // As a struct by position it would be read as far as its first example.
    if source.inner().trim_start().starts_with('[') {
        let fault = FolderFault::new("the file is a list; a request file is one object")
            .help(HELP)
            .at(source, 0, 1);
        return Err(LoadError::new(vec![fault]));
    }
    let question: RequestFileJson<'_> = serde_json::from_str(source.inner()).map_err(|error| {
        let fault = json_fault(source, 0, &error, HELP);
        LoadError::new(vec![fault])
    })?;
    let (request, entities) = (&question.request, question.entities);
    to_cedar(request, entities, schema, &EntityFiles::new())
        .map_err(|reason| LoadError::new(vec![FolderFault::new(reason)]))
}

pub(super) fn to_cedar(
    written: &RequestJson<'_>,
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
        |error| match error {
            ContextJsonError::MissingAction(_) => format!("the schema has no action `{action}`"),
            error => format!(
                "the context is not what the schema asks for: {}",
                with_causes(&error)
            ),
        },
    )?;
    let request = Request::new(
        uid("principal", &written.principal)?,
        action,
        uid("resource", &written.resource)?,
        context,
        Some(schema),
    )
    .map_err(|error| {
        format!(
            "the schema does not let this be asked: {}",
            with_causes(&error)
        )
    })?;
    let text = match named_file(entities) {
        None => entities.get(),
        Some(name) => files
            .get(name.as_str())
            .ok_or_else(|| format!("there is no file `{name}` beside the example"))?,
    };
    let entities = Entities::from_json_str(text, Some(schema)).map_err(|error| {
        format!(
            "the entities are not what the schema asks for: {}",
            with_causes(&error)
        )
    })?;
    Ok((request, entities))
}

/// The file that is named instead of entities.
pub(super) fn named_file(entities: &RawValue) -> Option<String> {
    serde_json::from_str(entities.get()).ok()
}

/// A fault at the place where parsing failed; the JSON begins `begin` bytes into the file.
pub(super) fn json_fault(
    source: &Source,
    begin: usize,
    error: &serde_json::Error,
    help: &str,
) -> FolderFault {
    if let Some(fault) = FolderFault::byte_order_mark(source) {
        return fault;
    }
    let text = source.inner().get(begin..).unwrap_or_default();
    let line_start: usize = text
        .split_inclusive('\n')
        .take(error.line().saturating_sub(1))
        .map(str::len)
        .sum();
    let offset = (line_start + error.column().saturating_sub(1)).min(text.len());
    let mut message = error.to_string();
    // The caret shows the place; Serde's line is relative to `begin`.
    if let Some(end) = message.rfind(" at line ") {
        message.truncate(end);
    }
    let offset = begin + offset;
    let length = usize::from(offset < source.inner().len());
    let fault = FolderFault::new(message).at(source, offset, length);
    if error.is_data() {
        fault.help(help)
    } else {
        fault
    }
}
