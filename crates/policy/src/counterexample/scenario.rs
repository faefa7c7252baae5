//! A request with its entities in Cedar's JSON form, where it is easy to modify and to evaluate
//! again.

use cedar_policy::{Context, Entities, EntityUid, EvaluationError, Request, Response, Schema};
use cedar_policy_symcc::Env;
use serde_json::{Map, Value, json};

use super::literals::simplify_literals;

#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Scenario {
    pub(crate) principal: EntityUid,
    pub(crate) action: EntityUid,
    pub(crate) resource: EntityUid,
    pub(crate) context: Value,
    pub(crate) entities: Vec<Value>,
}

impl Scenario {
    /// Without the actions, which come from the schema.
    pub(crate) fn of(env: &Env) -> Option<Self> {
        let action = env.request.action()?.clone();
        let Value::Array(mut entities) = env.entities.to_json_value().ok()? else {
            return None;
        };
        let actions = action.type_name().to_string();
        entities.retain(|entity| {
            entity.pointer("/uid/type").and_then(Value::as_str) != Some(actions.as_str())
        });
        entities.iter_mut().for_each(simplify_literals);
        let mut context = env.request.context()?.to_json_value().ok()?;
        simplify_literals(&mut context);
        Some(Self {
            principal: env.request.principal()?.clone(),
            resource: env.request.resource()?.clone(),
            context,
            action,
            entities,
        })
    }

    /// Validated against the schema; `None` if the schema does not allow the request or the
    /// entities.
    pub(crate) fn checked(&self, schema: &Schema) -> Option<(Request, Entities)> {
        let entities = Value::Array(self.entities.clone());
        let entities = Entities::from_json_value(entities, Some(schema)).ok()?;
        let context =
            Context::from_json_value(self.context.clone(), Some((schema, &self.action))).ok()?;
        let request = Request::new(
            self.principal.clone(),
            self.action.clone(),
            self.resource.clone(),
            context,
            Some(schema),
        )
        .ok()?;
        Some((request, entities))
    }

    /// Without validation, which is faster; `actions` are the schema's.
    pub(crate) fn unchecked(&self, actions: &Entities) -> Option<(Request, Entities)> {
        let entities = actions
            .clone()
            .add_entities_from_json_value(Value::Array(self.entities.clone()), None)
            .ok()?;
        let context = Context::from_json_value(self.context.clone(), None).ok()?;
        let request = Request::new(
            self.principal.clone(),
            self.action.clone(),
            self.resource.clone(),
            context,
            None,
        )
        .ok()?;
        Some((request, entities))
    }

    /// Renames an entity wherever it is named.
    pub(crate) fn rename(&mut self, from: &EntityUid, to: &EntityUid) {
        for uid in [&mut self.principal, &mut self.resource] {
            if uid == from {
                uid.clone_from(to);
            }
        }
        let (from, to) = (uid_json(from), uid_json(to));
        rename(&mut self.context, &from, &to);
        for entity in &mut self.entities {
            rename(entity, &from, &to);
        }
    }

    /// Makes `child` a member of `parent`, and adds `parent` if it is missing.
    pub(crate) fn add_parent(&mut self, child: &EntityUid, parent: &EntityUid) {
        let (child, parent) = (uid_json(child), uid_json(parent));
        if !self.entities.iter().any(|entity| entity["uid"] == parent) {
            self.entities
                .push(json!({"uid": parent.clone(), "attrs": {}, "parents": []}));
        }
        for entity in &mut self.entities {
            if entity["uid"] == child
                && let Some(parents) = entity.get_mut("parents").and_then(Value::as_array_mut)
                && !parents.contains(&parent)
            {
                parents.push(parent.clone());
            }
        }
    }

    /// Replaces each call of this function in the context.
    pub(crate) fn set_calls_of(&mut self, function: &str, argument: &str) {
        set_calls(&mut self.context, function, argument);
    }

    /// Sets each boolean attribute of each entity.
    pub(crate) fn set_every_boolean(&mut self, to: bool) {
        let attributes = self
            .entities
            .iter_mut()
            .filter_map(|entity| entity.get_mut("attrs").and_then(Value::as_object_mut));
        for value in attributes.flat_map(Map::values_mut) {
            if value.is_boolean() {
                *value = Value::Bool(to);
            }
        }
    }
}

/// Sets the argument of each call of a function.
fn set_calls(value: &mut Value, function: &str, argument: &str) {
    let called = value.pointer("/__extn/fn").and_then(Value::as_str);
    // The solver may express a time as an offset from another.
    let makes_it = called == Some(function) || (called == Some("offset") && function == "datetime");
    if makes_it {
        *value = json!({"__extn": {"fn": function, "arg": argument}});
        return;
    }
    match value {
        Value::Array(items) => items
            .iter_mut()
            .for_each(|item| set_calls(item, function, argument)),
        Value::Object(fields) => fields
            .values_mut()
            .for_each(|field| set_calls(field, function, argument)),
        _ => {}
    }
}

/// `{"type": …, "id": …}`.
pub(crate) fn uid_json(uid: &EntityUid) -> Value {
    json!({"type": uid.type_name().to_string(), "id": uid.id().unescaped()})
}

fn rename(value: &mut Value, from: &Value, to: &Value) {
    if value == from {
        value.clone_from(to);
        return;
    }
    match value {
        Value::Array(items) => items.iter_mut().for_each(|item| rename(item, from, to)),
        Value::Object(fields) => fields
            .values_mut()
            .for_each(|field| rename(field, from, to)),
        _ => {}
    }
}

/// Whether a policy failed only because the scenario lacks entities or attributes, which says
/// nothing about the policy.
pub(crate) fn has_missing_data(response: &Response) -> bool {
    response.diagnostics().errors().any(|error| {
        let cedar_policy::AuthorizationError::PolicyEvaluationError(error) = error;
        matches!(
            error.inner(),
            EvaluationError::EntityDoesNotExist(_)
                | EvaluationError::EntityAttrDoesNotExist(_)
                | EvaluationError::RecordAttrDoesNotExist(_)
        )
    })
}
