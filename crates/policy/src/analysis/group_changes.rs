//! Whether the invariants that were in force at start still mean what they meant.
//!
//! They are read under the candidate's schema. What one says of a request and its entities depends
//! on a schema only by the groups of the actions: a read that was a write is promised less. All
//! other entities are as the service builds them, which loading holds against each schema.

use std::collections::{BTreeMap, BTreeSet};

use cedar_policy::{EntityUid, Policy, Schema};
use serde_json::Value;

use super::findings::{Claim, Finding, Verdict};
use crate::solver::Reason;
use charter_authz::snapshot::{Invariant, Snapshot};

/// Each action and the groups that it is in, at whatever distance.
pub(crate) type Groups = BTreeMap<EntityUid, BTreeSet<EntityUid>>;

/// Each action of a schema with its groups.
pub(crate) fn groups(schema: &Schema) -> Result<Groups, String> {
    let actions = schema
        .action_entities()
        .map_err(|error| error.to_string())?;
    let groups = |action: &EntityUid| actions.ancestors(action).into_iter().flatten().cloned();
    Ok(actions
        .iter()
        .map(|action| (action.uid(), groups(&action.uid()).collect()))
        .collect())
}

/// A finding for each invariant of `at_start` that speaks of a group which an action left or joined.
pub(super) fn find(at_start: &Snapshot, now: &Snapshot) -> Result<Vec<Finding>, Reason> {
    let (before, after) = (groups(at_start.schema())?, groups(now.schema())?);
    let moves: Vec<Move<'_>> = before
        .iter()
        .filter_map(|(action, before)| {
            let now = after.get(action)?;
            (before != now).then_some(Move {
                action,
                before,
                now,
            })
        })
        .collect();
    let finding = |invariant: &Invariant| {
        let named = Named::of(invariant);
        let moves = moves.iter().filter(|moved| named.may_notice(moved));
        let told: Vec<String> = moves.map(Move::text).collect();
        (!told.is_empty()).then(|| Finding {
            claim: Claim::Invariant {
                name: invariant.name.clone(),
                at_start: true,
            },
            request_type: None,
            and_more: 0,
            verdict: Verdict::NotProved {
                reason: format!(
                    "{}; it no longer says what it said, which takes an approval \
                     (`charter policy approve`)",
                    told.join("; ")
                )
                .into(),
            },
        })
    };
    Ok(at_start.invariants().iter().filter_map(finding).collect())
}

/// An action that is in other groups now.
struct Move<'a> {
    action: &'a EntityUid,
    before: &'a BTreeSet<EntityUid>,
    now: &'a BTreeSet<EntityUid>,
}

impl Move<'_> {
    fn text(&self) -> String {
        format!(
            "`{}` was {}, is {} now",
            self.action.id().unescaped(),
            listed(self.before),
            listed(self.now)
        )
    }
}

fn listed(groups: &BTreeSet<EntityUid>) -> String {
    if groups.is_empty() {
        return "in no group".to_owned();
    }
    let names = groups.iter().map(|group| group.id().unescaped());
    let names: Vec<String> = names.map(|name| format!("`{name}`")).collect();
    format!("in {}", names.join(", "))
}

/// What an invariant can look for actions in.
struct Named {
    literals: BTreeSet<EntityUid>,
    /// Also in the request's own action, whichever that is.
    in_action: bool,
}

impl Named {
    fn of(invariant: &Invariant) -> Self {
        let policies = || invariant.policies.policies();
        Self {
            literals: policies().flat_map(Policy::entity_literals).collect(),
            in_action: policies().any(|policy| {
                let json = policy.to_json();
                json.map_or(true, |json| asks_for_members_of_the_action(&json))
            }),
        }
    }

    fn may_notice(&self, moved: &Move<'_>) -> bool {
        let mut changed = moved.before.symmetric_difference(moved.now);
        self.in_action || changed.any(|group| self.literals.contains(group))
    }
}

/// Whether `action` is on the right of some `in`.
fn asks_for_members_of_the_action(json: &Value) -> bool {
    any_field(json, &|name, value| {
        name == "in"
            && any_field(value.get("right").unwrap_or(value), &|name, value| {
                name == "Var" && value == "action"
            })
    })
}

/// Whether a field like this is anywhere in it.
pub(crate) fn any_field(json: &Value, wanted: &dyn Fn(&str, &Value) -> bool) -> bool {
    match json {
        Value::Object(fields) => fields
            .iter()
            .any(|(name, value)| wanted(name, value) || any_field(value, wanted)),
        Value::Array(items) => items.iter().any(|item| any_field(item, wanted)),
        _ => false,
    }
}
