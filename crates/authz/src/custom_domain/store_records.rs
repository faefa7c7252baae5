//! The records of the store that a domain may declare, and what is said of each. A policy that asks for more, or for
//! another type, would never match.

use std::collections::BTreeSet;

use cedar_policy::Schema;
use cedar_policy_core::validator::ValidatorEntityType;
use cedar_policy_core::validator::types::Type;
use serde_json::Value;

use super::entity_types::{EntityType, EntityTypes};
use crate::fault::FolderFault;
use crate::source::Source;

/// The records that send requests.
pub(super) const CALLERS: [&str; 2] = ["Charter::ServiceAccount", "Charter::User"];
/// In Cedar's language for schemas.
const RECORDS: &str = include_str!("store_records.cedarschema");

/// Compares the schema's types in the store's namespace with what the store says.
#[expect(clippy::expect_used, reason = "the text is this crate's own")]
pub(super) fn check(schema: &Schema, types: &EntityTypes, source: &Source) -> Vec<FolderFault> {
    let (records, _) = Schema::from_cedarschema_str(RECORDS).expect("it is valid: a test reads it");
    let known = EntityTypes::of(&records, &Value::Null);
    let mut faults = Vec::new();
    for declared in schema.as_ref().entity_types() {
        let name = declared.name().to_string();
        let Some(of) = types.get(&name).filter(|of| of.is_vouched) else {
            continue;
        };
        let place = Declaration::find(source, &name);
        let record = records.as_ref().get_entity_type(declared.name());
        match record.zip(known.get(&name)) {
            Some((record, known)) => {
                let record = (record, &known.ancestors);
                compare(declared, of, record, &place, &mut faults);
            }
            None => faults.push(
                place
                    .fault(format!("`{name}` is no record of the store"), "")
                    .help(
                        "in the namespace `Charter` there are `Organization`, `Account`, `ServiceAccount` and \
                         `User`; give your own types other names",
                    ),
            ),
        }
    }
    let acting: BTreeSet<String> = schema.principals().map(ToString::to_string).collect();
    for name in acting {
        let is_vouched = types.get(&name).is_some_and(|of| of.is_vouched);
        if is_vouched && !CALLERS.contains(&&*name) {
            let place = Declaration::find(source, &name);
            let fault = place.fault(format!("a `{name}` does nothing by itself"), "");
            faults.push(fault.help(
                "name `Charter::ServiceAccount` or `Charter::User` as the principal of the actions, and ask for `in`",
            ));
        }
    }
    // The schema's own order changes from run to run.
    faults.sort_by_cached_key(FolderFault::to_string);
    faults
}

fn compare(
    declared: &ValidatorEntityType,
    of: &EntityType,
    (record, parents): (&ValidatorEntityType, &BTreeSet<String>),
    place: &Declaration<'_>,
    faults: &mut Vec<FolderFault>,
) {
    let name = declared.name().to_string();
    for (attribute, wanted) in declared.attributes().iter() {
        let filled = record.attr(attribute).map(|filled| &filled.attr_type);
        if filled == Some(&wanted.attr_type) {
            continue;
        }
        let fault = match filled {
            None => place
                .fault(
                    format!("the store does not fill the attribute `{attribute}` of `{name}`"),
                    attribute,
                )
                .help("remove it: a policy that asks for it would never see it"),
            Some(filled) => {
                let message = format!(
                    "the store fills the attribute `{attribute}` of `{name}` with another type"
                );
                let help = format!("declare it as `{}`", written(filled));
                place.fault(message, attribute).help(help)
            }
        };
        faults.push(fault);
    }
    for ancestor in of.ancestors.difference(parents) {
        let message = format!("the store puts no `{name}` into a `{ancestor}`");
        let fault = place.fault(message, "");
        faults.push(fault.help("remove it: `in` would never be true"));
    }
    if declared.tag_type().is_some() {
        let fault = place.fault(format!("the store gives no tags to a `{name}`"), "tags");
        faults.push(fault.help("remove them: a policy that asks for them would never see them"));
    }
    if of.ids.is_some() {
        let fault = place.fault(format!("the ids of `{name}` are the store's"), "");
        faults.push(fault.help("declare it without `enum`"));
    }
}

/// A type as the schema's language has it.
fn written(of: &Type) -> String {
    match of {
        Type::Bool(_) => "Bool".to_owned(),
        Type::Set {
            element_type: Some(of),
        } => format!("Set<{}>", written(of)),
        other => other.to_string(),
    }
}

/// Where a type is declared.
struct Declaration<'a> {
    source: &'a Source,
    from: usize,
    length: usize,
}

impl<'a> Declaration<'a> {
    fn find(source: &'a Source, name: &str) -> Self {
        let text = source.inner();
        let (namespace, basename) = name.rsplit_once("::").unwrap_or(("", name));
        let within = text.find(&format!("namespace {namespace}")).unwrap_or(0);
        let rest = text.get(within..).unwrap_or_default();
        let whole = format!("entity {basename}");
        let found = rest.find(&whole).map(|at| (at, whole.len()));
        let found = found.or_else(|| rest.find(basename).map(|at| (at, basename.len())));
        let (at, length) = found.unwrap_or((0, 0));
        Self {
            source,
            from: within + at,
            length,
        }
    }

    /// Points at this word of the declaration; at its head for an empty one.
    fn fault(&self, message: String, word: &str) -> FolderFault {
        let rest = self.source.inner().get(self.from..).unwrap_or_default();
        let place = rest.find(word).filter(|_| !word.is_empty());
        let (at, length) =
            place.map_or((self.from, self.length), |at| (self.from + at, word.len()));
        FolderFault::new(message).at(self.source, at, length)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_schema_of_store_records_is_valid() {
        assert!(Schema::from_cedarschema_str(RECORDS).is_ok());
    }
}
