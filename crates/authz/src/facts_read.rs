//! Finds which request facts a policy reads. If it reads none, its outcome depends on stored records only.

use std::iter::Sum;
use std::ops::BitOr;

use cedar_policy::Policy;
use serde_json::Value;

/// Context attributes that differ between requests of one caller.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct FactsRead {
    pub(super) now: bool,
    pub(super) source_ip: bool,
}

impl FactsRead {
    const ALL: Self = Self {
        now: true,
        source_ip: true,
    };

    /// The facts that a policy reads; all if its JSON form does not tell.
    pub(super) fn of(policy: &Policy) -> Self {
        let conditions = policy.to_json().ok();
        let conditions = conditions
            .as_ref()
            .and_then(|policy| policy.get("conditions"));
        conditions.map_or(Self::ALL, Self::of_expression)
    }

    fn of_expression(expression: &Value) -> Self {
        match expression {
            Value::Array(items) => items.iter().map(Self::of_expression).sum(),
            Value::Object(members) => members
                .iter()
                .map(|(operator, operand)| match operator.as_str() {
                    "Var" if operand == "context" => Self::ALL,
                    "." | "has" => Self::of_attribute(operand),
                    _ => Self::of_expression(operand),
                })
                .sum(),
            _ => Self::default(),
        }
    }

    /// `left.attr`, `left has attr`, or `left has attr.more`, which has a list of attributes.
    fn of_attribute(access: &Value) -> Self {
        let is_context = access
            .pointer("/left/Var")
            .is_some_and(|variable| variable == "context");
        let attribute = access.get("attr").or_else(|| access.get("attrs"));
        let attribute = attribute.and_then(|path| path.get(0).unwrap_or(path).as_str());
        match attribute {
            Some(attribute) if is_context => Self {
                now: attribute == "now",
                source_ip: attribute == "source_ip",
            },
            _ => Self::of_expression(access),
        }
    }
}

impl BitOr for FactsRead {
    type Output = Self;

    fn bitor(self, other: Self) -> Self {
        Self {
            now: self.now | other.now,
            source_ip: self.source_ip | other.source_ip,
        }
    }
}

impl Sum for FactsRead {
    fn sum<I: Iterator<Item = Self>>(all: I) -> Self {
        all.fold(Self::default(), Self::bitor)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(condition: &str) -> (bool, bool) {
        let text = format!("permit (principal, action, resource) when {{ {condition} }};");
        let policy = Policy::parse(None, &text).expect("a policy");
        let read = FactsRead::of(&policy);
        (read.now, read.source_ip)
    }

    #[test]
    fn a_policy_reads_what_its_conditions_name_and_everything_where_they_take_the_whole() {
        let cases = [
            ("true", (false, false)),
            ("principal.context == \"context\"", (false, false)),
            (
                "context.authentication == AuthenticationMethod::\"x\"",
                (false, false),
            ),
            ("context.now > datetime(\"2026-01-01\")", (true, false)),
            ("context[\"now\"] > datetime(\"2026-01-01\")", (true, false)),
            ("context has now", (true, false)),
            ("context has now.year", (true, false)),
            ("context.source_ip.isLoopback()", (false, true)),
            (
                "resource.is_active && (if context.source_ip.isIpv4() then true else \
                 context.now.toTime() < duration(\"1h\"))",
                (true, true),
            ),
            ("[principal, {a: context.now}.a].isEmpty()", (true, false)),
            ("context == {}", (true, true)),
            (
                "{a: context}.a.now > datetime(\"2026-01-01\")",
                (true, true),
            ),
            (
                "(if principal.a then context else context).authentication.b",
                (true, true),
            ),
        ];
        for (condition, expected) in cases {
            assert_eq!(read(condition), expected, "`{condition}`");
        }
    }

    #[test]
    fn an_unless_is_read_as_a_when() {
        let text =
            "forbid (principal, action, resource) unless { context.source_ip.isLoopback() };";
        let policy = Policy::parse(None, text).expect("a policy");
        assert!(FactsRead::of(&policy).source_ip);
    }
}
