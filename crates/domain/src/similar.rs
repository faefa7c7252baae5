//! Suggests names for mistyped ones.

/// The name most similar to the word; `None` if there are no names.
pub fn nearest<'a>(word: &str, names: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let likeness = |name: &&str| strsim::jaro_winkler(word, name);
    names
        .into_iter()
        .max_by(|one, other| likeness(one).total_cmp(&likeness(other)))
}

/// Whether the word differs from the name only by case and one letter: replaced, missing, added, or swapped with
/// the next.
#[must_use]
pub fn is_like(word: &str, name: &str) -> bool {
    strsim::damerau_levenshtein(&word.to_lowercase(), name) <= 1
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mistyped_name_is_recognized() {
        for slip in [
            "cedar", "Cedar", "ceder", "cedr", "cedaar", "cdear", "cedar~",
        ] {
            assert!(is_like(slip, "cedar"), "{slip}");
        }
        for other in ["", "md", "cedarschema", "radar"] {
            assert!(!is_like(other, "cedar"), "{other}");
        }
        let names = [
            "context.now",
            "context.source_ip",
            "entities.User.is_active",
        ];
        assert_eq!(nearest("context.sourceip", names), Some(names[1]));
        assert_eq!(nearest("entities.Userr.active", names), Some(names[2]));
        assert_eq!(nearest("context.now", []), None);
    }
}
