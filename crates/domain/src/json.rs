//! Parses JSON without the special keys of `serde_json`.
//!
//! `serde_json::Value` gives an object whose first key is `$serde_json::private::RawValue` a meaning of its own.
//! Text that a client wrote is therefore parsed here, in requests and from the database.

use std::fmt;

use serde::de::{DeserializeSeed, Error, MapAccess, SeqAccess, Visitor};
use serde::{Deserialize, Deserializer, Serialize};
use serde_json::{Map, Number, Value};

/// A stored object, parsed without special keys.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize)]
#[serde(transparent)]
pub struct LiteralObject(pub Map<String, Value>);

impl<'de> Deserialize<'de> for LiteralObject {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        match Literal.deserialize(deserializer)? {
            Value::Object(object) => Ok(Self(object)),
            _ => Err(D::Error::custom("expected a JSON object")),
        }
    }
}

/// Parses one JSON value with nothing behind it. Duplicate keys are an error.
pub fn from_slice(bytes: &[u8]) -> serde_json::Result<Value> {
    let mut reader = serde_json::Deserializer::from_slice(bytes);
    let value = Literal.deserialize(&mut reader)?;
    reader.end()?;
    Ok(value)
}

/// A `Value` without special keys or duplicate keys.
#[derive(Clone, Copy)]
struct Literal;

impl<'de> DeserializeSeed<'de> for Literal {
    type Value = Value;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Value, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Literal {
    type Value = Value;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("a JSON value")
    }

    fn visit_unit<E>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_bool<E>(self, value: bool) -> Result<Value, E> {
        Ok(Value::Bool(value))
    }

    fn visit_i64<E>(self, value: i64) -> Result<Value, E> {
        Ok(Value::Number(value.into()))
    }

    fn visit_u64<E>(self, value: u64) -> Result<Value, E> {
        Ok(Value::Number(value.into()))
    }

    fn visit_f64<E: Error>(self, value: f64) -> Result<Value, E> {
        Number::from_f64(value)
            .map(Value::Number)
            .ok_or_else(|| E::custom("number out of range"))
    }

    fn visit_str<E>(self, value: &str) -> Result<Value, E> {
        Ok(Value::String(value.to_owned()))
    }

    fn visit_string<E>(self, value: String) -> Result<Value, E> {
        Ok(Value::String(value))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Value, A::Error> {
        let mut array = Vec::new();
        while let Some(item) = items.next_element_seed(self)? {
            array.push(item);
        }
        Ok(Value::Array(array))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<Value, A::Error> {
        let mut object = Map::new();
        while let Some(key) = members.next_key::<String>()? {
            if object.contains_key(&key) {
                return Err(A::Error::custom(format_args!(
                    "the key `{}` is repeated",
                    key.escape_debug()
                )));
            }
            let value = members.next_value_seed(self)?;
            object.insert(key, value);
        }
        Ok(Value::Object(object))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_of_the_parser_itself_are_keys_like_any_other() {
        for key in [
            "$serde_json::private::RawValue",
            "$serde_json::private::Number",
            "$serde_json::private::",
            "$__toml_private_datetime",
            "__entity",
            "__extn",
            "",
        ] {
            for value in [r#""oops""#, r#""{\"a\":1}""#, "1", r#"{"x":[]}"#] {
                let text = format!(r#"{{"a":{{{}:{value}}}}}"#, Value::from(key));
                let read = from_slice(text.as_bytes()).expect("JSON");
                assert_eq!(read.to_string(), text);
                let stored: LiteralObject = serde_json::from_str(&text).expect("an object");
                assert_eq!(Value::Object(stored.0).to_string(), text);
            }
        }
    }

    #[test]
    fn numbers_are_the_nearest_double() {
        for text in ["117.63331139400017", "123456789.12345679", "5e-324", "0.1"] {
            let read = from_slice(text.as_bytes()).expect("JSON");
            let nearest: f64 = text.parse().expect("a double");
            assert_eq!(read.as_f64().map(f64::to_bits), Some(nearest.to_bits()));
        }
    }
}
