//! A reader over the fields of a JSON object: each is named once, and all faults are reported
//! together, in the contract's order.

use serde_json::{Map, Value};

use crate::extract::body_value::{BodyValue, Broken, JsonType};
use crate::respond::{ApiError, Code, Detail, echo};

/// The most unknown fields that one answer names.
const MAX_NAMED: usize = 5;

/// The fields of a body. Every reading method takes its field out; what is left is unknown. A method
/// answers `None` only if `finish` will fail.
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

    /// A field that must be there.
    pub fn required<T: BodyValue>(&mut self, name: &'static str) -> Option<T> {
        self.required_by(name, T::parse)
    }

    /// A field that must be there, of a type that is parsed here alone.
    pub fn required_by<J: JsonType, T>(
        &mut self,
        name: &'static str,
        parse: impl FnOnce(J) -> Result<T, Broken>,
    ) -> Option<T> {
        self.taken.push(name);
        let Some(value) = self.object.remove(name) else {
            self.missing.push(name);
            return None;
        };
        self.read(name, value, parse)
    }

    /// A field that may be left out.
    pub fn optional<T: BodyValue>(&mut self, name: &'static str) -> Option<Option<T>> {
        self.taken.push(name);
        match self.object.remove(name) {
            None => Some(None),
            Some(value) => self.read(name, value, T::parse).map(Some),
        }
    }

    /// A field whose type has a default for when it is left out.
    pub fn default<T: BodyValue + Default>(&mut self, name: &'static str) -> Option<T> {
        self.optional(name).map(Option::unwrap_or_default)
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

    /// Whether all was well.
    ///
    /// # Errors
    ///
    /// The first kind of fault that occurred: `UNKNOWN_FIELD`, `MISSING_FIELD`, `WRONG_TYPE`, or
    /// `VALIDATION_FAILED` with every broken value.
    pub fn finish(self) -> Result<(), ApiError> {
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
            return Err(ApiError::validation_failed(self.broken));
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

    fn read<J: JsonType, T>(
        &mut self,
        name: &'static str,
        value: Value,
        parse: impl FnOnce(J) -> Result<T, Broken>,
    ) -> Option<T> {
        let Some(json) = J::from_json(value) else {
            self.mistyped.push((name, J::NAME));
            return None;
        };
        match parse(json) {
            Ok(value) => Some(value),
            Err(broken) => {
                let pointer = format!("/{name}{}", broken.pointer);
                self.broken.push(Detail::new(pointer, broken.rule));
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
    use charter_domain::email::EmailAddress;
    use charter_domain::text::Name;

    fn fields(value: Value) -> Fields {
        Fields::new(Map::from_json(value).expect("an object"))
    }

    fn read(value: Value) -> Result<(), ApiError> {
        let mut fields = fields(value);
        fields.required::<Name>("name");
        fields.optional::<bool>("active");
        fields.optional::<Option<EmailAddress>>("email");
        fields.default::<Vec<String>>("roles");
        fields.read_only("slug");
        fields.finish()
    }

    fn refused(value: Value) -> (Code, String) {
        let error = read(value).expect_err("faulty");
        (error.code(), error.message().to_owned())
    }

    #[test]
    fn values_come_out_parsed() {
        let mut fields = fields(json!({"name": " A ", "email": null}));
        let name = fields.required::<Name>("name");
        let email = fields.optional::<Option<EmailAddress>>("email");
        let other = fields.optional::<Option<EmailAddress>>("other");
        let roles = fields.default::<Vec<String>>("roles");
        assert_eq!(fields.finish(), Ok(()));
        assert_eq!(present(name).expect("there").as_str(), "A");
        assert_eq!((email, other), (Some(Some(None)), Some(None)));
        assert_eq!(roles, Some(Vec::new()));
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
