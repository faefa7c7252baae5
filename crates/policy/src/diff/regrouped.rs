//! Policies that change their meaning because actions are grouped differently, although their text
//! and the groups of the requested action stay the same.

use std::collections::BTreeSet;

use cedar_policy::{EntityUid, Policy, PolicyId, PolicySet, Schema};
use serde_json::Value;

use crate::analysis::group_changes::{any_field, groups};

/// Policies of the old set with a condition that tests whether a moved action is in some group.
/// Tests of the request's own action are not counted: its groups are the same.
pub(super) fn affected_policies(
    policies: &PolicySet,
    old: &Schema,
    new: &Schema,
) -> Result<BTreeSet<PolicyId>, String> {
    let (before, after) = (groups(old)?, groups(new)?);
    let moved: BTreeSet<&EntityUid> = before
        .iter()
        .filter(|(action, before)| after.get(action) != Some(before))
        .map(|(action, _)| action)
        .collect();
    if moved.is_empty() {
        return Ok(BTreeSet::new());
    }
    let noticing = policies.policies().filter(|policy| {
        let names_one = policy.entity_literals().iter().any(|it| moved.contains(it));
        names_one && tests_membership_of(policy, &moved)
    });
    Ok(noticing.map(|policy| policy.id().clone()).collect())
}

/// Whether a moved action occurs on the left-hand side of an `in`. It must be written out there: no
/// attribute that policies can read holds an action.
fn tests_membership_of(policy: &Policy, moved: &BTreeSet<&EntityUid>) -> bool {
    let Ok(json) = policy.to_json() else {
        return true;
    };
    let names_one = |left: &Value| {
        any_field(left, &|name, value| {
            let id = value.get("id").and_then(Value::as_str);
            name == "__entity" && moved.iter().any(|it| Some(it.id().unescaped()) == id)
        })
    };
    // As in `a in b` and `a is T in b`.
    any_field(&json, &|name, value| {
        (name == "in" || name == "is") && value.get("left").is_some_and(names_one)
    })
}
