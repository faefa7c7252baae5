//! Details of errors, and how messages quote client input.

use std::fmt::Display;

use serde::Serialize;

/// Longer client input is truncated in messages, in characters.
const MAX_ECHO: usize = 80;

/// Longer messages are truncated, in characters.
const MAX_DETAIL: usize = 300;

#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Detail {
    /// A JSON pointer (RFC 6901) into the body.
    pub field: String,
    /// The violated rule.
    pub message: String,
}

impl Detail {
    /// A detail whose message is truncated.
    #[must_use]
    pub fn new(field: impl Into<String>, message: impl Display) -> Self {
        Self {
            field: field.into(),
            message: cut(&message.to_string(), MAX_DETAIL),
        }
    }
}

/// Quotes client input for a message: in backticks, truncated, without control characters.
#[must_use]
pub fn echo(text: &str) -> String {
    let head: String = text.chars().take(MAX_ECHO + 1).collect();
    format!("`{}`", cut(&printable(&head), MAX_ECHO))
}

/// A text that may contain client input, truncated and without control characters.
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
    fn echoes_of_client_text_are_bounded_and_harmless() {
        assert_eq!(echo("plan\u{202E}x\n"), "`plan\u{FFFD}x\u{FFFD}`");
        assert_eq!(echo(&"é".repeat(500)).chars().count(), MAX_ECHO + 3);
        assert_eq!(
            Detail::new("", "x".repeat(9_999)).message.chars().count(),
            MAX_DETAIL + 1
        );
    }
}
