//! Policy text on one line, for reports.

/// Collapses white space and removes comments; strings stay as they are.
pub(super) fn on_one_line(text: &str) -> String {
    let mut line = String::with_capacity(text.len());
    let mut characters = text.chars().peekable();
    let mut in_string = false;
    while let Some(character) = characters.next() {
        if in_string {
            line.push(character);
            match character {
                '\\' => line.extend(characters.next()),
                '"' => in_string = false,
                _ => {}
            }
        } else if character == '/' && characters.peek() == Some(&'/') {
            for skipped in characters.by_ref() {
                if skipped == '\n' {
                    break;
                }
            }
            separate(&mut line);
        } else if character.is_whitespace() {
            separate(&mut line);
        } else {
            in_string = character == '"';
            line.push(character);
        }
    }
    line.truncate(line.trim_end().len());
    line
}

fn separate(line: &mut String) {
    if !line.is_empty() && !line.ends_with(' ') {
        line.push(' ');
    }
}

/// Truncates to `most` characters and appends an ellipsis.
pub(super) fn shortened(text: String, most: usize) -> String {
    match text.char_indices().nth(most) {
        Some((end, _)) => format!("{}…", text.get(..end).unwrap_or_default()),
        None => text,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn white_space_and_comments_go_and_strings_stay() {
        for (text, line) in [
            ("a &&\n    b", "a && b"),
            (
                "a // first\n && \"x // y  \\\" z\" // last",
                "a && \"x // y  \\\" z\"",
            ),
            ("\"a\\\\\" // b", "\"a\\\\\""),
            ("a / b", "a / b"),
            ("", ""),
        ] {
            assert_eq!(on_one_line(text), line);
        }
    }

    #[test]
    fn long_texts_are_cut_between_characters() {
        assert_eq!(shortened("äöü".to_owned(), 2), "äö…");
        assert_eq!(shortened("äöü".to_owned(), 3), "äöü");
    }
}
