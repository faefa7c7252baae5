//! Checks on the raw bytes, because the HTTP library hides them: fragments and illegal bytes in targets,
//! conflicting lengths, slow heads, and the library's own bare error responses.
//!
//! It parses messages only to find the heads.

mod head_timeout;
mod header_fields;
mod http2_paths;
mod scanner;
mod stream;

use salvo::http::HeaderMap;

pub use stream::WireStream;

/// Replaces a bare line feed in a head (RFC 9112 section 2.2): a character that the library refuses anywhere.
const NO_LINE_FEED: u8 = b'\0';

/// Replace the name of a second `content-length`, or of the second one of `content-length` and
/// `transfer-encoding`.
const CONFLICT_MARKS: [&str; 2] = ["content-lengt!", "transfer-encodin!"];

/// Whether a request states its length twice (RFC 9112 section 6.3), even if equal: the library would resolve that
/// silently.
pub(super) fn has_conflicting_framing(headers: &HeaderMap) -> bool {
    CONFLICT_MARKS
        .iter()
        .any(|mark| headers.contains_key(*mark))
}
