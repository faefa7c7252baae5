//! Values in request bodies: parsing from JSON, and schema.

use std::fmt::Display;

use salvo::oapi::schema::{AllOf, OneOf};
use salvo::oapi::{Array, BasicType, Components, Object, RefOr, Schema, SchemaType};
use serde_json::{Map, Value};

use crate::respond::Detail;

/// A value in a body. The domain's type has the rules; its errors are for the client.
pub trait BodyValue: Sized {
    /// The required JSON type.
    type Json: JsonType;

    fn parse(json: Self::Json) -> Result<Self, Broken>;

    /// With its limits; with example and description if they are the same in every body.
    fn schema(components: &mut Components) -> RefOr<Schema>;
}

/// A value that counts as missing if it is malformed: then `None`.
#[derive(Debug, Clone)]
pub struct Lenient<T>(pub Option<T>);

/// A violated rule, with a JSON pointer below the field.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Broken {
    pub(super) pointer: String,
    pub(super) rule: String,
}

impl Broken {
    /// At a JSON pointer below the field; empty for the field itself.
    pub fn at(pointer: impl Into<String>, rule: impl Display) -> Self {
        Self {
            pointer: pointer.into(),
            rule: rule.to_string(),
        }
    }
}

impl Broken {
    /// As a detail about a member of the body.
    pub(crate) fn below(&self, member: &str) -> Detail {
        Detail::new(format!("/{member}{}", self.pointer), &self.rule)
    }
}

impl<E: Display> From<E> for Broken {
    fn from(rule: E) -> Self {
        Self::at("", rule)
    }
}

pub trait JsonType: Sized {
    /// For error messages.
    const NAME: &'static str;

    /// `None` for other types.
    fn from_json(value: Value) -> Option<Self>;
}

impl JsonType for String {
    const NAME: &'static str = "a string";

    fn from_json(value: Value) -> Option<Self> {
        match value {
            Value::String(text) => Some(text),
            _ => None,
        }
    }
}

impl JsonType for bool {
    const NAME: &'static str = "true or false";

    fn from_json(value: Value) -> Option<Self> {
        value.as_bool()
    }
}

impl JsonType for i64 {
    const NAME: &'static str = "an integer";

    /// `285.0` is the same number as `285` (JSON Schema 2020-12, section 6.1.1 of the core). Whole numbers beyond
    /// those of 64 bits become the nearest of them, which is out of every range.
    fn from_json(value: Value) -> Option<Self> {
        #[expect(clippy::cast_possible_truncation, reason = "it saturates")]
        let whole = |float: f64| (float.fract() == 0.0).then_some(float as Self);
        value.as_i64().or_else(|| value.as_f64().and_then(whole))
    }
}

impl JsonType for Vec<String> {
    const NAME: &'static str = "an array of strings";

    fn from_json(value: Value) -> Option<Self> {
        match value {
            Value::Array(items) => items.into_iter().map(String::from_json).collect(),
            _ => None,
        }
    }
}

impl JsonType for Map<String, Value> {
    const NAME: &'static str = "an object";

    fn from_json(value: Value) -> Option<Self> {
        match value {
            Value::Object(object) => Some(object),
            _ => None,
        }
    }
}

/// A value that may be null.
impl<J: JsonType> JsonType for Option<J> {
    const NAME: &'static str = J::NAME;

    fn from_json(value: Value) -> Option<Self> {
        match value {
            Value::Null => Some(None),
            value => J::from_json(value).map(Some),
        }
    }
}

/// Implements values written as text, with parser and additions to the text schema.
macro_rules! text_values {
    ($($of:ty {
        parse: |$text:ident| $parse:expr,
        schema: |$schema:ident| $limited:expr,
    })*) => {$(
        impl $crate::extract::body_value::BodyValue for $of {
            type Json = String;

            fn parse(text: String) -> Result<Self, $crate::extract::body_value::Broken> {
                let $text = text.as_str();
                Ok($parse?)
            }

            fn schema(_: &mut salvo::oapi::Components) -> salvo::oapi::RefOr<salvo::oapi::Schema> {
                let $schema = $crate::extract::body_value::text();
                $limited.into()
            }
        }
    )*};
}
pub(crate) use text_values;

