//! A reader over the fields of a JSON object: each is named once, and all faults are reported
//! together, in the contract's order.

use std::fmt::Display;

use serde_json::{Map, Value};

use crate::respond::{ApiError, Code, Detail, echo};

/// The most unknown fields that one answer names.
const MAX_NAMED: usize = 5;

/// A rule that a value breaks, and where below its field.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Broken {
    pointer: String,
    rule: String,
}

impl Broken {
    /// A rule broken at a JSON pointer below the field; empty for the field itself.
    #[must_use]
    pub fn at(pointer: impl Into<String>, rule: impl Display) -> Self {
        Self {
            pointer: pointer.into(),
            rule: rule.to_string(),
        }
    }
}

impl<E: Display> From<E> for Broken {
    fn from(rule: E) -> Self {
        Self::at("", rule)
    }
}

/// A field that may be absent, null, or have a value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Nullable<T> {
    /// Not in the body, or broken (then `finish` fails).
    Absent,
    /// `null`.
    Null,
    /// A value.
    Value(T),
}

/// What a field's JSON must be before its rule is asked.
pub trait JsonType: Sized {
    /// The type's name, for the client.
    const NAME: &'static str;

    /// The value, if it has this type.
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

    /// `285.0` is the same number as `285` (JSON Schema 2020-12, section 6.1.1 of the core).
    fn from_json(value: Value) -> Option<Self> {
        const EXACT: f64 = 9_007_199_254_740_991.0;
        #[expect(clippy::cast_possible_truncation, reason = "whole and within ±2^53")]
        let whole =
            |float: f64| (float.fract() == 0.0 && float.abs() <= EXACT).then_some(float as Self);
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

/// The fields of a body. Every reading method takes its field out; what is left is unknown.
#[derive(Debug)]
pub struct Fields {
    object: Map<String, Value>,
    /// What was asked for, but for read-only fields.
    taken: Vec<&'static str>,
    missing: Vec<&'static str>,
    mistyped: Vec<(&'static str, &'static str)>,
    broken: Vec<Detail>,
}

impl Fields {
    /// Starts reading an object.
    #[must_use]
    pub fn new(object: Map<String, Value>) -> Self {
        Self {
            object,
            taken: Vec::new(),
            missing: Vec::new(),
            mistyped: Vec::new(),
            broken: Vec::new(),
        }
    }

    /// A field that must be there. `None` only if `finish` will fail; see [`present`].
    pub fn required<J: JsonType, T, E: Into<Broken>>(
        &mut self,
        name: &'static str,
        parse: impl FnOnce(J) -> Result<T, E>,
    ) -> Option<T> {
        if !self.object.contains_key(name) {
            self.missing.push(name);
        }
        self.optional(name, parse)
    }

    /// A field that may be absent, but not null.
    pub fn optional<J: JsonType, T, E: Into<Broken>>(
        &mut self,
        name: &'static str,
        parse: impl FnOnce(J) -> Result<T, E>,
    ) -> Option<T> {
        self.taken.push(name);
        let value = self.object.remove(name)?;
        self.read(name, value, J::NAME, parse)
    }

    /// A field for which null means something.
    pub fn nullable<J: JsonType, T, E: Into<Broken>>(
        &mut self,
        name: &'static str,
        parse: impl FnOnce(J) -> Result<T, E>,
    ) -> Nullable<T> {
        self.taken.push(name);
        match self.object.remove(name) {
            None => Nullable::Absent,
            Some(Value::Null) => Nullable::Null,
            Some(value) => self
                .read(name, value, J::NAME, parse)
                .map_or(Nullable::Absent, Nullable::Value),
        }
    }

    /// A list of strings that may be absent, but not null.
    pub fn array_of_strings(&mut self, name: &'static str) -> Option<Vec<String>> {
        self.optional(name, Ok::<Vec<String>, Broken>)
    }

    /// A field that the server sets: naming it is a broken rule, whatever its value.
    pub fn read_only(&mut self, name: &'static str) {
        if self.object.remove(name).is_some() {
            self.broken.push(Detail::new(
                format!("/{name}"),
                "is set by the server and cannot be changed",
            ));
        }
    }

    /// Reports a rule that holds between fields.
    pub fn break_rule(&mut self, pointer: impl Into<String>, rule: impl Display) {
        self.broken.push(Detail::new(pointer, rule));
    }

    /// Whether all was well.
    ///
    /// # Errors
    ///
    /// The first kind of fault that occurred: `UNKNOWN_FIELD`, `MISSING_FIELD`, `WRONG_TYPE`
    /// (400), or `VALIDATION_FAILED` (422) with every broken value.
    pub fn finish(self) -> Result<(), ApiError> {
        self.finish_with(ApiError::validation_failed)
    }

    /// As [`Self::finish`], for the portal: broken values are a 400 there.
    ///
    /// # Errors
    ///
    /// As [`Self::finish`], all with 400.
    pub fn finish_on_portal(self) -> Result<(), ApiError> {
        self.finish_with(ApiError::validation_failed_on_portal)
    }

    fn finish_with(self, failed: fn(Vec<Detail>) -> ApiError) -> Result<(), ApiError> {
        if !self.object.is_empty() {
            return Err(ApiError::invalid(Code::UnknownField, self.name_unknown()));
        }
        if !self.missing.is_empty() {
            let named: Vec<_> = self
                .missing
                .iter()
                .map(|name| format!("`{name}`"))
                .collect();
            return Err(ApiError::invalid(
                Code::MissingField,
                format!("missing fields: {}", named.join(", ")),
            ));
        }
        if !self.mistyped.is_empty() {
            let named: Vec<_> = self
                .mistyped
                .iter()
                .map(|(name, expected)| format!("`{name}` must be {expected}"))
                .collect();
            return Err(ApiError::invalid(Code::WrongType, named.join(", ")));
        }
        if !self.broken.is_empty() {
            return Err(failed(self.broken));
        }
        Ok(())
    }

    fn name_unknown(&self) -> String {
        let unknown: Vec<_> = self
            .object
            .keys()
            .take(MAX_NAMED)
            .map(|key| echo(key))
            .collect();
        let more = if self.object.len() > MAX_NAMED {
            ", …"
        } else {
            ""
        };
        let mut taken: Vec<_> = self.taken.iter().map(|name| format!("`{name}`")).collect();
        if taken.is_empty() {
            taken.push("nothing".to_owned());
        }
        format!(
            "unknown fields: {}{more}; this takes {}",
            unknown.join(", "),
            taken.join(", ")
        )
    }

    fn read<J: JsonType, T, E: Into<Broken>>(
        &mut self,
        name: &'static str,
        value: Value,
        expected: &'static str,
        parse: impl FnOnce(J) -> Result<T, E>,
    ) -> Option<T> {
        let Some(value) = J::from_json(value) else {
            self.mistyped.push((name, expected));
            return None;
        };
        match parse(value) {
            Ok(value) => Some(value),
            Err(error) => {
                let broken: Broken = error.into();
                self.broken.push(Detail::new(
                    format!("/{name}{}", broken.pointer),
                    broken.rule,
                ));
                None
            }
        }
    }
}

/// A required field's value, after `finish` said that all was well.
///
/// # Errors
///
/// `INTERNAL_ERROR` if it was called before.
pub fn present<T>(field: Option<T>) -> Result<T, ApiError> {
    field.ok_or_else(|| ApiError::internal("a required field was taken before `finish`"))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use charter_domain::text::Name;

    fn fields(value: Value) -> Fields {
        Fields::new(Map::from_json(value).expect("an object"))
    }

    fn read(value: Value) -> Result<(), ApiError> {
        let mut fields = fields(value);
        fields.required("name", |text: String| Name::parse(&text));
        fields.optional("active", Ok::<bool, Broken>);
        fields.nullable("email", |text: String| {
            text.contains('@')
                .then_some(text)
                .ok_or("must be an e-mail address")
        });
        fields.array_of_strings("roles");
        fields.read_only("slug");
        fields.finish()
    }

    fn refused(value: Value) -> (Code, String) {
        let error = read(value).expect_err("faulty");
        (error.code(), error.message().to_owned())
    }

    #[test]
    fn values_come_out_parsed() {
        let mut fields = fields(json!({"name": " A ", "n": 3, "email": null}));
        let name = fields.required("name", |text: String| Name::parse(&text));
        let email = fields.nullable("email", Ok::<String, Broken>);
        let other = fields.nullable("other", Ok::<String, Broken>);
        assert_eq!(fields.optional("n", Ok::<i64, Broken>), Some(3));
        for (number, integer) in [
            ("3.0", Some(3)),
            ("3.5", None),
            ("1e300", None),
            ("1e3", Some(1_000)),
        ] {
            let value = serde_json::from_str(number).expect("JSON");
            assert_eq!(i64::from_json(value), integer, "{number}");
        }
        assert_eq!(fields.finish(), Ok(()));
        assert_eq!(present(name).expect("there").as_str(), "A");
        assert_eq!((email, other), (Nullable::Null, Nullable::Absent));
    }

    #[test]
    fn faults_are_reported_in_order() {
        let worst = json!({"x": 1, "active": 1, "email": "e"});
        assert_eq!(
            refused(worst),
            (
                Code::UnknownField,
                "unknown fields: `x`; this takes `name`, `active`, `email`, `roles`".into()
            )
        );
        let missing = json!({"active": 1, "email": "e"});
        assert_eq!(
            refused(missing),
            (Code::MissingField, "missing fields: `name`".into())
        );
        let typed = json!({"name": null, "active": "true", "roles": ["a", 1], "email": "e"});
        assert_eq!(
            refused(typed),
            (
                Code::WrongType,
                "`name` must be a string, `active` must be true or false, \
                 `roles` must be an array of strings"
                    .into()
            )
        );
    }

    #[test]
    fn all_broken_values_are_named() {
        let error = read(json!({"name": "", "email": "e", "slug": null})).expect_err("broken");
        assert_eq!(error.status().as_u16(), 422);
        let fields: Vec<_> = error
            .details()
            .iter()
            .map(|detail| &*detail.field)
            .collect();
        assert_eq!(fields, ["/name", "/email", "/slug"]);
    }

    #[test]
    fn unknown_names_are_repeated_within_bounds() {
        let object: Map<_, _> = (0..1_000)
            .map(|index| (format!("{index:04}{}", "y".repeat(10_000)), Value::Null))
            .collect();
        let (code, message) = refused(Value::Object(object));
        assert_eq!(code, Code::UnknownField);
        assert!(message.chars().count() < 500, "{message}");
    }
}
