//! Masks parts of records.

use std::borrow::Cow;

use serde_json::Value;

use super::chain::Chain;

/// Shorter texts are replaced only if they are the whole string.
const MIN_INNER_MATCH: usize = 8;

#[derive(Debug, Clone, PartialEq, Eq)]
enum MaskedField {
    /// The principal's id, wherever it occurs.
    Principal,
    /// The resource's id, wherever it occurs.
    Resource,
    RequestId,
    Context,
    ContextAttribute(String),
    Entities,
    EntityAttribute(String, String),
}

/// The replacement of masked parts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MaskStyle {
    /// A keyed hash: equal values stay equal.
    Hash,
    /// Three asterisks.
    Stars,
}

#[derive(Debug, Clone)]
pub struct Mask {
    fields: Vec<(String, MaskedField)>,
    style: MaskStyle,
}

#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "`{0}` cannot be masked: give `principal`, `resource`, `request_id`, `context`, `context.NAME`, `entities` or `entities.TYPE.ATTRIBUTE`"
)]
pub struct UnknownField(String);

/// The parts of a record that can be masked.
pub(super) struct MaskableParts {
    pub(super) request_id: String,
    pub(super) principal: Value,
    pub(super) resource: Value,
    pub(super) context: Value,
    pub(super) entities: Value,
}

impl Mask {
    /// Parses the names of parts.
    pub fn parse(names: &[String], style: MaskStyle) -> Result<Self, UnknownField> {
        let fields = names.iter().map(|name| {
            let parts: Vec<&str> = name.split('.').collect();
            let is_whole = parts.iter().all(|part| !part.is_empty());
            let field = match parts.as_slice() {
                ["principal"] => MaskedField::Principal,
                ["resource"] => MaskedField::Resource,
                ["request_id"] => MaskedField::RequestId,
                ["context"] => MaskedField::Context,
                ["entities"] => MaskedField::Entities,
                ["context", name] if is_whole => MaskedField::ContextAttribute((*name).to_owned()),
                ["entities", of, name] if is_whole => {
                    MaskedField::EntityAttribute((*of).to_owned(), (*name).to_owned())
                }
                _ => return Err(UnknownField(name.clone())),
            };
            Ok((name.clone(), field))
        });
        let mut fields: Vec<(String, MaskedField)> = fields.collect::<Result<_, _>>()?;
        // Masking twice would break the equality of hashes.
        let mut known = Vec::new();
        fields.retain(|(_, field)| {
            let is_new = !known.contains(field);
            known.push(field.clone());
            is_new
        });
        Ok(Self { fields, style })
    }

    /// What stands in the place of parts that are too large to be kept.
    pub(super) const TOO_LARGE: &str = "too large to be kept";

    pub(super) fn is_empty(&self) -> bool {
        self.fields.is_empty()
    }

    /// The names of the masked parts, listed in each record.
    pub(super) fn names(&self) -> impl Iterator<Item = &str> {
        self.fields.iter().map(|(name, _)| name.as_str())
    }

    fn has(&self, wanted: &MaskedField) -> bool {
        self.fields.iter().any(|(_, field)| field == wanted)
    }

    /// The replacement of a text.
    fn hidden(&self, text: &str, chain: &Chain) -> String {
        match self.style {
            MaskStyle::Hash => chain.masked(text),
            MaskStyle::Stars => "***".to_owned(),
        }
    }

    /// Masks an evaluation error. It may cite anything that the policy read or computed, so it is
    /// masked whenever any part of the question is.
    pub(super) fn message<'a>(&self, message: &'a str, chain: &Chain) -> Cow<'a, str> {
        let is_asked = |field: &MaskedField| *field != MaskedField::RequestId;
        if self.fields.iter().any(|(_, field)| is_asked(field)) {
            Cow::Owned(self.hidden(message, chain))
        } else {
            Cow::Borrowed(message)
        }
    }

    /// The principal's id for the service's log; `is_resource` if it asks about itself.
    pub(super) fn principal(&self, id: String, is_resource: bool, chain: &Chain) -> String {
        if self.has(&MaskedField::Principal) || (is_resource && self.has(&MaskedField::Resource)) {
            self.hidden(&id, chain)
        } else {
            id
        }
    }

    pub(super) fn apply(&self, parts: &mut MaskableParts, chain: &Chain) {
        let hidden = |text: &str| self.hidden(text, chain);
        // Both before either is replaced: they may be equal.
        let (principal, resource) = (id_of(&parts.principal), id_of(&parts.resource));
        for (_, field) in &self.fields {
            match field {
                MaskedField::Principal => parts.hide_everywhere(&principal, &hidden(&principal)),
                MaskedField::Resource => parts.hide_everywhere(&resource, &hidden(&resource)),
                MaskedField::RequestId => parts.request_id = hidden(&parts.request_id),
                MaskedField::Context => hide(Some(&mut parts.context), hidden),
                MaskedField::ContextAttribute(name) => hide(parts.context.get_mut(name), hidden),
                MaskedField::Entities => hide(Some(&mut parts.entities), hidden),
                MaskedField::EntityAttribute(of, name) => {
                    for entity in parts.entities.as_array_mut().into_iter().flatten() {
                        if entity.pointer("/uid/type").and_then(Value::as_str) == Some(of) {
                            let attributes = entity.get_mut("attrs");
                            hide(attributes.and_then(|all| all.get_mut(name)), hidden);
                        }
                    }
                }
            }
        }
    }
}

