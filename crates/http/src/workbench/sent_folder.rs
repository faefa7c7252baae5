//! A policy folder in a request: whole, or as changes of the one in force. It is checked, and never stored.

use std::sync::Arc;

use salvo::Request;
use serde_json::{Map, Value};

use charter_authz::folder::{Files, check_sent};

use super::admission::OperatorRequest;
use crate::edge::body_limits::BodyLimits;
use crate::extract::query::NoParameters;
use crate::extract::{body, json};
use crate::respond::{ApiError, Detail, Surface};

/// The largest body with a folder.
const MAX_BODY_BYTES: usize = 8 * 1024 * 1024;

/// Reads the body of a request that may hold a folder.
///
/// # Errors
///
/// It is too large, or no JSON object.
pub(super) async fn read_body(
    request: &mut Request,
    asked: &OperatorRequest,
) -> Result<Map<String, Value>, ApiError> {
    let limits = BodyLimits {
        max_bytes: MAX_BODY_BYTES,
        ..asked.context.body_limits.clone()
    };
    let body = body::read(request, &limits).await?;
    NoParameters::check(request)?;
    body::require_json(request.method(), request.headers())?;
    json::parse_object(&body)
}

/// A folder, and the member of the body that has it.
#[derive(Debug)]
pub(super) struct SentFolder {
    pub(super) member: &'static str,
    pub(super) files: Files,
}

impl SentFolder {
    /// The folder, perhaps of a domain of one's own, of `folder` (texts by name) or `changes` (texts by name, null for
    /// a file that is removed); `None` if both are left out.
    ///
    /// # Errors
    ///
    /// `VALIDATION_FAILED` if both are there, or for files that a folder cannot have.
    pub(super) fn of(
        folder: Option<Map<String, Value>>,
        changes: Option<Map<String, Value>>,
        in_force: &Files,
        is_custom_domain: bool,
    ) -> Result<Option<Self>, ApiError> {
        let (member, texts, mut files) = match (folder, changes) {
            (None, None) => return Ok(None),
            (Some(folder), None) => ("folder", folder, Files::new()),
            (None, Some(changes)) => ("changes", changes, in_force.clone()),
            (Some(_), Some(_)) => {
                let rule = "must be left out if `folder` is there";
                return Err(refused(vec![Detail::new("/changes", rule)]));
            }
        };
        let mut broken = Vec::new();
        for (name, text) in texts {
            match text {
                Value::String(text) => {
                    files.insert(name, Arc::from(text));
                }
                Value::Null if member == "changes" => {
                    if files.remove(&name).is_none() {
                        let rule = "is null, which removes a file: the folder in force has none of this name";
                        broken.push(Detail::new(pointer(member, &name), rule));
                    }
                }
                _ => broken.push(Detail::new(pointer(member, &name), "must be a text")),
            }
        }
        let faults = check_sent(&files, is_custom_domain);
        let faults = faults.into_iter().map(|(name, rule)| {
            let field = match name {
                Some(name) => pointer(member, &name),
                None => format!("/{member}"),
            };
            Detail::new(field, rule)
        });
        broken.extend(faults);
        if broken.is_empty() {
            Ok(Some(Self { member, files }))
        } else {
            Err(refused(broken))
        }
    }
}

/// The JSON pointer of a file (RFC 6901 section 3).
pub(super) fn pointer(member: &str, name: &str) -> String {
    let name = name.replace('~', "~0").replace('/', "~1");
    format!("/{member}/{name}")
}

/// As the operations listener answers broken values.
pub(super) fn refused(mut details: Vec<Detail>) -> ApiError {
    details.truncate(MAX_DETAILS);
    ApiError::validation_failed(details).on(Surface::Portal)
}

/// More are not told.
const MAX_DETAILS: usize = 100;
