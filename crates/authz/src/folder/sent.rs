//! What files a folder may have that somebody sends as texts: those that are read of one on the disk, with the same
//! sizes. The names are names only; nothing is read or written by them.

use super::layout::{ENTITIES, INVARIANTS, MANIFEST, ROUTES, SCHEMA, TESTS};
use super::read::{Files, MAX_FILE_BYTES, MAX_SCHEMA_BYTES, MAX_TOTAL_BYTES};

const MAX_FILES: usize = 4_096;
const MAX_NAME_BYTES: usize = 200;

/// A rule that a file breaks; `None` for the folder as a whole.
pub type BrokenFile = (Option<String>, String);

/// Checks the files of a folder that was sent, of the built-in domain or of one of one's own. At most one fault for
/// each file.
#[must_use]
pub fn check_sent(files: &Files, is_custom_domain: bool) -> Vec<BrokenFile> {
    let total: usize = files.values().map(|text| text.len()).sum();
    if files.len() > MAX_FILES || total > MAX_TOTAL_BYTES {
        let rule = format!("may have at most {MAX_FILES} files and {MAX_TOTAL_BYTES} bytes");
        return vec![(None, rule)];
    }
    let broken = |(name, text): (&String, &std::sync::Arc<str>)| {
        let limit = if name == SCHEMA {
            MAX_SCHEMA_BYTES
        } else {
            MAX_FILE_BYTES
        };
        let is_of_domain = is_custom_domain && [ENTITIES, ROUTES].contains(&&**name);
        let rule = if !is_of_domain && !is_file_name(name) {
            let more = if is_custom_domain {
                format!(" `{ENTITIES}`, `{ROUTES}`,")
            } else {
                String::new()
            };
            format!(
                "must be `{SCHEMA}`, `{MANIFEST}`,{more} `NAME.cedar`, `{INVARIANTS}/NAME.cedar` or `{TESTS}/NAME.json`"
            )
        } else if text.len() as u64 > limit {
            format!("may have at most {limit} bytes")
        } else {
            return None;
        };
        Some((Some(name.clone()), rule))
    };
    files.iter().filter_map(broken).collect()
}

fn is_file_name(name: &str) -> bool {
    let (extension, rest) = match name.split_once('/') {
        None if name == SCHEMA || name == MANIFEST => return true,
        None => (".cedar", name),
        Some((INVARIANTS, rest)) => (".cedar", rest),
        Some((TESTS, rest)) => (".json", rest),
        Some(_) => return false,
    };
    let stem = rest.strip_suffix(extension).unwrap_or_default();
    let is_plain = |c: char| !c.is_control() && !matches!(c, '/' | '\\');
    !stem.is_empty()
        && !stem.starts_with('.')
        && name.len() <= MAX_NAME_BYTES
        && stem.chars().all(is_plain)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn broken(name: &str, text: &str) -> bool {
        !check_sent(&Files::from([(name.to_owned(), text.into())]), false).is_empty()
    }

    #[test]
    fn a_domain_has_entities_and_routes_too() {
        for name in ["entities.json", "routes.toml"] {
            let files = Files::from([(name.to_owned(), "x".into())]);
            assert!(check_sent(&files, true).is_empty(), "`{name}`");
            assert!(!check_sent(&files, false).is_empty(), "`{name}`");
        }
        let other = Files::from([("tests/entities.toml".to_owned(), "x".into())]);
        let broken = check_sent(&other, true);
        assert!(broken[0].1.contains("`routes.toml`"), "{broken:?}");
    }

    #[test]
    fn only_the_files_of_a_folder_are_taken() {
        for good in [
            "schema.cedarschema",
            "manifest.json",
            "a.cedar",
            "a b.cedar",
            "invariants/a.cedar",
            "tests/a.json",
        ] {
            assert!(!broken(good, "x"), "`{good}`");
        }
        for bad in [
            "",
            ".",
            "..",
            ".cedar",
            ".a.cedar",
            "a.json",
            "a.CEDAR",
            "/a.cedar",
            "../a.cedar",
            "./a.cedar",
            "a/../b.cedar",
            "invariants/../a.cedar",
            "invariants//a.cedar",
            "invariants/",
            "invariants/.cedar",
            "tests/a.cedar",
            "tests/a/b.json",
            "other/a.cedar",
            "a\\b.cedar",
            "a\0.cedar",
            "a\n.cedar",
            "schema.cedarschema/a.cedar",
        ] {
            assert!(broken(bad, "x"), "`{bad}` was taken");
        }
        assert!(broken(
            &format!("{}.cedar", "a".repeat(MAX_NAME_BYTES)),
            "x"
        ));
    }

    #[test]
    fn sizes_are_those_of_a_folder_on_the_disk() {
        let schema = usize::try_from(MAX_SCHEMA_BYTES).expect("small");
        assert!(!broken("schema.cedarschema", &"x".repeat(schema)));
        assert!(broken("schema.cedarschema", &"x".repeat(schema + 1)));
        let file = usize::try_from(MAX_FILE_BYTES).expect("small");
        assert!(!broken("a.cedar", &"x".repeat(file)));
        assert!(broken("a.cedar", &"x".repeat(file + 1)));
        let many = (0..=MAX_FILES).map(|number| (format!("{number}.cedar"), "".into()));
        assert_eq!(check_sent(&many.collect(), false).len(), 1);
        let large: std::sync::Arc<str> = "x".repeat(file).into();
        let large = (0..17).map(|number| (format!("{number}.cedar"), large.clone()));
        assert_eq!(check_sent(&large.collect(), false).len(), 1);
    }
}
