//! Words in command lines that are printed for a POSIX shell.

/// Quotes a word for the shell (POSIX section 2.2.2): in single quotes nothing is special.
pub(super) fn quote(text: &str) -> String {
    let is_plain = !text.is_empty()
        && text
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || b"-_./:".contains(&byte));
    if is_plain {
        text.to_owned()
    } else {
        format!("'{}'", text.replace('\'', r"'\''"))
    }
}
