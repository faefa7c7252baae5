//! Changes of what a domain's policies decide about: its entities and its routes. What they allow is not compared, so
//! each counts as wider.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use charter_authz::folder::{ENTITIES, Files, ROUTES};

/// One line for each entity and route that is new, gone or another, below the name of its file. Empty if those of
/// both folders say the same.
pub(super) fn fact_changes(old: &Files, new: &Files) -> Vec<String> {
    let mut out = Vec::new();
    for (file, read) in [(ENTITIES, entities as fn(&str) -> _), (ROUTES, routes)] {
        let text = |files: &Files| {
            files
                .get(file)
                .map_or_else(String::new, ToString::to_string)
        };
        let (old, new) = (read(&text(old)), read(&text(new)));
        if old == new {
            continue;
        }
        out.push(format!(
            "{file}: what it says is not compared, and counts as wider"
        ));
        let names: BTreeSet<&String> = old.keys().chain(new.keys()).collect();
        for name in names {
            let is = match (old.get(name), new.get(name)) {
                (None, _) => "new",
                (_, None) => "gone",
                (old, new) if old != new => "changed",
                _ => continue,
            };
            out.push(format!("  {is} {name}"));
        }
    }
    out
}

/// By type and id. A text that is no list is one entry, which any change changes.
fn entities(text: &str) -> BTreeMap<String, Value> {
    let Ok(list) = serde_json::from_str::<Vec<Value>>(text) else {
        return whole(text);
    };
    let named = |entity: Value| {
        let uid = entity
            .get("uid")
            .map(|uid| uid.get("__entity").unwrap_or(uid));
        let of = uid.and_then(|uid| uid.get("type")).and_then(Value::as_str);
        let id = uid.and_then(|uid| uid.get("id")).and_then(Value::as_str);
        let name = match (of, id) {
            (Some(of), Some(id)) => format!("{of}::{id:?}"),
            _ => entity.to_string(),
        };
        (name, entity)
    };
    list.into_iter().map(named).collect()
}

/// By line, without comments. A text with strings of several lines is one entry.
fn routes(text: &str) -> BTreeMap<String, Value> {
    if text.contains("\"\"\"") || text.contains("'''") {
        return whole(text);
    }
    let lines = text.lines().map(str::trim);
    let lines = lines.filter(|line| !line.is_empty() && !line.starts_with('#'));
    lines.map(|line| (line.to_owned(), Value::Null)).collect()
}

fn whole(text: &str) -> BTreeMap<String, Value> {
    let is_there = !text.trim().is_empty();
    let entry = is_there.then(|| ("the file".to_owned(), Value::from(text)));
    entry.into_iter().collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn changes(file: &str, old: &str, new: &str) -> String {
        let files =
            |text: &str| -> Files { [(file.to_owned(), text.into())].into_iter().collect() };
        fact_changes(&files(old), &files(new)).join("\n")
    }

    #[test]
    fn each_entity_that_differs_is_named() {
        let user = |id: &str, groups: &str| {
            format!(
                r#"{{"uid": {{"type": "User", "id": "{id}"}}, "attrs": {{}}, "parents": [{groups}]}}"#
            )
        };
        let group = r#"{"type": "Group", "id": "admins"}"#;
        let old = format!(
            "[{}, {}, {}]",
            user("ann", ""),
            user("bob", ""),
            user("cy", group)
        );
        let new = format!(
            "[{},\n{},\n{}]",
            user("cy", ""),
            user("dee", ""),
            user("ann", "")
        );
        assert_eq!(
            changes(ENTITIES, &old, &new),
            "entities.json: what it says is not compared, and counts as wider\n  gone User::\"bob\"\n  \
             changed User::\"cy\"\n  new User::\"dee\""
        );
        let reordered = format!(
            "[{}, {}, {}]",
            user("cy", group),
            user("ann", ""),
            user("bob", "")
        );
        assert_eq!(changes(ENTITIES, &old, &reordered), "");
        assert!(changes(ENTITIES, "[]", "[1]").contains("new 1"));
        assert!(changes(ENTITIES, "[", "[[").contains("changed the file"));
    }

    #[test]
    fn each_route_that_differs_is_named() {
        let old = "[routes]\n# a comment\n\"GET /a\" = 1\n";
        assert_eq!(
            changes(ROUTES, old, "[routes]\n  \"GET /a\" = 1\n# another"),
            ""
        );
        let changed = changes(ROUTES, old, "[routes]\n\"GET /a\" = 2");
        assert!(changed.contains("gone \"GET /a\" = 1") && changed.contains("new \"GET /a\" = 2"));
        let long = |text: &str| format!("[routes]\n\"GET /a\" = '''\n# {text}'''");
        assert!(changes(ROUTES, &long("one"), &long("two")).contains("changed the file"));
    }
}
