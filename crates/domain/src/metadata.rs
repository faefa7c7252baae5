//! Metadata: a small JSON object that tenants attach to their resources (contract section 4).
//!
//! Policies do not read it, because tenants write it.

use serde_json::{Map, Number, Value};

/// The largest integer that every JSON parser reads exactly, 2^53 − 1.
const MAX_NUMBER: f64 = 9_007_199_254_740_991.0;
pub const MAX_KEYS: usize = 50;
pub const MAX_KEY_CHARACTERS: usize = 64;
pub const MAX_BYTES: usize = 16 * 1024;
pub const MAX_DEPTH: usize = 5;

/// A violated limit; the text is for the client.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{rule}")]
pub struct MetadataError {
    /// A JSON pointer (RFC 6901) within the metadata; empty for the whole.
    pub pointer: String,
    pub rule: String,
}

/// A JSON object within the limits of the contract.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Metadata(Map<String, Value>);

impl Metadata {
    /// Checks every limit, normalizes numbers and sorts keys, so that both databases return the same bytes.
    ///
    /// # Errors
    ///
    /// The first violated limit.
    pub fn new(mut object: Map<String, Value>) -> Result<Self, MetadataError> {
        if object.len() > MAX_KEYS {
            return Err(broken("", format!("must have at most {MAX_KEYS} keys")));
        }
        for (key, value) in &mut object {
            let mut pointer = String::new();
            push(&mut pointer, key);
            if key.is_empty() || key.chars().count() > MAX_KEY_CHARACTERS {
                return Err(broken(
                    &pointer,
                    format!("keys must have 1 to {MAX_KEY_CHARACTERS} characters"),
                ));
            }
            check_text(key, &pointer)?;
            check(value, 2, &mut pointer)?;
        }
        sort(&mut object);
        let bytes = Value::Object(object.clone()).to_string().len();
        if bytes > MAX_BYTES {
            return Err(broken(
                "",
                format!("must take at most {MAX_BYTES} bytes as compact JSON, takes {bytes}"),
            ));
        }
        Ok(Self(object))
    }

    /// For stored metadata, which was checked when it was written.
    #[must_use]
    pub fn from_stored(mut object: Map<String, Value>) -> Self {
        sort(&mut object);
        Self(object)
    }

    /// Applies a JSON Merge Patch (RFC 7396).
    ///
    /// # Errors
    ///
    /// The *result* violates a limit.
    pub fn merged(&self, patch: &MetadataPatch) -> Result<Self, MetadataError> {
        match patch {
            MetadataPatch::Clear => Ok(Self::default()),
            MetadataPatch::Merge(patch) => {
                let mut merged = Value::Object(self.0.clone());
                json_patch::merge(&mut merged, &Value::Object(patch.clone()));
                match merged {
                    Value::Object(object) => Self::new(object),
                    _ => Err(broken("", "must be an object".to_owned())),
                }
            }
        }
    }

    /// Approximate memory in bytes.
    #[must_use]
    pub fn bytes(&self) -> usize {
        self.0.iter().map(member_bytes).sum()
    }

    #[must_use]
    pub const fn as_object(&self) -> &Map<String, Value> {
        &self.0
    }
}

/// The `metadata` member of a PATCH.
#[derive(Debug, Clone, PartialEq)]
pub enum MetadataPatch {
    /// `null`: removes all keys.
    Clear,
    /// An object: is merged; `null` members remove theirs.
    Merge(Map<String, Value>),
}

/// Size of a member, including the overhead of the map.
fn member_bytes((name, value): (&String, &Value)) -> usize {
    const ENTRY: usize = size_of::<String>() + size_of::<u64>();
    ENTRY + name.len() + value_bytes(value)
}

fn value_bytes(value: &Value) -> usize {
    let more = match value {
        Value::String(text) => text.len(),
        Value::Array(values) => values.iter().map(value_bytes).sum(),
        Value::Object(object) => object.iter().map(member_bytes).sum(),
        Value::Null | Value::Bool(_) | Value::Number(_) => 0,
    };
    size_of::<Value>() + more
}

/// Sorts the keys of all levels: the databases do not keep the sender's order.
fn sort(object: &mut Map<String, Value>) {
    object.sort_keys();
    object.values_mut().for_each(Value::sort_all_objects);
}

fn broken(pointer: &str, rule: String) -> MetadataError {
    MetadataError {
        pointer: pointer.to_owned(),
        rule,
    }
}

/// Extends a JSON pointer by one member (RFC 6901 section 3).
fn push(pointer: &mut String, key: &str) {
    pointer.push('/');
    pointer.push_str(&key.replace('~', "~0").replace('/', "~1"));
}

/// `depth` is the nesting level of `value` if it is an object or an array.
fn check(value: &mut Value, depth: usize, pointer: &mut String) -> Result<(), MetadataError> {
    let length = pointer.len();
    match value {
        Value::Null | Value::Bool(_) => {}
        Value::String(text) => check_text(text, pointer)?,
        Value::Number(number) => {
            *number = canonical(number)
                .ok_or_else(|| broken(pointer, "numbers must lie within ±(2^53 − 1)".to_owned()))?;
        }
        Value::Array(_) | Value::Object(_) if depth > MAX_DEPTH => {
            let rule = format!("objects and arrays may be at most {MAX_DEPTH} deep");
            return Err(broken(pointer, rule));
        }
        Value::Array(items) => {
            for (index, item) in items.iter_mut().enumerate() {
                push(pointer, &index.to_string());
                check(item, depth + 1, pointer)?;
                pointer.truncate(length);
            }
        }
        Value::Object(members) => {
            for (key, member) in members {
                push(pointer, key);
                check_text(key, pointer)?;
                check(member, depth + 1, pointer)?;
                pointer.truncate(length);
            }
        }
    }
    Ok(())
}

