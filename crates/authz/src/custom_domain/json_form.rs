//! How values of the schema's types are written in JSON, so that a question's mistake is told in plain words.

use std::collections::BTreeMap;

use cedar_policy::{Context, RestrictedExpression};
use cedar_policy_core::validator::types::Type;
use serde_json::Value;

/// How a value of a type is written in JSON.
#[derive(Debug)]
pub(super) enum JsonForm {
    Bool,
    Number,
    Text,
    Array(Box<JsonForm>),
    /// A record, with the forms of its members and whether each is required.
    Record(BTreeMap<String, (JsonForm, bool)>),
    /// Of this type.
    Entity(String),
    /// Of this extension's type.
    Extension(String),
    Any,
}

/// Where a value is written as none of its type is.
#[derive(Debug)]
pub(super) struct Misfit {
    /// A JSON pointer below the value.
    pub(super) place: String,
    /// In words that need no knowledge of Cedar.
    pub(super) rule: String,
}

impl Misfit {
    fn missing() -> Self {
        Self {
            place: String::new(),
            rule: "is missing".to_owned(),
        }
    }

    /// The same, seen from one step further up.
    fn below(mut self, name: &str) -> Self {
        let name = name.replace('~', "~0").replace('/', "~1");
        self.place = format!("/{name}{}", self.place);
        self
    }
}

impl JsonForm {
    pub(super) fn of(declared: &Type) -> Self {
        match declared {
            Type::Bool(_) => Self::Bool,
            Type::Long => Self::Number,
            Type::String => Self::Text,
            Type::Set { element_type } => Self::Array(Box::new(
                element_type.as_deref().map_or(Self::Any, Self::of),
            )),
            Type::Record { attrs, .. } => Self::Record(
                attrs
                    .iter()
                    .map(|(name, it)| {
                        let form = Self::of(&it.attr_type);
                        (name.to_string(), (form, it.is_required))
                    })
                    .collect(),
            ),
            Type::Entity(_) => Self::Entity(declared.to_string()),
            Type::ExtensionType { name } => Self::Extension(name.to_string()),
            Type::Never => Self::Any,
        }
    }

    /// The value without members that no value of this form has, at any depth.
    pub(super) fn declared_part(&self, value: &Value) -> Value {
        match (self, value) {
            (Self::Array(of), Value::Array(items)) => {
                items.iter().map(|item| of.declared_part(item)).collect()
            }
            (Self::Record(members), Value::Object(given)) => {
                let declared = given.iter().filter_map(|(name, value)| {
                    let (form, _) = members.get(name)?;
                    Some((name.clone(), form.declared_part(value)))
                });
                Value::Object(declared.collect())
            }
            (Self::Entity(_), Value::Object(given))
                if given.contains_key("type") && given.contains_key("id") =>
            {
                let named = given
                    .iter()
                    .filter(|(name, _)| *name == "type" || *name == "id");
                Value::Object(named.map(|(name, it)| (name.clone(), it.clone())).collect())
            }
            _ => value.clone(),
        }
    }

    /// The first place where it is written as no value of this form is.
    pub(super) fn misfit(&self, value: &Value) -> Option<Misfit> {
        let fits = match (self, value) {
            (Self::Array(of), Value::Array(items)) => {
                let mut items = items.iter().enumerate();
                return items.find_map(|(at, item)| {
                    let misfit = of.misfit(item)?;
                    Some(misfit.below(&at.to_string()))
                });
            }
            (Self::Record(members), Value::Object(given)) => {
                return members.iter().find_map(|(name, (form, is_required))| {
                    let misfit = match given.get(name) {
                        Some(value) => form.misfit(value),
                        None => is_required.then(Misfit::missing),
                    };
                    misfit.map(|misfit| misfit.below(name))
                });
            }
            (Self::Number, Value::Number(number)) => number.is_i64(),
            (Self::Any, _)
            | (Self::Bool, Value::Bool(_))
            | (Self::Text, Value::String(_))
            // Also in Cedar's own form, `{"__extn": …}`.
            | (Self::Extension(_), Value::String(_) | Value::Object(_))
            | (Self::Entity(_), Value::Object(_)) => true,
            _ => false,
        };
        (!fits).then(|| Misfit {
            place: String::new(),
            rule: self.rule(),
        })
    }

    /// The first place whose text is none of its extension's type.
    pub(super) fn bad_text(&self, value: &Value) -> Option<Misfit> {
        match (self, value) {
            (Self::Array(of), Value::Array(items)) => {
                let mut items = items.iter().enumerate();
                items.find_map(|(at, item)| Some(of.bad_text(item)?.below(&at.to_string())))
            }
            (Self::Record(members), Value::Object(given)) => members
                .iter()
                .find_map(|(name, (form, _))| Some(form.bad_text(given.get(name)?)?.below(name))),
            (Self::Extension(name), value) => {
                let own_form = value.get("__extn").and_then(|it| it.get("arg"));
                let text = own_form.unwrap_or(value).as_str()?;
                (!is_text_of(name, text)).then(|| Misfit {
                    place: String::new(),
                    rule: self.rule(),
                })
            }
            _ => None,
        }
    }

    /// For a value that misfits by its text alone.
    pub(super) fn rule_of_text(&self) -> Option<String> {
        matches!(self, Self::Extension(_)).then(|| self.rule())
    }

    fn rule(&self) -> String {
        format!("must be {}", self.expected())
    }

    fn expected(&self) -> String {
        match self {
            Self::Bool => "true or false".to_owned(),
            Self::Number => format!("a whole number from {} to {}", i64::MIN, i64::MAX),
            Self::Text => "a string".to_owned(),
            Self::Array(_) => "an array".to_owned(),
            Self::Record(_) => "an object".to_owned(),
            Self::Entity(of) => {
                format!("an entity, `{{\"type\": \"{of}\", \"id\": …}}`")
            }
            Self::Extension(name) => match name.as_str() {
                "decimal" => "a decimal number as a string, such as `\"1.5\"`".to_owned(),
                "ipaddr" => {
                    "an IP address or network as a string, such as `\"192.0.2.7\"`".to_owned()
                }
                "datetime" => "a time as a string, such as `\"2025-09-30T12:00:00Z\"` or, with an offset, `\"2025-09-30T13:00:00+0100\"`".to_owned(),
                "duration" => "a duration as a string, such as `\"1h30m\"`".to_owned(),
                other => format!("a string of the type `{other}`"),
            },
            Self::Any => "of the declared type".to_owned(),
        }
    }
}

/// True of extensions that are not known here.
fn is_text_of(extension: &str, text: &str) -> bool {
    let text = text.to_owned();
    let value = match extension {
        "decimal" => RestrictedExpression::new_decimal(text),
        "ipaddr" => RestrictedExpression::new_ip(text),
        "datetime" => RestrictedExpression::new_datetime(text),
        "duration" => RestrictedExpression::new_duration(text),
        _ => return true,
    };
    Context::from_pairs([("value".to_owned(), value)]).is_ok()
}
