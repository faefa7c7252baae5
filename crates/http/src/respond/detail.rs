//! Broken values, and how messages repeat what a client sent.

use std::fmt::Display;

use serde::Serialize;

/// The longest text of a client's that a message repeats, in characters.
const MAX_ECHO: usize = 80;

/// The longest message of a detail, in characters.
const MAX_DETAIL: usize = 300;

/// One broken value.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Detail {
    /// Where: a JSON pointer (RFC 6901) into the body.
    pub field: String,
    /// Which rule it breaks.
    pub message: String,
}

impl Detail {
    /// A detail whose message is cut to a bounded length.
    #[must_use]
    pub fn new(field: impl Into<String>, message: impl Display) -> Self {
        Self {
            field: field.into(),
            message: cut(&message.to_string(), MAX_DETAIL),
        }
    }
}

/// A client's text as a message may repeat it: in backticks, bounded, without control characters.
#[must_use]
pub fn echo(text: &str) -> String {
    let head: String = text.chars().take(MAX_ECHO + 1).collect();
    format!("`{}`", cut(&printable(&head), MAX_ECHO))
}

/// A text that may hold a client's, without control characters and of a detail's length.
pub(crate) fn printable(text: &str) -> String {
    let text: String = text
        .chars()
        .map(|character| {
            if charter_domain::text::is_forbidden(character) {
                '\u{FFFD}'
            } else {
                character
            }
        })
        .collect();
    cut(&text, MAX_DETAIL)
}

fn cut(text: &str, characters: usize) -> String {
    match text.char_indices().nth(characters) {
        Some((end, _)) => format!("{}…", text.get(..end).unwrap_or_default()),
        None => text.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_client_said_is_repeated_within_bounds() {
        assert_eq!(echo("plan\u{202E}x\n"), "`plan\u{FFFD}x\u{FFFD}`");
        assert_eq!(echo(&"é".repeat(500)).chars().count(), MAX_ECHO + 3);
        assert_eq!(
            Detail::new("", "x".repeat(9_999)).message.chars().count(),
            MAX_DETAIL + 1
        );
    }
}
