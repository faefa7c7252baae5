//! Which parts of a record are not to be read, and what stands in their place.

use serde_json::Value;

use super::chain::Chain;

/// A part that is masked.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Field {
    /// The principal's id, wherever it stands.
    Principal,
    /// The resource's id, wherever it stands.
    Resource,
    RequestId,
    Context,
    ContextAttribute(String),
    Entities,
    EntityAttribute(String, String),
}

/// What stands in place of a masked part.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MaskStyle {
    /// A keyed hash: equal values stay equal.
    Hash,
    /// Three asterisks.
    Stars,
}

/// The parts that are masked.
#[derive(Debug, Clone)]
pub struct Mask {
    fields: Vec<(String, Field)>,
    style: MaskStyle,
}

/// The name of a part that cannot be masked.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "`{0}` cannot be masked: give `principal`, `resource`, `request_id`, `context`, `context.NAME`, `entities` or `entities.TYPE.ATTRIBUTE`"
)]
pub struct UnknownField(String);

/// The parts of a record that can be masked.
pub(super) struct Parts {
    pub(super) request_id: String,
    pub(super) principal: Value,
    pub(super) resource: Value,
    pub(super) context: Value,
    pub(super) entities: Value,
}

impl Mask {
    /// Reads the names of parts.
    ///
    /// # Errors
    ///
    /// The first that is none.
    pub fn parse(names: &[String], style: MaskStyle) -> Result<Self, UnknownField> {
        let fields = names.iter().map(|name| {
            let parts: Vec<&str> = name.split('.').collect();
            let is_whole = parts.iter().all(|part| !part.is_empty());
            let field = match parts.as_slice() {
                ["principal"] => Field::Principal,
                ["resource"] => Field::Resource,
                ["request_id"] => Field::RequestId,
                ["context"] => Field::Context,
                ["entities"] => Field::Entities,
                ["context", name] if is_whole => Field::ContextAttribute((*name).to_owned()),
                ["entities", of, name] if is_whole => {
                    Field::EntityAttribute((*of).to_owned(), (*name).to_owned())
                }
                _ => return Err(UnknownField(name.clone())),
            };
            Ok((name.clone(), field))
        });
        Ok(Self {
            fields: fields.collect::<Result<_, _>>()?,
            style,
        })
    }

    pub(super) fn is_empty(&self) -> bool {
        self.fields.is_empty()
    }

    /// What is masked, as each masked record says.
    pub(super) fn names(&self) -> impl Iterator<Item = &str> {
        self.fields.iter().map(|(name, _)| name.as_str())
    }

    pub(super) fn apply(&self, parts: &mut Parts, chain: &Chain) {
        let hidden = |text: &str| match self.style {
            MaskStyle::Hash => chain.masked(text),
            MaskStyle::Stars => "***".to_owned(),
        };
        for (_, field) in &self.fields {
            match field {
                Field::Principal => {
                    let id = id_of(&parts.principal);
                    parts.hide_everywhere(&id, &hidden(&id));
                }
                Field::Resource => {
                    let id = id_of(&parts.resource);
                    parts.hide_everywhere(&id, &hidden(&id));
                }
                Field::RequestId => parts.request_id = hidden(&parts.request_id),
                Field::Context => hide(Some(&mut parts.context), hidden),
                Field::ContextAttribute(name) => hide(parts.context.get_mut(name), hidden),
                Field::Entities => hide(Some(&mut parts.entities), hidden),
                Field::EntityAttribute(of, name) => {
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

impl Parts {
    fn hide_everywhere(&mut self, id: &str, by: &str) {
        for part in [&mut self.principal, &mut self.resource, &mut self.entities] {
            replace(part, id, by);
        }
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

fn replace(value: &mut Value, text: &str, by: &str) {
    match value {
        Value::String(found) if found == text => by.clone_into(found),
        Value::Array(values) => values.iter_mut().for_each(|it| replace(it, text, by)),
        Value::Object(members) => members.values_mut().for_each(|it| replace(it, text, by)),
        _ => {}
    }
}

#[cfg(test)]
mod tests {
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
}