impl MaskableParts {
    fn hide_everywhere(&mut self, id: &str, by: &str) {
        // Types are not ids, even if their names are equal.
        for named in [&mut self.principal, &mut self.resource] {
            if let Some(own) = named.get_mut("id") {
                replace(own, id, by);
            }
        }
        replace(&mut self.context, id, by);
        replace(&mut self.entities, id, by);
    }
}

fn id_of(named: &Value) -> String {
    let id = named.get("id").and_then(Value::as_str);
    id.unwrap_or_default().to_owned()
}

fn hide(value: Option<&mut Value>, hidden: impl Fn(&str) -> String) {
    if let Some(value) = value {
        *value = Value::String(hidden(&value.to_string()));
    }
}

/// Replaces a text where it is a whole string, or part of one if it is long enough to be no
/// coincidence.
fn replace(value: &mut Value, text: &str, by: &str) {
    match value {
        Value::String(found) if found == text => by.clone_into(found),
        Value::String(found) if text.len() >= MIN_INNER_MATCH && found.contains(text) => {
            *found = found.replace(text, by);
        }
        Value::Array(values) => values.iter_mut().for_each(|it| replace(it, text, by)),
        Value::Object(members) => members.values_mut().for_each(|it| replace(it, text, by)),
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn only_parts_of_a_record_can_be_masked() {
        let read = |name: &str| Mask::parse(&[name.to_owned()], MaskStyle::Stars);
        for name in [
            "principal",
            "context.source_ip",
            "entities.User.email_verified",
        ] {
            assert!(read(name).is_ok(), "{name}");
        }
        for name in [
            "",
            "decision",
            "context.",
            "context.a.b",
            "entities.User",
            "mac",
        ] {
            assert!(read(name).is_err(), "{name}");
        }
    }

    #[test]
    fn a_principal_that_is_the_resource_is_masked_alike() {
        let chain = Chain::new(&crate::LogKey {
            id: "audit-1".to_owned(),
            secret: vec![7; 32].into(),
        });
        let masked = |names: &[&str], resource: &str| {
            let names: Vec<String> = names.iter().map(|name| (*name).to_owned()).collect();
            let mask = Mask::parse(&names, MaskStyle::Hash).expect("known");
            let mut parts = MaskableParts {
                request_id: "r-1".to_owned(),
                principal: json!({"type": "User", "id": "user-0123"}),
                resource: json!({"type": "User", "id": resource}),
                context: json!({"asked": "by user-0123"}),
                entities: json!([{"uid": {"type": "User", "id": "user-0123"}}]),
            };
            mask.apply(&mut parts, &chain);
            parts
        };
        let hidden = json!(chain.masked("user-0123"));
        let all = [
            "principal",
            "resource",
            "principal",
            "request_id",
            "request_id",
        ];
        for names in [&all[..], &all[..1], &all[1..2]] {
            let parts = masked(names, "user-0123");
            assert_eq!(parts.principal["id"], hidden);
            assert_eq!(parts.resource["id"], hidden);
            assert_eq!(parts.entities[0]["uid"]["id"], hidden);
            assert!(!parts.context.to_string().contains("user-0123"));
        }
        let other = masked(&all, "user-4567");
        assert_eq!(other.principal["id"], hidden);
        assert_eq!(other.resource["id"], json!(chain.masked("user-4567")));
        assert_eq!(other.request_id, chain.masked("r-1"));
    }
}
