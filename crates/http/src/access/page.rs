//! Pages of a search (`AuthZEN` section 8.2).
//!
//! A token says where the next page begins, and of which question and which client it is. It is no secret and no
//! proof: whatever a client makes of it, each result is evaluated again.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD as BASE64;
use serde::Serialize;
use serde_json::{Map, Value};
use sha2::{Digest as _, Sha256};

use super::question::{Sought, wrong_type};
use crate::respond::{ApiError, Code};

const DEFAULT_LIMIT: u32 = 50;
const MAX_LIMIT: u32 = 1_000;
const DIGEST: usize = 16;
/// What a token begins with.
const VERSION: u8 = 1;

/// Where a page begins and how long it may be.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Page {
    /// The id after which it begins; `None` at the start.
    pub(super) after: Option<String>,
    pub(super) limit: usize,
    asked_limit: u32,
    question: [u8; DIGEST],
}

/// The `page` of an answer.
#[derive(Serialize)]
pub(super) struct PageBody {
    /// Empty at the end.
    pub(super) next_token: String,
    pub(super) count: usize,
}

impl Page {
    /// `domain` and `client` bind tokens besides the body.
    ///
    /// # Errors
    ///
    /// 400: malformed, or of another question, another length or another client.
    pub(super) fn read(
        object: &Map<String, Value>,
        sought: Sought,
        domain: &str,
        client: &str,
    ) -> Result<Self, ApiError> {
        let nothing = Map::new();
        let page = match object.get("page") {
            None => &nothing,
            Some(Value::Object(page)) => page,
            Some(_) => return Err(wrong_type("page", "an object")),
        };
        let asked = match page.get("limit") {
            None => None,
            Some(limit) => Some(
                limit
                    .as_u64()
                    .map(|limit| u32::try_from(limit).unwrap_or(u32::MAX))
                    .ok_or_else(|| wrong_type("page.limit", "a whole number from 0"))?,
            ),
        };
        let question = digest(object, page, sought, domain, client);
        let (after, asked_limit) = match page.get("token") {
            None => (None, asked.unwrap_or(DEFAULT_LIMIT)),
            // The end of a list leads nowhere.
            Some(Value::String(token)) => {
                let (of, limit, after) = decode(token).ok_or_else(|| not_ours("is malformed"))?;
                if of != question || asked.is_some_and(|asked| asked != limit) {
                    return Err(not_ours(
                        "belongs to another question: send what you sent before, with the token added",
                    ));
                }
                (after, limit)
            }
            Some(_) => return Err(wrong_type("page.token", "a string")),
        };
        Ok(Self {
            after,
            limit: usize::try_from(asked_limit.min(MAX_LIMIT)).unwrap_or(0),
            asked_limit,
            question,
        })
    }

    /// The token of the page after this id; `Some("")` is the start again.
    pub(super) fn body(&self, next: Option<&str>, count: usize) -> PageBody {
        PageBody {
            next_token: next.map(|next| self.encode(next)).unwrap_or_default(),
            count,
        }
    }

    fn encode(&self, after: &str) -> String {
        let mut bytes = vec![VERSION];
        bytes.extend(self.question);
        bytes.extend(self.asked_limit.to_be_bytes());
        bytes.extend(after.as_bytes());
        BASE64.encode(bytes)
    }
}

fn decode(token: &str) -> Option<([u8; DIGEST], u32, Option<String>)> {
    let bytes = BASE64.decode(token).ok()?;
    let (version, rest) = bytes.split_first()?;
    let (question, rest) = rest.split_first_chunk::<DIGEST>()?;
    let (limit, after) = rest.split_first_chunk::<4>()?;
    let after = std::str::from_utf8(after).ok()?;
    (*version == VERSION).then(|| {
        let after = (!after.is_empty()).then(|| after.to_owned());
        (*question, u32::from_be_bytes(*limit), after)
    })
}

fn not_ours(why: &str) -> ApiError {
    ApiError::invalid(Code::InvalidRequest, format!("`page.token` {why}"))
}

/// Of all that must stay the same from page to page but for the limit, which is in the token itself.
fn digest(
    object: &Map<String, Value>,
    page: &Map<String, Value>,
    sought: Sought,
    domain: &str,
    client: &str,
) -> [u8; DIGEST] {
    let part = |name| object.get(name);
    let whole = serde_json::json!([
        format!("{sought:?}"),
        domain,
        client,
        part("subject"),
        part("action"),
        part("resource"),
        part("context"),
        page.get("properties"),
    ]);
    let hash = Sha256::digest(whole.to_string().as_bytes());
    hash.first_chunk().copied().unwrap_or_default()
}
