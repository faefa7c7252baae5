//! Reads the fields of a JSON object. Each is named once, and all faults are reported together, in the contract's
//! order.

use serde_json::{Map, Value};

use crate::extract::body_value::{BodyValue, Broken, JsonType};
use crate::respond::{ApiError, Code, Detail, echo};

/// Limit of unknown fields that an error names.
const MAX_NAMED: usize = 5;

/// The fields of a body. Each reading method removes its field; remaining ones are unknown. A method returns
/// `None` only if `finish` will fail.
#[derive(Debug)]
pub struct Fields {
    object: Map<String, Value>,
    /// The names of fields that were read, except read-only ones.
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

    /// A required field.
    pub fn required<T: BodyValue>(&mut self, name: &'static str) -> Option<T> {
        self.required_by(name, T::parse)
    }

    /// A required field with its own parser.
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

    /// An optional field.
    pub fn optional<T: BodyValue>(&mut self, name: &'static str) -> Option<Option<T>> {
        self.taken.push(name);
        match self.object.remove(name) {
            None => Some(None),
            Some(value) => self.read(name, value, T::parse).map(Some),
        }
    }

    /// An optional field with the default of its type.
    pub fn default<T: BodyValue + Default>(&mut self, name: &'static str) -> Option<T> {
        self.optional(name).map(Option::unwrap_or_default)
    }

    /// A field that the server sets: its presence is a fault, whatever its value.
    pub fn read_only(&mut self, name: &'static str) {
        if self.object.remove(name).is_some() {
            self.broken.push(Detail::new(
                format!("/{name}"),
                "is set by the server and cannot be changed",
            ));
        }
    }

    /// Fails if there were faults: with the first kind of `UNKNOWN_FIELD`, `MISSING_FIELD`, `WRONG_TYPE`, or else
    /// `VALIDATION_FAILED` with every invalid value.
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

/// The value of a required field after `finish` succeeded; `INTERNAL_ERROR` if called before.
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
