//! A comparison as text.

use std::fmt::Write;

use super::{Diff, DiffDirection, DiffExample, RequestChange};
use crate::counterexample::LocatedPolicy;

/// Writing to a string cannot fail.
macro_rules! put {
    ($out:expr, $($argument:tt)*) => {{ let _ = writeln!($out, $($argument)*); }};
}

impl Diff {
    /// The changes, permission by permission, each with an example, and a summary line.
    #[must_use]
    pub fn report(&self) -> String {
        let mut out = String::new();
        for (title, names) in [
            ("only the new schema has", &self.schema.added),
            ("only the old schema has", &self.schema.removed),
        ] {
            for name in names {
                put!(out, "{title} {name}");
            }
        }
        for (name, permission) in &self.permissions {
            let direction = permission.direction();
            if direction == DiffDirection::Equal {
                continue;
            }
            put!(out, "{} {name}", direction.word());
            for (is, changes) in [
                ("now", &permission.wider),
                ("no longer", &permission.narrower),
            ] {
                write_changes(&mut out, is, changes);
            }
        }
        for line in &self.facts {
            put!(out, "{line}");
        }
        out.push_str(&self.summary());
        out
    }

    /// One line.
    #[must_use]
    pub fn summary(&self) -> String {
        let of = |direction| {
            let all = self.permissions.values();
            all.filter(|permission| permission.direction() == direction)
                .count()
        };
        let counts: Vec<String> = [
            DiffDirection::Wider,
            DiffDirection::Both,
            DiffDirection::Narrower,
            DiffDirection::Equal,
        ]
        .into_iter()
        .filter_map(|direction| {
            let count = of(direction);
            (count > 0).then(|| format!("{count} {}", direction.word()))
        })
        .collect();
        format!("permissions: {}\n", counts.join(", "))
    }
}

impl DiffDirection {
    /// The word in reports.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Equal => "equal",
            Self::Narrower => "narrower",
            Self::Wider => "wider",
            Self::Both => "wider and narrower",
        }
    }
}

/// The first example, and for how many further request types there is a change.
fn write_changes(out: &mut String, is: &str, changes: &[RequestChange]) {
    let Some(shown) = changes
        .iter()
        .find(|change| change.example.is_some())
        .or_else(|| changes.first())
    else {
        return;
    };
    let more = match changes.len() - 1 {
        0 => String::new(),
        more => format!(", and {more} more kinds of request"),
    };
    match (&shown.example, &shown.reason) {
        (Some(example), _) => {
            put!(out, "  {is} allowed when a {}{more}", shown.request_type);
            write_example(out, example);
        }
        (None, reason) => {
            let reason = reason.as_ref().map(ToString::to_string);
            let reason = reason.unwrap_or_default();
            put!(
                out,
                "  perhaps {is} allowed when a {}{more}",
                shown.request_type
            );
            put!(out, "    {reason}");
        }
    }
}

fn write_example(out: &mut String, example: &DiffExample) {
    for line in example.request.text().lines() {
        put!(out, "  {line}");
    }
    let (before, after) = if example.is_allowed {
        ("denied", "allowed")
    } else {
        ("allowed", "denied")
    };
    put!(out, "    was {before} by {}", deciding(&example.old));
    put!(out, "    is {after} by {}", deciding(&example.new));
}

fn deciding(policies: &[LocatedPolicy]) -> String {
    if policies.is_empty() {
        return "default, no policy permits it".to_owned();
    }
    let names: Vec<String> = policies.iter().map(ToString::to_string).collect();
    names.join(", ")
}
