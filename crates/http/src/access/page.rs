//! Pages of a search (`AuthZEN` section 8.2).
//!
//! A token is a cursor as lists have them: good for its own question, domain and client only.

use serde::Serialize;
use serde_json::{Map, Value, json};

use charter_authn::secrets::{CursorPosition, CursorSealer};

use super::question::{Sought, wrong_type};
use crate::extract::cursor_scope::CursorScope;
use crate::respond::{ApiError, Code};

const DEFAULT_LIMIT: u32 = 50;
const MAX_LIMIT: u32 = 1_000;

/// Where a page begins and how long it may be.
pub(super) struct Page<'a> {
    /// The id after which it begins; `None` at the start.
    pub(super) after: Option<String>,
    pub(super) limit: usize,
    asked_limit: u32,
    scope: CursorScope<'a>,
}

/// Which search it is, and who asks.
pub(super) struct SearchedBy<'a> {
    pub(super) sought: Sought,
    pub(super) domain: &'a str,
    pub(super) client: &'a str,
}

/// What a token says.
struct SearchPosition {
    /// As it was asked for: it may be left out later, and not be changed.
    limit: u32,
    /// `None` at the start. An id may be empty.
    after: Option<String>,
}

impl SearchPosition {
    /// With the limit of another request, if it is the same. One of 0 asked for no results, and leads to any others.
    fn with(mut self, asked: Option<u32>) -> Option<Self> {
        if self.limit == 0 {
            self.limit = asked.unwrap_or(DEFAULT_LIMIT);
            return Some(self);
        }
        asked
            .is_none_or(|asked| asked == self.limit)
            .then_some(self)
    }
}

/// The byte before the id in a token.
const AT_START: u8 = 0;
const AFTER: u8 = 1;

impl CursorPosition for SearchPosition {
    fn to_bytes(&self) -> Vec<u8> {
        let after = match &self.after {
            None => vec![AT_START],
            Some(after) => [&[AFTER], after.as_bytes()].concat(),
        };
        [&self.limit.to_be_bytes()[..], &after].concat()
    }

    fn from_bytes(bytes: &[u8]) -> Option<Self> {
        let (limit, place) = bytes.split_first_chunk::<4>()?;
        let after = match place {
            [AT_START] => None,
            [AFTER, after @ ..] => Some(String::from_utf8(after.to_vec()).ok()?),
            _ => return None,
        };
        Some(Self {
            limit: u32::from_be_bytes(*limit),
            after,
        })
    }
}

/// The `page` of an answer.
#[derive(Serialize)]
pub(super) struct PageBody {
    /// Empty at the end.
    pub(super) next_token: String,
    pub(super) count: usize,
}

impl<'a> Page<'a> {
    /// # Errors
    ///
    /// 400: malformed, or of another question, another length or another client.
    pub(super) fn read(
        object: &Map<String, Value>,
        by: &SearchedBy<'_>,
        sealer: &'a CursorSealer,
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
        let scope = CursorScope::new(sealer, &bound_to(object, page, by))?;
        let position = match page.get("token") {
            None => SearchPosition {
                limit: asked.unwrap_or(DEFAULT_LIMIT),
                after: None,
            },
            // The end of a list leads nowhere.
            Some(Value::String(token)) => scope
                .open::<SearchPosition>(token)
                .and_then(|position| position.with(asked))
                .ok_or_else(bad_token)?,
            Some(_) => return Err(wrong_type("page.token", "a string")),
        };
        let SearchPosition { limit, after } = position;
        Ok(Self {
            after,
            limit: usize::try_from(limit.min(MAX_LIMIT)).unwrap_or(0),
            asked_limit: limit,
            scope,
        })
    }

    /// With the token of the page after this id; `Some(None)` is the start again, `None` the end.
    pub(super) fn body(
        &self,
        next: Option<Option<String>>,
        count: usize,
    ) -> Result<PageBody, ApiError> {
        let next = next.map(|after| {
            let limit = self.asked_limit;
            self.scope.seal(&SearchPosition { limit, after })
        });
        Ok(PageBody {
            next_token: next.transpose()?.unwrap_or_default(),
            count,
        })
    }
}

pub(super) fn bad_token() -> ApiError {
    let message =
        "`page.token` is not one of this search: send what you sent before, with the token added";
    ApiError::invalid(Code::BadParameter, message)
}

/// All that must stay the same from page to page but for the limit, which is in the token itself.
fn bound_to(object: &Map<String, Value>, page: &Map<String, Value>, by: &SearchedBy<'_>) -> Value {
    let part = |name| object.get(name);
    json!([
        "access/search",
        format!("{:?}", by.sought),
        by.domain,
        by.client,
        part("subject"),
        part("action"),
        part("resource"),
        part("context"),
        page.get("properties"),
    ])
}
