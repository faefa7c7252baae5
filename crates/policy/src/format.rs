//! `charter policy fmt`: lays out a policy file as Cedar's formatter does, or leaves it alone.

use std::str::FromStr;

use cedar_policy::PolicySet;
use cedar_policy_formatter::{Config, policies_str_to_pretty};

use charter_authz::fault::FolderFault;
use charter_authz::source::Source;

/// The defaults of the Cedar CLI and its editor extension.
pub(crate) const LINE_WIDTH: usize = 80;
pub(crate) const INDENT_WIDTH: isize = 2;

/// The formatted file; `None` if it is formatted already. The file must be one that loads.
///
/// # Errors
///
/// The file cannot be parsed, or formatting would change its meaning or lose a comment.
pub fn formatted(source: &Source) -> Result<Option<String>, Vec<FolderFault>> {
    let text: &str = source.inner();
    let config = Config {
        line_width: LINE_WIDTH,
        indent_width: INDENT_WIDTH,
    };
    let formatted = policies_str_to_pretty(text, &config)
        .map_err(|report| FolderFault::from_cedar(source, report.as_ref()))?;
    if formatted == text {
        return Ok(None);
    }
    let refused = |what: &str| {
        vec![
            FolderFault::new(format!(
                "formatting would change {what} of `{}`",
                source.name()
            ))
            .help("the file is left as it is; lay it out by hand"),
        ]
    };
    if meaning(&formatted).is_none() || meaning(&formatted) != meaning(text) {
        return Err(refused("the meaning"));
    }
    if comments(&formatted) != comments(text) {
        return Err(refused("the comments"));
    }
    Ok(Some(formatted))
}

fn meaning(text: &str) -> Option<serde_json::Value> {
    PolicySet::from_str(text).ok()?.to_json().ok()
}

/// In order, without surrounding white space.
pub(crate) fn comments(text: &str) -> Vec<&str> {
    let mut comments = Vec::new();
    for line in text.lines() {
        let mut in_string = false;
        let mut escaped = false;
        let begin = line.char_indices().find(|&(position, character)| {
            match character {
                _ if escaped => escaped = false,
                '\\' if in_string => escaped = true,
                '"' => in_string = !in_string,
                _ => {}
            }
            !in_string
                && line
                    .get(position..)
                    .is_some_and(|rest| rest.starts_with("//"))
        });
        if let Some((begin, _)) = begin {
            comments.push(line.get(begin..).unwrap_or_default().trim_end());
        }
    }
    comments
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use miette::NamedSource;

    use super::*;

    fn source(text: &str) -> Source {
        Arc::new(NamedSource::new("some.cedar", Arc::from(text)))
    }

    #[test]
    fn layout_changes_and_comments_stay() {
        let text = "// One.\n@id(\"a\")permit(principal,action,resource)when{\n// why\nprincipal.a==\"// no comment\"};\n// End.\n";
        let formatted = formatted(&source(text))
            .expect("formatted")
            .expect("changed");
        assert_eq!(
            formatted,
            "// One.\n@id(\"a\")\npermit (principal, action, resource)\nwhen\n{\n  // why\n  principal.a == \"// no comment\"\n};\n// End.\n"
        );
        assert!(
            super::formatted(&source(&formatted))
                .expect("formatted")
                .is_none()
        );
    }

    #[test]
    fn a_text_that_does_not_parse_is_a_fault() {
        assert!(formatted(&source("permit (principal")).is_err());
    }

    #[test]
    fn comments_are_found_outside_of_strings() {
        assert_eq!(
            comments("a // b // c \n \"//\" x\n\"\\\"//\" // d\n"),
            ["// b // c", "// d"]
        );
    }
}
