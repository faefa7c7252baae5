//! A counterexample in words.

use std::collections::BTreeSet;
use std::fmt::Write;

use cedar_policy::Policy;
use serde_json::{Value, json};

use super::minimise::uid_of;
use super::shown::{Counterexample, Thing};
use super::world::World;

/// The words of some policies: an attribute that is none of them cannot have mattered to them.
pub(super) fn words<'p>(policies: impl Iterator<Item = &'p Policy>) -> BTreeSet<String> {
    let mut words = BTreeSet::new();
    for policy in policies {
        let text = policy.to_cedar().unwrap_or_default();
        let found = text
            .split(|letter: char| !letter.is_alphanumeric() && letter != '_')
            .map(str::to_owned);
        words.extend(found);
    }
    words
}

/// Of an entity in Cedar's JSON form, the attributes that are among the words.
pub(super) fn thing(entity: &Value, words: &BTreeSet<String>) -> Option<Thing> {
    let parents = entity.get("parents").and_then(Value::as_array);
    Some(Thing {
        uid: uid_of(entity.get("uid")?)?.to_string(),
        parents: parents
            .into_iter()
            .flatten()
            .filter_map(uid_of)
            .map(|uid| uid.to_string())
            .collect(),
        attributes: fields(entity.get("attrs")?, words),
        // A tag's name may be calculated.
        tags: all_fields(entity.get("tags").unwrap_or(&Value::Null)),
    })
}

/// Those that are asked about, and what they lead to.
pub(super) fn told(mut things: Vec<Thing>, asked_about: &[String]) -> Vec<Thing> {
    let mut reached: Vec<String> = asked_about.to_vec();
    let mut told = Vec::new();
    while let Some(uid) = reached.pop() {
        if let Some(index) = things.iter().position(|thing| thing.uid == uid) {
            let thing = things.swap_remove(index);
            let values = thing.attributes.iter().chain(&thing.tags);
            reached.extend(values.map(|(_, value)| value.clone()));
            let is_bare = thing.attributes.is_empty() && thing.tags.is_empty();
            if asked_about.contains(&uid) || !is_bare {
                told.push(thing);
            }
        }
    }
    told.sort_by(|one, other| one.uid.cmp(&other.uid));
    told
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
        .map(|(name, value)| (name.clone(), in_cedar(value)))
        .collect()
}

/// A value as a policy would have it.
fn in_cedar(value: &Value) -> String {
    if let Some(uid) = value.get("__entity").and_then(uid_of) {
        return uid.to_string();
    }
    if let Some(call) = value.get("__extn") {
        return in_words(call);
    }
    match value {
        Value::Array(items) => {
            let items: Vec<String> = items.iter().map(in_cedar).collect();
            format!("[{}]", items.join(", "))
        }
        Value::Object(fields) => {
            let fields: Vec<String> = fields
                .iter()
                .map(|(name, value)| format!("{name}: {}", in_cedar(value)))
                .collect();
            format!("{{{}}}", fields.join(", "))
        }
        plain => plain.to_string(),
    }
}

/// As in `ip("192.0.2.1")`; what is calculated from another value is written as Cedar calls it.
fn in_words(call: &Value) -> String {
    let function = call.get("fn").and_then(Value::as_str).unwrap_or_default();
    let single = call.get("arg").into_iter();
    let several = call.get("args").and_then(Value::as_array);
    let mut arguments = single.chain(several.into_iter().flatten()).map(in_cedar);
    if function != "offset" {
        let arguments: Vec<String> = arguments.collect();
        return format!("{function}({})", arguments.join(", "));
    }
    let on = arguments.next().unwrap_or_default();
    let rest: Vec<String> = arguments.collect();
    format!("{on}.{function}({})", rest.join(", "))
}

pub(super) fn write(counterexample: &Counterexample) -> String {
    let mut out = String::new();
    let mut told = Vec::new();
    for (title, uid) in [
        ("principal", &counterexample.principal),
        ("action", &counterexample.action),
        ("resource", &counterexample.resource),
    ] {
        line(&mut out, title, uid, counterexample, &mut told);
    }
    for thing in &counterexample.things {
        if !told.contains(&thing.uid) {
            line(&mut out, "with", &thing.uid, counterexample, &mut told);
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
    told: &mut Vec<String>,
) {
    let _ = write!(out, "  {title:<10} {uid}");
    let thing = counterexample.things.iter().find(|thing| thing.uid == uid);
    let Some(thing) = thing.filter(|_| !told.iter().any(|told| told == uid)) else {
        out.push('\n');
        return;
    };
    told.push(uid.to_owned());
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
    /// `concerned` are the policies whose words are worth showing.
    pub(crate) fn new<'p>(world: &World, concerned: impl Iterator<Item = &'p Policy>) -> Self {
        let words = words(concerned);
        let all = world
            .entities
            .iter()
            .filter_map(|entity| thing(entity, &words));
        let things = told(
            all.collect(),
            &[world.principal.to_string(), world.resource.to_string()],
        );
        Self {
            principal: world.principal.to_string(),
            action: world.action.to_string(),
            resource: world.resource.to_string(),
            context: fields(&world.context, &words),
            things,
            request: json!({
                "principal": world.principal.to_string(),
                "action": world.action.to_string(),
                "resource": world.resource.to_string(),
                "context": world.context,
            }),
            entities: Value::Array(world.entities.clone()),
        }
    }

    /// Several lines, each with two spaces in front.
    #[must_use]
    pub fn text(&self) -> String {
        write(self)
    }
}
