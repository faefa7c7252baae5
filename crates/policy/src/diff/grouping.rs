//! Which policies say something else because actions are grouped otherwise, though no word of
//! theirs changed and the action that is asked for did not move.

use std::collections::BTreeSet;

use cedar_policy::{EntityUid, Policy, PolicyId, PolicySet, Schema};
use serde_json::Value;

use crate::analysis::group_changes::{any_field, groups};

/// The policies of the old set with a condition that looks for a moved action in groups. What
/// they look for the request's own action in is not counted: it is the same if that did not move.
pub(super) fn noticing(
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
        names_one && looks_for(policy, &moved)
    });
    Ok(noticing.map(|policy| policy.id().clone()).collect())
}

/// Whether one of them is on the left of some `in`. There it has to be named: the service puts no
/// action into anything that a policy reads.
fn looks_for(policy: &Policy, moved: &BTreeSet<&EntityUid>) -> bool {
    let Ok(json) = policy.to_json() else {
        return true;
    };
    let names_one = |left: &Value| {
        any_field(left, &|name, value| {
            let id = value.get("id").and_then(Value::as_str);
            name == "__entity" && moved.iter().any(|it| Some(it.id().unescaped()) == id)
        })
    };
    // As in `a in b`, and as in `a is T in b`.
    any_field(&json, &|name, value| {
        (name == "in" || name == "is") && value.get("left").is_some_and(names_one)
    })
}
