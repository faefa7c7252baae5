//! Narrows a permit to the request types that it allowed.

use std::collections::{BTreeMap, BTreeSet};

use cedar_policy::{Authorizer, Context, Decision, EntityUid, Policy, PolicySet, Request};
use serde_json::{Value, json};

use super::policy_json::{is_principal_in, is_variable, part, set, set_members, simplify};
use super::subject::{children, mentions};
use crate::request_type::RequestType;
use charter_authz::snapshot::Snapshot;

/// Permission, principal type and resource type.
pub(super) type RequestKind = (String, String, String);

/// The request types that the schema allows, each with its action.
pub(super) struct RequestKinds<'s> {
    types: Vec<RequestType<'s>>,
    actions: BTreeMap<String, EntityUid>,
    snapshot: &'s Snapshot,
}

impl<'s> RequestKinds<'s> {
    pub(super) fn of(snapshot: &'s Snapshot) -> Result<Self, String> {
        let schema = snapshot.schema();
        let actions = schema.actions();
        Ok(Self {
            types: RequestType::all(schema)?,
            actions: actions
                .map(|action| (action.id().unescaped().to_owned(), action.clone()))
                .collect(),
            snapshot,
        })
    }

    /// What a permit may allow, by its scope and by those of its conditions that depend on the action only.
    pub(super) fn granted(&self, policy: &Policy) -> Result<BTreeSet<RequestKind>, String> {
        let json = policy.to_json().map_err(|error| error.to_string())?;
        let clauses = part(&json, "conditions").as_array().into_iter().flatten();
        let of_action: Vec<Value> = clauses.filter(|it| asks_action_only(it)).cloned().collect();
        let types = self.types.iter().filter(|kind| kind.may_match(policy));
        let mut granted = BTreeSet::new();
        for kind in types.map(RequestType::key) {
            if self.holds(&of_action, &kind.0)? {
                granted.insert(kind);
            }
        }
        Ok(granted)
    }

    /// Whether the clauses that depend on the action only hold.
    fn holds(&self, clauses: &[Value], permission: &str) -> Result<bool, String> {
        let Some(action) = self.actions.get(permission).filter(|_| !clauses.is_empty()) else {
            return Ok(true);
        };
        let all = json!({"op": "All"});
        let asked = json!({
            "effect": "permit", "principal": all, "action": all, "resource": all, "conditions": clauses,
        });
        let set = parsed(asked).and_then(|policy| {
            PolicySet::from_policies([policy]).map_err(|error| error.to_string())
        })?;
        let any = action.clone();
        let request = Request::new(any.clone(), action.clone(), any, Context::empty(), None)
            .map_err(|error| error.to_string())?;
        let answer = Authorizer::new().is_authorized(&request, &set, self.snapshot.actions());
        Ok(answer.decision() == Decision::Allow)
    }

    /// The permit in Cedar's JSON form, for the used request types only; `None` if it is as narrow already. At least
    /// one must have been used.
    pub(super) fn narrowed(
        &self,
        policy: &Policy,
        granted: &BTreeSet<RequestKind>,
        used: &BTreeSet<RequestKind>,
    ) -> Result<Option<Value>, String> {
        let before = policy.to_json().map_err(|error| error.to_string())?;
        let mut after = before.clone();
        let actions: BTreeSet<&str> = used.iter().map(|kind| kind.0.as_str()).collect();
        if granted
            .iter()
            .any(|kind| !actions.contains(kind.0.as_str()))
        {
            let known = actions.iter().filter_map(|name| self.actions.get(*name));
            let named: Vec<Value> = known.map(entity).collect();
            let action = match named.as_slice() {
                [one] => json!({"op": "==", "entity": one}),
                several => json!({"op": "in", "entities": several}),
            };
            set(&mut after, "action", action);
            // They hold for every remaining action.
            if let Some(Value::Array(clauses)) = after.get_mut("conditions") {
                clauses.retain(|clause| !asks_action_only(clause));
            }
        }
        let left = || {
            granted
                .iter()
                .filter(|kind| actions.contains(kind.0.as_str()))
        };
        let principals: BTreeSet<&str> = left().map(|kind| kind.1.as_str()).collect();
        let resources: BTreeSet<&str> = left().map(|kind| kind.2.as_str()).collect();
        restrict(
            after.get_mut("principal"),
            &principals,
            used.iter().map(|kind| kind.1.as_str()),
        );
        restrict(
            after.get_mut("resource"),
            &resources,
            used.iter().map(|kind| kind.2.as_str()),
        );
        Ok((after != before).then_some(after))
    }
}

/// Restricts a part of the scope to the one type that was used.
fn restrict<'k>(
    scope: Option<&mut Value>,
    granted: &BTreeSet<&str>,
    used: impl Iterator<Item = &'k str>,
) {
    let used: BTreeSet<&str> = used.collect();
    let (Some(scope), Some(one), 1, true) = (scope, used.first(), used.len(), granted.len() > 1)
    else {
        return;
    };
    match part(scope, "op").as_str() {
        Some("All") => *scope = json!({"op": "is", "entity_type": one}),
        Some("in") => {
            let within = json!({"entity": part(scope, "entity")});
            *scope = json!({"op": "is", "entity_type": one, "in": within});
        }
        _ => {}
    }
}

/// The permit without a role in its lists `principal in […]`; `None` if it then matches no principal.
pub(super) fn without_role(policy: &Policy, role: &EntityUid) -> Result<Option<Value>, String> {
    let json = policy.to_json().map_err(|error| error.to_string())?;
    Ok(simplify(without(json, role)))
}

fn without(json: Value, role: &EntityUid) -> Value {
    let mut json = match json {
        Value::Array(items) => items.into_iter().map(|item| without(item, role)).collect(),
        Value::Object(members) => {
            let members = members.into_iter();
            Value::Object(
                members
                    .map(|(name, it)| (name, without(it, role)))
                    .collect(),
            )
        }
        other => return other,
    };
    if let Some(members) = is_principal_in(&json).and_then(set_members) {
        let kept = members.iter().filter(|member| mentions(member, role) == 0);
        let kept: Vec<Value> = kept.cloned().collect();
        if kept.is_empty() {
            return super::policy_json::constant(false);
        }
        if let Some(within) = json.get_mut("in").and_then(|it| it.get_mut("right")) {
            set(within, "Set", kept);
        }
    }
    super::policy_json::fold(json)
}

fn asks_action_only(clause: &Value) -> bool {
    let others = ["principal", "resource", "context"];
    !reads_any(part(clause, "body"), &others)
}

fn reads_any(json: &Value, variables: &[&str]) -> bool {
    variables.iter().any(|name| is_variable(json, name))
        || children(json).any(|child| reads_any(child, variables))
}

/// Whether a policy has conditions beyond its scope.
pub(super) fn reads_context(snapshot: &Snapshot) -> Result<bool, String> {
    for policy in snapshot.policies().policies() {
        let json = policy.to_json().map_err(|error| error.to_string())?;
        if reads_any(&json, &["context"]) {
            return Ok(true);
        }
    }
    Ok(false)
}

fn entity(uid: &EntityUid) -> Value {
    json!({"type": uid.type_name().to_string(), "id": uid.id().unescaped()})
}

/// A policy from Cedar's JSON form.
pub(super) fn parsed(json: Value) -> Result<Policy, String> {
    Policy::from_json(None, json).map_err(|error| error.to_string())
}