/// PostgreSQL cannot store U+0000 in text or jsonb; both databases refuse it alike.
fn check_text(text: &str, pointer: &str) -> Result<(), MetadataError> {
    if text.contains('\0') {
        return Err(broken(
            pointer,
            "must not contain the character U+0000".to_owned(),
        ));
    }
    Ok(())
}

/// One form for each number: whole numbers as integers, no negative zero.
fn canonical(number: &Number) -> Option<Number> {
    let value = number
        .as_f64()
        .filter(|value| value.is_finite() && value.abs() <= MAX_NUMBER)?;
    if value.fract() == 0.0 {
        // As a float, an integer beyond 2^53 may be rounded down to the limit.
        let exact = match number.as_i64() {
            Some(integer) => integer,
            None if number.is_u64() => return None,
            #[expect(clippy::cast_possible_truncation, reason = "whole and within ±2^53")]
            None => value as i64,
        };
        return (exact.unsigned_abs() <= 9_007_199_254_740_991).then(|| Number::from(exact));
    }
    Number::from_f64(value)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn metadata(value: Value) -> Result<Metadata, MetadataError> {
        match value {
            Value::Object(object) => Metadata::new(object),
            _ => panic!("the test gives an object"),
        }
    }

    #[test]
    fn limits_hold_at_their_edges() {
        assert!(
            metadata(
                (0..50)
                    .map(|n| (n.to_string(), json!(n)))
                    .collect::<Map<_, _>>()
                    .into()
            )
            .is_ok()
        );
        assert!(
            metadata(
                (0..51)
                    .map(|n| (n.to_string(), json!(n)))
                    .collect::<Map<_, _>>()
                    .into()
            )
            .is_err()
        );
        assert!(metadata(json!({ "k".repeat(64): 1 })).is_ok());
        assert!(metadata(json!({ "k".repeat(65): 1 })).is_err());
        assert!(metadata(json!({ "": 1 })).is_err());
        assert!(metadata(json!({"a": {"b": {"c": {"d": 1}}}})).is_ok());
        assert!(metadata(json!({"a": {"b": {"c": {"d": {}}}}})).is_ok());
        assert!(metadata(json!({"a": {"b": {"c": {"d": {"e": {}}}}}})).is_err());
        assert!(metadata(json!({"a": [[[[1]]]]})).is_ok());
        assert!(metadata(json!({"a": [[[[[1]]]]]})).is_err());
        assert!(metadata(json!({"n": 9_007_199_254_740_991_i64})).is_ok());
        assert!(metadata(json!({"n": 9_007_199_254_740_992_i64})).is_err());
        assert!(metadata(json!({"n": -9_007_199_254_740_992_i64})).is_err());
        assert!(metadata(json!({"n": 1e300})).is_err());
        assert!(metadata(json!({"n": u64::MAX})).is_err());
        let overhead = r#"{"k":""}"#.len();
        assert!(metadata(json!({"k": "x".repeat(16 * 1024 - overhead)})).is_ok());
        assert!(metadata(json!({"k": "x".repeat(16 * 1024 - overhead + 1)})).is_err());
        assert!(metadata(json!({"k": "a\0b"})).is_err());
    }

    #[test]
    fn a_fault_is_located_by_its_whole_pointer() {
        for (value, pointer) in [
            (json!({"a": [{"b": 1}, {"x": "\0"}]}), "/a/1/x"),
            (json!({"a": {"b/c~d": [true, 1e300]}}), "/a/b~1c~0d/1"),
            (json!({"a": {"b": {"\0": 1}}}), "/a/b/\0"),
            (
                json!({"ok": [1, 2], "a": {"b": {"c": {"d": [[]]}}}}),
                "/a/b/c/d/0",
            ),
            (json!({"a": u64::MAX}), "/a"),
        ] {
            let error = metadata(value).expect_err("a broken limit");
            assert_eq!(error.pointer, pointer);
        }
    }

    #[test]
    fn numbers_have_one_form() {
        let written = metadata(json!({"a": 1e2, "b": -0.0, "c": 0.5})).expect("within the limits");
        assert_eq!(
            Value::Object(written.0).to_string(),
            r#"{"a":100,"b":0,"c":0.5}"#
        );
    }

    #[test]
    fn a_merge_removes_nulls_and_checks_the_result() {
        let old = metadata(json!({"a": 1, "b": {"c": 2, "d": 3}})).expect("within the limits");
        let Value::Object(patch) = json!({"a": null, "b": {"c": null}, "e": 4}) else {
            unreachable!()
        };
        let new = old
            .merged(&MetadataPatch::Merge(patch))
            .expect("within the limits");
        assert_eq!(Value::Object(new.0), json!({"b": {"d": 3}, "e": 4}));
        assert_eq!(old.merged(&MetadataPatch::Clear), Ok(Metadata::default()));
    }
}
