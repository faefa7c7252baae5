//! Whether the invariants that were in force at start still mean the same.
//!
//! They are evaluated under the candidate's schema. Their meaning depends on a schema only through
//! the action groups: if a write becomes a read, an invariant about writes promises less. The
//! shapes of all other entities are fixed by the service, which loading checks against each schema.

use std::collections::{BTreeMap, BTreeSet};

use cedar_policy::{EntityUid, Policy, Schema};
use serde_json::Value;

use super::findings::{Claim, ProofFinding, ProofVerdict};
use crate::solver::OpenReason;
use charter_authz::snapshot::{Invariant, Snapshot};

/// Each action with all the groups it belongs to, directly or not.
pub(crate) type Groups = BTreeMap<EntityUid, BTreeSet<EntityUid>>;

/// The actions of a schema with their groups.
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

/// A finding for each invariant of `at_start` that refers to a group which an action left or
/// joined.
pub(super) fn check(at_start: &Snapshot, now: &Snapshot) -> Result<Vec<ProofFinding>, OpenReason> {
    let (before, after) = (groups(at_start.schema())?, groups(now.schema())?);
    let moves: Vec<GroupChange<'_>> = before
        .iter()
        .filter_map(|(action, before)| {
            let now = after.get(action)?;
            (before != now).then_some(GroupChange {
                action,
                before,
                now,
            })
        })
        .collect();
    let finding = |invariant: &Invariant| {
        let named = GroupReferences::of(invariant);
        let moves = moves.iter().filter(|moved| named.may_be_affected_by(moved));
        let changes: Vec<String> = moves.map(GroupChange::text).collect();
        (!changes.is_empty()).then(|| ProofFinding {
            claim: Claim::Invariant {
                name: invariant.name.clone(),
                at_start: true,
            },
            request_type: None,
            and_more: 0,
            verdict: ProofVerdict::NotProved {
                reason: format!(
                    "{}; it no longer says what it said, which takes an approval \
                     (`charter policy approve`)",
                    changes.join("; ")
                )
                .into(),
            },
        })
    };
    Ok(at_start.invariants().iter().filter_map(finding).collect())
}

/// An action whose groups changed.
struct GroupChange<'a> {
    action: &'a EntityUid,
    before: &'a BTreeSet<EntityUid>,
    now: &'a BTreeSet<EntityUid>,
}

impl GroupChange<'_> {
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

/// The groups that an invariant refers to.
struct GroupReferences {
    literals: BTreeSet<EntityUid>,
    /// Whether it also tests membership in the request's own action.
    in_action: bool,
}

impl GroupReferences {
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

    fn may_be_affected_by(&self, moved: &GroupChange<'_>) -> bool {
        let mut changed = moved.before.symmetric_difference(moved.now);
        self.in_action || changed.any(|group| self.literals.contains(group))
    }
}

/// Whether `action` occurs on the right-hand side of an `in`.
fn asks_for_members_of_the_action(json: &Value) -> bool {
    any_field(json, &|name, value| {
        name == "in"
            && any_field(value.get("right").unwrap_or(value), &|name, value| {
                name == "Var" && value == "action"
            })
    })
}

/// Whether any field anywhere in the value satisfies the predicate.
pub(crate) fn any_field(json: &Value, wanted: &dyn Fn(&str, &Value) -> bool) -> bool {
    match json {
        Value::Object(fields) => fields
            .iter()
            .any(|(name, value)| wanted(name, value) || any_field(value, wanted)),
        Value::Array(items) => items.iter().any(|item| any_field(item, wanted)),
        _ => false,
    }
}