/// Implements values that may be anything of their type.
macro_rules! free_values {
    ($($of:ty: $schema:expr,)*) => {$(
        impl BodyValue for $of {
            type Json = Self;

            fn parse(value: Self) -> Result<Self, Broken> {
                Ok(value)
            }

            fn schema(_: &mut Components) -> RefOr<Schema> {
                $schema.into()
            }
        }
    )*};
}

free_values! {
    String: text(),
    bool: Object::with_type(BasicType::Boolean),
    Map<String, Value>: Object::new(),
}

/// Null is `None`.
impl<T: BodyValue> BodyValue for Option<T> {
    type Json = Option<T::Json>;

    fn parse(json: Self::Json) -> Result<Self, Broken> {
        json.map(T::parse).transpose()
    }

    fn schema(components: &mut Components) -> RefOr<Schema> {
        nullable(T::schema(components))
    }
}

/// Parses each text; the error names the first invalid one.
impl<T: BodyValue<Json = String>> BodyValue for Vec<T> {
    type Json = Vec<String>;

    fn parse(texts: Self::Json) -> Result<Self, Broken> {
        let indexed = texts.into_iter().enumerate();
        indexed
            .map(|(at, text)| {
                T::parse(text)
                    .map_err(|broken| Broken::at(format!("/{at}{}", broken.pointer), broken.rule))
            })
            .collect()
    }

    fn schema(components: &mut Components) -> RefOr<Schema> {
        Array::new().items(T::schema(components)).into()
    }
}

/// The schema of a text, for adding limits.
pub fn text() -> Object {
    Object::with_type(BasicType::String)
}

/// The schema of a value that may be null.
pub fn nullable(schema: RefOr<Schema>) -> RefOr<Schema> {
    match schema {
        RefOr::Type(Schema::Object(mut object)) => {
            if let SchemaType::Basic(of) = object.schema_type {
                object.schema_type = [of, BasicType::Null].into_iter().collect();
            }
            RefOr::Type(Schema::Object(object))
        }
        other => {
            let null = Object::with_type(BasicType::Null);
            OneOf::new().item(null).item(other).into()
        }
    }
}

/// A schema with the description and example of a body's member instead of the type's.
pub fn described(schema: RefOr<Schema>, about: &[&str], example: Option<Value>) -> RefOr<Schema> {
    let about: Vec<_> = about.iter().map(|line| line.trim()).collect();
    let description = (!about.is_empty()).then(|| about.join("\n"));
    match schema {
        RefOr::Type(Schema::Object(mut object)) => {
            object.description = description.or(object.description);
            object.examples = example.map_or(object.examples, |example| vec![example]);
            RefOr::Type(Schema::Object(object))
        }
        RefOr::Type(Schema::Array(mut array)) => {
            array.description = description.or(array.description);
            array.examples = example.map_or(array.examples, |example| vec![example]);
            RefOr::Type(Schema::Array(array))
        }
        // A reference cannot be modified, only extended.
        other => match description {
            None => other,
            Some(description) => {
                let more = Object::with_type(SchemaType::AnyValue).description(description);
                AllOf::new().item(other).item(more).into()
            }
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_whole_number_is_an_integer() {
        for (number, integer) in [
            ("3", Some(3)),
            ("3.0", Some(3)),
            ("3.5", None),
            ("1e300", Some(i64::MAX)),
            ("-99999999999999999999", Some(i64::MIN)),
            ("1e3", Some(1_000)),
        ] {
            let value = serde_json::from_str(number).expect("JSON");
            assert_eq!(i64::from_json(value), integer, "{number}");
        }
    }
}
