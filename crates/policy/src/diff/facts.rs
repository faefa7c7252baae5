//! Changes of what a domain's policies decide about: its schema's declarations, its entities and its routes. What they
//! allow is not compared, so each counts as wider, but for routes that are gone: a request without a route is refused.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use super::declarations;
use charter_authz::folder::{ENTITIES, Files, ROUTES, SCHEMA};

/// Reads what the old and the new text of a file say, by name.
type ReadBoth = dyn Fn(&str, &str) -> (BTreeMap<String, Value>, BTreeMap<String, Value>);

/// What differs between the facts of two folders.
#[derive(Default)]
pub(super) struct FactChanges {
    /// One for each entity and route that is new, gone or another, below the name of its file. Empty if both folders
    /// say the same.
    pub(super) lines: Vec<String>,
    /// Whether any of it counts as wider.
    pub(super) is_wider: bool,
}

pub(super) fn fact_changes(old: &Files, new: &Files) -> FactChanges {
    let mut changes = FactChanges::default();
    let each = |read: fn(&str) -> BTreeMap<String, Value>| {
        move |old: &str, new: &str| (read(old), read(new))
    };
    let files: [(_, &ReadBoth); 3] = [
        (SCHEMA, &declarations::of_both),
        (ENTITIES, &each(entities)),
        (ROUTES, &each(routes)),
    ];
    for (file, read) in files {
        let text = |files: &Files| {
            files
                .get(file)
                .map_or_else(String::new, ToString::to_string)
        };
        let (old, new) = read(&text(old), &text(new));
        if old == new {
            continue;
        }
        let loses_only = new.iter().all(|(name, it)| old.get(name) == Some(it));
        if file == ROUTES && loses_only {
            changes
                .lines
                .push(format!("{file}: fewer routes, which is narrower"));
        } else {
            changes.is_wider = true;
            changes.lines.push(format!(
                "{file}: what it says is not compared, and counts as wider"
            ));
        }
        let names: BTreeSet<&String> = old.keys().chain(new.keys()).collect();
        for name in names {
            let is = match (old.get(name), new.get(name)) {
                (None, _) => "new",
                (_, None) => "gone",
                (old, new) if old != new => "changed",
                _ => continue,
            };
            changes.lines.push(format!("  {is} {name}"));
        }
    }
    changes
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

/// By method and path. A text that is no table of tables is one entry.
fn routes(text: &str) -> BTreeMap<String, Value> {
    let tables = toml::from_str::<BTreeMap<String, BTreeMap<String, Value>>>(text);
    let Ok(tables) = tables else {
        return whole(text);
    };
    tables.into_values().flatten().collect()
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
        let changes = fact_changes(&files(old), &files(new));
        let counts = changes
            .lines
            .iter()
            .any(|line| line.ends_with("counts as wider"));
        assert_eq!(changes.is_wider, counts);
        changes.lines.join("\n")
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
    fn each_declaration_that_differs_is_named() {
        let old = r#"
            entity Group;
            entity User in [Group] = {n: Long, role?: String};
            entity Service enum ["x"];
            type Extra = {a: Bool};
            action read appliesTo {principal: User, resource: Service, context: {mfa: Bool, extra: Extra}};
        "#;
        let same = r#"
            // The order is no difference, nor is what nothing was asked about before.
            type Extra = {a: Bool};
            entity Service enum ["x"];
            @doc("who asks")
            entity User in [Group] = {role?: String, n: Long};
            entity Group;
            entity Robot = {n: Long};
            action read appliesTo {principal: User, resource: Service, context: {extra: Extra, mfa: Bool}};
            action call appliesTo {principal: Robot, resource: Service};
        "#;
        assert_eq!(changes(SCHEMA, old, same), "");
        let head = "schema.cedarschema: what it says is not compared, and counts as wider\n  ";
        for (from, to, told) in [
            (r#"["x"]"#, r#"["x", "y"]"#, r#"new Service::"y""#),
            (
                r#"["x"]"#,
                r#"["y"]"#,
                "gone Service::\"x\"\n  new Service::\"y\"",
            ),
            ("n: Long,", "n: Long, vip?: Bool,", "new User.vip"),
            (", role?: String", "", "gone User.role"),
            ("role?:", "role:", "changed User.role"),
            ("mfa:", "mfa?:", r#"changed the context of action "read""#),
            ("{a: Bool}", "{a?: Bool}", "changed type Extra"),
            (
                "entity User in [Group]",
                "entity User",
                "changed entity User",
            ),
            ("String};", "String} tags String;", "changed entity User"),
        ] {
            let new = old.replacen(from, to, 1);
            assert_ne!(old, new, "{from}");
            assert_eq!(changes(SCHEMA, old, &new), format!("{head}{told}"));
        }
        assert!(changes(SCHEMA, old, "entity").contains("changed the file"));
    }

    #[test]
    fn each_route_that_differs_is_named() {
        let route =
            |path: &str, action: &str| format!("[routes.\"{path}\"]\naction = \"{action}\"\n");
        let old = route("GET /a", "read") + &route("DELETE /a", "delete");
        let inline = "[routes]\n# a comment\n\"DELETE /a\" = { action = \"delete\" }\n\"GET /a\" = { action = 'read' }";
        assert_eq!(changes(ROUTES, &old, inline), "");
        let swapped = route("GET /a", "delete") + &route("DELETE /a", "read");
        assert_eq!(
            changes(ROUTES, &old, &swapped),
            "routes.toml: what it says is not compared, and counts as wider\n  changed DELETE /a\n  changed GET /a"
        );
        let fewer = changes(ROUTES, &old, &route("GET /a", "read"));
        assert_eq!(
            fewer,
            "routes.toml: fewer routes, which is narrower\n  gone DELETE /a"
        );
        assert!(changes(ROUTES, &old, "").starts_with("routes.toml: fewer routes"));
        let another = changes(ROUTES, &old, &route("GET /a", "delete"));
        assert!(another.contains("counts as wider"), "{another}");
        assert!(changes(ROUTES, "", &old).contains("new GET /a"));
        assert!(changes(ROUTES, "[", "[[").contains("changed the file"));
    }
}
