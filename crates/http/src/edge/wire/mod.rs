//! What must be seen on the wire, because the HTTP library hides it: fragments and illegal bytes
//! in targets, a length said twice, heads that dribble in, and its own bare error answers.
//!
//! It frames messages only to find the heads; what a request means is none of its business.

mod scanner;
mod stream;

use salvo::http::HeaderMap;

pub(super) use stream::{WireLimits, WireStream};

/// What the scanner makes of a bare line feed in a head (RFC 9112 section 2.2): a character that the
/// library refuses anywhere.
const NO_LINE_FEED: u8 = b'\0';

/// What the scanner makes of a second `content-length`, and of the second of `content-length` and
/// `transfer-encoding`.
const CONFLICT_MARKS: [&str; 2] = ["content-lengt!", "transfer-encodin!"];

/// Whether a request said its length twice (RFC 9112 section 6.3), the same perhaps, which the library would
/// settle silently.
pub(super) fn has_conflicting_framing(headers: &HeaderMap) -> bool {
    CONFLICT_MARKS
        .iter()
        .any(|mark| headers.contains_key(*mark))
}
