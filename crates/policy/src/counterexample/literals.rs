//! Literals of the solver's requests in the usual notation: an address without its full prefix, a
//! time as a date instead of milliseconds since 1970.

use std::net::IpAddr;

use serde_json::{Value, json};

use charter_domain::timestamp::{self, Timestamp};

/// Rewrites each address and time within a value.
pub(super) fn simplify_literals(value: &mut Value) {
    if let Some(plain) = simplified(value) {
        *value = plain;
        return;
    }
    match value {
        Value::Array(items) => items.iter_mut().for_each(simplify_literals),
        Value::Object(fields) => fields.values_mut().for_each(simplify_literals),
        _ => {}
    }
}

fn simplified(value: &Value) -> Option<Value> {
    let call = value.get("__extn")?;
    let function = call.get("fn").and_then(Value::as_str)?;
    match function {
        "ip" => {
            let text = argument(call)?;
            Some(address(&address_of(text)?))
        }
        "datetime" | "offset" => Some(time(timestamp_of(value)?)),
        _ => None,
    }
}

/// `ip("…")`.
pub(super) fn address(text: &str) -> Value {
    json!({"__extn": {"fn": "ip", "arg": text}})
}

/// `datetime("…")`, without the time of day at midnight and without zero milliseconds.
pub(super) fn time(at: Timestamp) -> Value {
    let mut text = if at.timestamp_subsec_millis() == 0 {
        timestamp::format(at)
    } else {
        timestamp::format_millis(at)
    };
    if text.ends_with("T00:00:00Z") {
        text.truncate("2026-01-01".len());
    }
    json!({"__extn": {"fn": "datetime", "arg": text}})
}

/// The time that a value denotes; `None` if it has no literal form.
pub(super) fn timestamp_of(value: &Value) -> Option<Timestamp> {
    let millis = millis_of(value)?;
    let at = Timestamp::from_timestamp_millis(millis)?;
    (millis >= 0 && at <= timestamp::latest()).then_some(at)
}

fn argument(call: &Value) -> Option<&str> {
    let several = call.get("args").and_then(Value::as_array);
    call.get("arg")
        .or_else(|| several.filter(|args| args.len() == 1)?.first())
        .and_then(Value::as_str)
}

fn millis_of(value: &Value) -> Option<i64> {
    let call = value.get("__extn")?;
    if call.get("fn").and_then(Value::as_str) == Some("datetime") {
        let text = argument(call)?;
        let text = if text.len() == "2026-01-01".len() {
            format!("{text}T00:00:00Z")
        } else {
            text.to_owned()
        };
        return timestamp::parse(&text).ok().map(|at| at.timestamp_millis());
    }
    // For example datetime("1970-01-01").offset(duration("1ms")).
    let [on, by] = call.get("args")?.as_array()?.as_slice() else {
        return None;
    };
    let by = argument(by.get("__extn")?)?.strip_suffix("ms")?;
    millis_of(on)?.checked_add(by.parse().ok()?)
}

/// `None` for a range.
fn address_of(text: &str) -> Option<String> {
    let (address, prefix) = text
        .split_once('/')
        .map_or((text, None), |(a, p)| (a, Some(p)));
    let address: IpAddr = address.parse().ok()?;
    let is_single = matches!(
        (address, prefix),
        (_, None) | (IpAddr::V4(_), Some("32")) | (IpAddr::V6(_), Some("128"))
    );
    let literals = address.to_string();
    // Cedar does not parse IPv4-mapped addresses.
    let is_read = !(address.is_ipv6() && literals.contains('.'));
    (is_single && is_read).then_some(literals)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn literals(mut value: Value) -> Value {
        simplify_literals(&mut value);
        value
    }

    #[test]
    fn addresses_have_no_full_prefix_and_no_leading_zeros() {
        for (from, to) in [
            ("0.0.0.0/32", "0.0.0.0"),
            ("0000:0000:0000:0000:0000:0000:0000:0001/128", "::1"),
            ("2001:0db8:0000:0000:0000:0000:0000:0000", "2001:db8::"),
            ("10.0.0.0/8", "10.0.0.0/8"),
        ] {
            assert_eq!(literals(address(from)), address(to), "{from}");
        }
    }

    #[test]
    fn times_are_dates() {
        let moved = |millis: &str| {
            json!({"a": [{"__extn": {"fn": "offset", "args": [
                {"__extn": {"fn": "datetime", "arg": "1970-01-01"}},
                {"__extn": {"fn": "duration", "arg": millis}},
            ]}}]})
        };
        let date = |text: &str| json!({"a": [{"__extn": {"fn": "datetime", "arg": text}}]});
        assert_eq!(literals(moved("86400000ms")), date("1970-01-02"));
        assert_eq!(literals(moved("1ms")), date("1970-01-01T00:00:00.001Z"));
        let unwritten = moved("9223372036854775807ms");
        assert_eq!(literals(unwritten.clone()), unwritten);
    }
}
