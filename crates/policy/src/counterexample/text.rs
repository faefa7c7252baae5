//! A counterexample as text.

use std::collections::BTreeSet;
use std::fmt::Write;

use cedar_policy::Policy;
use serde_json::{Value, json};

use super::content::{Counterexample, EntityState};
use super::minimise::uid_of;
use super::scenario::Scenario;
use crate::policy_set;

/// The identifiers in some policies: an attribute that none of them names cannot matter.
pub(super) fn words_of<'p>(policies: impl Iterator<Item = &'p Policy>) -> BTreeSet<String> {
    let mut words = BTreeSet::new();
    for policy in policies {
        let text = policy_set::text(policy);
        let found = text
            .split(|letter: char| !letter.is_alphanumeric() && letter != '_')
            .map(str::to_owned);
        words.extend(found);
    }
    words
}

/// The parts of an entity in JSON form that the policies name.
pub(super) fn entity_state(entity: &Value, words: &BTreeSet<String>) -> Option<EntityState> {
    let parents = entity.get("parents").and_then(Value::as_array);
    Some(EntityState {
        uid: uid_of(entity.get("uid")?)?.to_string(),
        parents: parents
            .into_iter()
            .flatten()
            .filter_map(uid_of)
            .map(|uid| uid.to_string())
            .collect(),
        attributes: fields(entity.get("attrs")?, words),
        // Tag names can be computed, so all tags are kept.
        tags: all_fields(entity.get("tags").unwrap_or(&Value::Null)),
    })
}

/// The entities that were asked about, and those reachable from them.
pub(super) fn reachable_from(
    mut things: Vec<EntityState>,
    asked_about: &[String],
) -> Vec<EntityState> {
    let mut reached: Vec<String> = asked_about.to_vec();
    let mut printed = Vec::new();
    while let Some(uid) = reached.pop() {
        if let Some(index) = things.iter().position(|thing| thing.uid == uid) {
            let thing = things.swap_remove(index);
            let values = thing.attributes.iter().chain(&thing.tags);
            reached.extend(values.map(|(_, value)| value.clone()));
            let is_bare = thing.attributes.is_empty() && thing.tags.is_empty();
            if asked_about.contains(&uid) || !is_bare {
                printed.push(thing);
            }
        }
    }
    printed.sort_by(|one, other| one.uid.cmp(&other.uid));
    printed
}

pub(super) fn fields(object: &Value, words: &BTreeSet<String>) -> Vec<(String, String)> {
    let mut fields = all_fields(object);
    fields.retain(|(name, _)| words.contains(name));
    fields
}

fn all_fields(object: &Value) -> Vec<(String, String)> {
    object
        .as_object()
        .into_iter()
        .flatten()
        .map(|(name, value)| (name.clone(), to_cedar_text(value)))
        .collect()
}

/// A value in Cedar's syntax.
fn to_cedar_text(value: &Value) -> String {
    if let Some(uid) = value.get("__entity").and_then(uid_of) {
        return uid.to_string();
    }
    if let Some(call) = value.get("__extn") {
        return call_text(call);
    }
    match value {
        Value::Array(items) => {
            let items: Vec<String> = items.iter().map(to_cedar_text).collect();
            format!("[{}]", items.join(", "))
        }
        Value::Object(fields) => {
            let fields: Vec<String> = fields
                .iter()
                .map(|(name, value)| format!("{name}: {}", to_cedar_text(value)))
                .collect();
            format!("{{{}}}", fields.join(", "))
        }
        plain => plain.to_string(),
    }
}

/// For example `ip("192.0.2.1")`; methods are written as method calls.
fn call_text(call: &Value) -> String {
    let function = call.get("fn").and_then(Value::as_str).unwrap_or_default();
    let single = call.get("arg").into_iter();
    let several = call.get("args").and_then(Value::as_array);
    let mut arguments = single
        .chain(several.into_iter().flatten())
        .map(to_cedar_text);
    if function != "offset" {
        let arguments: Vec<String> = arguments.collect();
        return format!("{function}({})", arguments.join(", "));
    }
    let on = arguments.next().unwrap_or_default();
    let rest: Vec<String> = arguments.collect();
    format!("{on}.{function}({})", rest.join(", "))
}

pub(super) fn render(counterexample: &Counterexample) -> String {
    let mut out = String::new();
    let mut printed = Vec::new();
    for (title, uid) in [
        ("principal", &counterexample.principal),
        ("action", &counterexample.action),
        ("resource", &counterexample.resource),
    ] {
        line(&mut out, title, uid, counterexample, &mut printed);
    }
    for thing in &counterexample.things {
        if !printed.contains(&thing.uid) {
            line(&mut out, "with", &thing.uid, counterexample, &mut printed);
        }
    }
    for (name, value) in &counterexample.context {
        // Writing to a string cannot fail.
        let _ = writeln!(out, "  {:<10} {name}: {value}", "context");
    }
    out
}

fn line(
    out: &mut String,
    title: &str,
    uid: &str,
    counterexample: &Counterexample,
    printed: &mut Vec<String>,
) {
    let _ = write!(out, "  {title:<10} {uid}");
    let thing = counterexample.things.iter().find(|thing| thing.uid == uid);
    let Some(thing) = thing.filter(|_| !printed.iter().any(|printed| printed == uid)) else {
        out.push('\n');
        return;
    };
    printed.push(uid.to_owned());
    if !thing.parents.is_empty() {
        let _ = write!(out, " in {}", thing.parents.join(", "));
    }
    out.push('\n');
    for (name, value) in &thing.attributes {
        let _ = writeln!(out, "  {:<10}   {name}: {value}", "");
    }
    for (name, value) in &thing.tags {
        let _ = writeln!(
            out,
            "  {:<10}   tag {}: {value}",
            "",
            Value::from(name.as_str())
        );
    }
}

impl Counterexample {
    /// `concerned` are the policies whose attributes are shown.
    pub(crate) fn new<'p>(
        scenario: &Scenario,
        concerned: impl Iterator<Item = &'p Policy>,
    ) -> Self {
        let words = words_of(concerned);
        let all = scenario
            .entities
            .iter()
            .filter_map(|entity| entity_state(entity, &words));
        let things = reachable_from(
            all.collect(),
            &[
                scenario.principal.to_string(),
                scenario.resource.to_string(),
            ],
        );
        Self {
            principal: scenario.principal.to_string(),
            action: scenario.action.to_string(),
            resource: scenario.resource.to_string(),
            context: fields(&scenario.context, &words),
            things,
            request: json!({
                "principal": scenario.principal.to_string(),
                "action": scenario.action.to_string(),
                "resource": scenario.resource.to_string(),
                "context": scenario.context,
            }),
            entities: Value::Array(scenario.entities.clone()),
        }
    }

    /// Several lines, each indented by two spaces.
    #[must_use]
    pub fn text(&self) -> String {
        render(self)
    }
}
