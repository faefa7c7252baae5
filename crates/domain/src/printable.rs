//! Text that can neither control a terminal nor forge or reorder a line.

use std::borrow::Cow;
use std::fmt::Write as _;

use super::text::is_forbidden;

/// Escapes control and bidirectional-control characters as in JSON, for example `\u001b`, but not those in `kept`.
#[must_use]
pub fn escaped<'t>(text: &'t str, kept: &[char]) -> Cow<'t, str> {
    let is_obeyed = |c: char| is_forbidden(c) && !kept.contains(&c);
    if !text.contains(is_obeyed) {
        return Cow::Borrowed(text);
    }
    let mut escaped = String::with_capacity(text.len());
    for c in text.chars() {
        if is_obeyed(c) {
            // Writing to a string cannot fail.
            let _ = write!(escaped, "\\u{:04x}", u32::from(c));
        } else {
            escaped.push(c);
        }
    }
    Cow::Owned(escaped)
}

/// As a terminal may be shown it: of all control characters it gets line feeds and tabs.
#[must_use]
pub fn for_terminal(text: &str) -> Cow<'_, str> {
    escaped(text, &['\n', '\t'])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_terminal_or_a_log_would_obey_is_escaped() {
        let text = "é\tx\n\u{1b}[2J\u{9b}\u{61c}\u{200f}\u{2028}\u{202e}\u{2066}";
        assert_eq!(
            escaped(text, &[]),
            "é\\u0009x\\u000a\\u001b[2J\\u009b\\u061c\\u200f\\u2028\\u202e\\u2066"
        );
        assert_eq!(for_terminal("é\tx\n\u{9b}"), "é\tx\n\\u009b");
        assert!(matches!(for_terminal("é\tx\n"), Cow::Borrowed(_)));
    }
}
