//! Textual changes between two folders: files and policies by name, whatever they mean.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write;

use cedar_policy::Effect;

use charter_authz::folder::Files;
use charter_authz::snapshot::Snapshot;

/// One line for each new, removed and changed file and policy.
#[must_use]
pub fn text_changes(old: (&Files, Option<&Snapshot>), new: (&Files, Option<&Snapshot>)) -> String {
    let mut out = String::new();
    let files = |files: &Files| -> BTreeMap<String, String> {
        let files = files.iter();
        files
            .map(|(name, text)| (name.clone(), text.to_string()))
            .collect()
    };
    write(&mut out, "file", &files(old.0), &files(new.0), |name| {
        name.to_owned()
    });
    if let (Some(old), Some(new)) = (old.1, new.1) {
        let named = |name: &str| {
            let snapshot = if new.location(name).is_some() {
                new
            } else {
                old
            };
            let place = snapshot.location(name).map(|place| format!(" ({place})"));
            format!("`{name}`{}", place.unwrap_or_default())
        };
        write(&mut out, "policy", &policies(old), &policies(new), named);
    }
    out
}

fn policies(snapshot: &Snapshot) -> BTreeMap<String, String> {
    let policies = snapshot.policies().policies();
    policies
        .map(|policy| {
            let effect = match policy.effect() {
                Effect::Permit => "permit",
                Effect::Forbid => "forbid",
            };
            (policy.id().to_string(), format!("{effect} {policy}"))
        })
        .collect()
}

fn write(
    out: &mut String,
    what: &str,
    old: &BTreeMap<String, String>,
    new: &BTreeMap<String, String>,
    named: impl Fn(&str) -> String,
) {
    let all: BTreeSet<&String> = old.keys().chain(new.keys()).collect();
    for name in all {
        let change = match (old.get(name), new.get(name)) {
            (None, Some(_)) => "new",
            (Some(_), None) => "gone",
            (Some(old), Some(new)) if old != new => "changed",
            _ => continue,
        };
        // Writing to a string cannot fail.
        let _ = writeln!(out, "{change} {what} {}", named(name));
    }
}
