//! The query parameters of lists with a cursor (contract section 4, audit events and decisions).

use salvo::oapi::{
    BasicType, Components, KnownFormat, Object, Operation as OpenApiOperation, SchemaFormat,
};
use serde::Serialize;

use crate::extract::cursor_scope::CursorScope;
use crate::extract::input::{Input, RequestInput};
use crate::extract::query::{Query, describe_query};
use crate::respond::{ApiError, Code};
use charter_authn::secrets::{CursorPosition, CursorSealer};
use charter_domain::id::{OrganizationId, UserId};
use charter_domain::timestamp::{self, Timestamp};

const MAX_LIMIT: u64 = 200;
const DEFAULT_LIMIT: u64 = 50;
/// Limit of a compared text, in characters.
const MAX_TEXT: usize = 200;

/// The common query parameters of these lists.
#[derive(Debug, Clone)]
pub struct CursorQuery {
    /// 1 to 200.
    pub limit: u64,
    /// Lists the oldest first, for a feed.
    pub oldest_first: bool,
    /// Inclusive.
    pub since: Option<Timestamp>,
    /// Exclusive.
    pub until: Option<Timestamp>,
    cursor: Option<String>,
}

impl Input for CursorQuery {
    fn read(request: &mut RequestInput<'_>) -> Result<Self, ApiError> {
        let query = &mut request.query;
        let oldest_first = query.parsed("order", |text| match text {
            "newest" => Ok(false),
            "oldest" => Ok(true),
            _ => Err("must be `newest` or `oldest`"),
        })?;
        let read = Self {
            limit: query.integer("limit", MAX_LIMIT)?.unwrap_or(DEFAULT_LIMIT),
            oldest_first: oldest_first.unwrap_or_default(),
            since: time(query, "since")?,
            until: time(query, "until")?,
            cursor: query.text("cursor"),
        };
        if read
            .since
            .zip(read.until)
            .is_some_and(|(since, until)| since > until)
        {
            let message = "`since` lies after `until`";
            return Err(ApiError::invalid(Code::BadParameter, message));
        }
        Ok(read)
    }

    fn describe(_: &mut Components, operation: &mut OpenApiOperation) {
        let text = || Object::with_type(BasicType::String);
        describe_query(
            operation,
            "cursor",
            "`next_cursor` of the previous page, opaque; requires the same filters and order. It stays valid until the \
             operator removes the sealing key that it was created with.",
            text(),
        );
        let limit = Object::with_type(BasicType::Integer)
            .minimum(1)
            .maximum(MAX_LIMIT)
            .default_value(DEFAULT_LIMIT.into());
        describe_query(
            operation,
            "limit",
            "Maximal number of items on a page; there may be fewer.",
            limit,
        );
        let order = text()
            .enum_values(["newest", "oldest"])
            .default_value("newest".into());
        describe_query(
            operation,
            "order",
            "`newest` first; or a feed from the `oldest` on, whose `next_cursor` is never null: store it after \
             processing the page, and continue with it later.",
            order,
        );
        for (name, description) in [
            ("since", "Only items of this time or later; inclusive."),
            ("until", "Only earlier items; exclusive."),
        ] {
            let time = text()
                .format(SchemaFormat::KnownFormat(KnownFormat::DateTime))
                .pattern(timestamp::PATTERN);
            describe_query(operation, name, description, time);
        }
    }
}

impl CursorQuery {
    /// The scope of a cursor: `list` of that organization with these filters and those of the query.
    /// `INTERNAL_ERROR` if the filters cannot be serialized.
    pub fn scope<'a>(
        &self,
        sealer: &'a CursorSealer,
        list: &str,
        organization: OrganizationId,
        filters: &impl Serialize,
    ) -> Result<CursorScope<'a>, ApiError> {
        let time =
            |at: Option<Timestamp>| at.map(|at| (at.timestamp(), at.timestamp_subsec_nanos()));
        let times = (time(self.since), time(self.until));
        let all = (
            list,
            organization.to_string(),
            self.oldest_first,
            times,
            filters,
        );
        CursorScope::new(sealer, &all)
    }

    /// Where the page begins; `None` without a cursor.
    ///
    /// # Errors
    ///
    /// `BAD_PARAMETER` for a cursor that was not made for this.
    pub fn position(&self, scope: &CursorScope<'_>) -> Result<Option<[u64; 2]>, ApiError> {
        open_cursor(self.cursor.as_deref(), scope)
    }
}

/// Where the page begins that a parameter `cursor` names; `None` without one.
///
/// # Errors
///
/// `BAD_PARAMETER` for a cursor that was not made for this.
pub fn open_cursor<P: CursorPosition>(
    cursor: Option<&str>,
    scope: &CursorScope<'_>,
) -> Result<Option<P>, ApiError> {
    let open = |cursor| scope.open(cursor).ok_or_else(bad_cursor);
    cursor.map(open).transpose()
}

/// The error for an unusable cursor.
pub fn bad_cursor() -> ApiError {
    let message = "`cursor` is not one of this list with these filters, or another replica's; begin without one";
    ApiError::invalid(Code::BadParameter, message)
}

/// A text for exact comparison; `BAD_PARAMETER` if it is empty, too long, or contains control characters.
pub fn exact_text(query: &mut Query, name: &str) -> Result<Option<String>, ApiError> {
    query.parsed(name, |text| {
        let is_long = text.chars().nth(MAX_TEXT).is_some();
        if text.is_empty() || is_long || text.chars().any(char::is_control) {
            Err(format!(
                "must have 1 to {MAX_TEXT} characters, none of them a control character"
            ))
        } else {
            Ok(text.to_owned())
        }
    })
}

/// An actor, in the form of events and decisions; the portal's form of a user's id is accepted, too.
pub fn actor(query: &mut Query) -> Result<Option<String>, ApiError> {
    let text = exact_text(query, "actor")?;
    Ok(text.map(|text| match UserId::parse_uuid(&text) {
        Some(user) => user.to_string(),
        None => text,
    }))
}

/// The id of an object, in the form of events. `BAD_PARAMETER` for a bare UUID, which does not say of what it is.
pub fn object(query: &mut Query) -> Result<Option<String>, ApiError> {
    let text = exact_text(query, "object")?;
    if text.as_deref().and_then(UserId::parse_uuid).is_some() {
        let message =
            "`object` must be an id as events show it, with its prefix: `user-…`, `key-…`, `sa-…`";
        return Err(ApiError::invalid(Code::BadParameter, message));
    }
    Ok(text)
}

/// Describes a parameter that [`exact_text`] reads.
pub fn describe_exact_text(
    operation: &mut OpenApiOperation,
    name: &str,
    description: &str,
    example: &str,
) {
    let text = Object::with_type(BasicType::String)
        .min_length(1)
        .max_length(MAX_TEXT)
        .examples([example]);
    describe_query(operation, name, description, text);
}

fn time(query: &mut Query, name: &str) -> Result<Option<Timestamp>, ApiError> {
    let rule = "must be a time in UTC, `YYYY-MM-DDTHH:MM:SSZ`, with at most 9 fraction digits";
    query.parsed(name, |text| timestamp::parse(text).map_err(|_| rule))
}
