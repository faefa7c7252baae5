//! Policies and conditions in Cedar's JSON form.

use serde_json::{Value, json};

/// The member of an object; null if there is none.
pub(super) fn part<'v>(json: &'v Value, name: &str) -> &'v Value {
    json.get(name).unwrap_or(&Value::Null)
}

pub(super) fn set(json: &mut Value, name: &str, value: impl Into<Value>) {
    if let Some(members) = json.as_object_mut() {
        members.insert(name.to_owned(), value.into());
    }
}

/// The operand of `principal in`, if it is that.
pub(super) fn is_principal_in(expression: &Value) -> Option<&Value> {
    let inside = expression.get("in")?;
    is_variable(inside.get("left")?, "principal").then(|| inside.get("right"))?
}

pub(super) fn is_variable(expression: &Value, name: &str) -> bool {
    expression.get("Var").and_then(Value::as_str) == Some(name)
}

/// The members of a list of expressions.
pub(super) fn set_members(expression: &Value) -> Option<&Vec<Value>> {
    expression.get("Set")?.as_array()
}

pub(super) fn constant(value: bool) -> Value {
    json!({"Value": value})
}

pub(super) fn as_constant(expression: &Value) -> Option<bool> {
    expression.get("Value")?.as_bool()
}

/// Simplifies `&&`, `||` and `!` of constants, innermost first.
pub(super) fn fold(expression: Value) -> Value {
    for (operator, absorbing) in [("&&", false), ("||", true)] {
        let Some(operands) = expression.get(operator) else {
            continue;
        };
        let (left, right) = (
            part(operands, "left").clone(),
            part(operands, "right").clone(),
        );
        return match (as_constant(&left), as_constant(&right)) {
            (Some(value), _) if value == absorbing => left,
            (Some(_), _) => right,
            (_, Some(value)) if value != absorbing => left,
            // An error of the left side would be hidden.
            _ => expression,
        };
    }
    if let Some(value) = expression
        .get("!")
        .and_then(|it| as_constant(part(it, "arg")))
    {
        return constant(!value);
    }
    expression
}

/// Removes clauses that always hold; `None` if one never holds, so that the policy never applies.
pub(super) fn simplify(mut policy: Value) -> Option<Value> {
    let conditions = part(&policy, "conditions").as_array().cloned();
    let mut kept = Vec::new();
    for clause in conditions.unwrap_or_default() {
        let holds = as_constant(part(&clause, "body"))
            .map(|value| value == (part(&clause, "kind") == "when"));
        match holds {
            Some(true) => {}
            Some(false) => return None,
            None => kept.push(clause),
        }
    }
    set(&mut policy, "conditions", kept);
    Some(policy)
}
