//! Reports declarations of the schema that the service never fills: policies that read them would
//! never match.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};

use cedar_policy::{Context, Entity, EntityUid, RestrictedExpression};
use serde_json::{Map, Value};

use crate::fault::FolderFault;
use crate::source::Source;

/// Maximal length of a chain of type aliases.
const MAX_ALIASES: usize = 64;

/// Attributes and parents of an entity.
type BuiltEntity = (HashMap<String, RestrictedExpression>, HashSet<EntityUid>);

/// Compares a schema in JSON form with one entity of each type that the service builds, and with a
/// context.
pub(super) fn check(
    source: &Source,
    json: &Value,
    samples: &[Entity],
    context: &Context,
) -> Vec<FolderFault> {
    let built: BTreeMap<String, BuiltEntity> = samples
        .iter()
        .map(|sample| {
            let (uid, attributes, parents) = sample.clone().into_inner();
            (uid.type_name().to_string(), (attributes, parents))
        })
        .collect();
    let mut faults = Vec::new();
    for (namespace, content) in json.as_object().into_iter().flatten() {
        let schema = Namespace { source, content };
        for (name, declared) in schema.members("entityTypes") {
            let qualified = if namespace.is_empty() {
                name.clone()
            } else {
                format!("{namespace}::{name}")
            };
            schema.check_entity(name, declared, built.get(&qualified), &mut faults);
        }
        schema.check_context(context, &mut faults);
    }
    faults
}

struct Namespace<'a> {
    source: &'a Source,
    content: &'a Value,
}

impl<'a> Namespace<'a> {
    fn members(&self, of: &str) -> impl Iterator<Item = (&'a String, &'a Value)> + use<'a> {
        let members = self.content.get(of).and_then(Value::as_object);
        members.into_iter().flatten()
    }

    fn check_entity(
        &self,
        name: &str,
        declared: &Value,
        built: Option<&BuiltEntity>,
        faults: &mut Vec<FolderFault>,
    ) {
        let declaration = format!("entity {name}");
        for attribute in self.attributes(declared.get("shape")) {
            if built.is_none_or(|(filled, _)| !filled.contains_key(attribute)) {
                let what = format!("the attribute `{attribute}` of `{name}`");
                faults.push(self.fault(&what, &declaration, attribute));
            }
        }
        if declared.get("tags").is_some() {
            faults.push(self.fault(&format!("tags of `{name}`"), &declaration, "tags"));
        }
        let parents = declared.get("memberOfTypes").and_then(Value::as_array);
        for parent in parents.into_iter().flatten().filter_map(Value::as_str) {
            let is_in = |uid: &EntityUid| uid.type_name().to_string() == parent;
            if built.is_none_or(|(_, parents)| !parents.iter().any(is_in)) {
                let what = format!("parents of `{name}` of the type `{parent}`");
                faults.push(self.fault(&what, &declaration, parent));
            }
        }
    }

    /// Most actions share one context type: each attribute is reported once.
    fn check_context(&self, context: &Context, faults: &mut Vec<FolderFault>) {
        let declared: BTreeSet<&str> = self
            .members("actions")
            .filter_map(|(_, action)| action.get("appliesTo")?.get("context"))
            .flat_map(|shape| self.attributes(Some(shape)))
            .collect();
        for attribute in declared {
            if context.get(attribute).is_none() {
                let what = format!("the context's `{attribute}`");
                faults.push(self.fault(&what, "", attribute));
            }
        }
    }

    /// The attributes of a record type, which may be the name of a common type.
    fn attributes(&self, shape: Option<&'a Value>) -> impl Iterator<Item = &'a str> + use<'a> {
        let common = self.content.get("commonTypes").and_then(Value::as_object);
        let mut shape = shape;
        for _ in 0..MAX_ALIASES {
            match shape.and_then(|shape| aliased(shape, common)) {
                None => break,
                named => shape = named,
            }
        }
        let attributes = shape
            .and_then(|shape| shape.get("attributes"))
            .and_then(Value::as_object);
        attributes
            .into_iter()
            .flat_map(Map::keys)
            .map(String::as_str)
    }

    /// Points at a name within its declaration.
    fn fault(&self, what: &str, declaration: &str, name: &str) -> FolderFault {
        let text = self.source.inner();
        let from = text.find(declaration).unwrap_or(0);
        let place = text.get(from..).and_then(|rest| rest.find(name));
        let (start, length) = place.map_or((from, 0), |at| (from + at, name.len()));
        FolderFault::new(format!("the service never fills {what}"))
            .help("remove it: a policy that asks for it would never see it")
            .at(self.source, start, length)
    }
}

/// The common type that a type refers to.
fn aliased<'a>(shape: &'a Value, common: Option<&'a Map<String, Value>>) -> Option<&'a Value> {
    let name = shape.get("name").or_else(|| shape.get("type"))?.as_str()?;
    common?.get(name)
}
