//! The values that a condition read, to explain its own value.

use cedar_policy::{Entities, EvalResult, Expression, Request, eval_expression};
use cedar_policy_core::ast::{BinaryOp, Expr, ExprKind};
use serde::Serialize;

use super::{ConditionPart, text};

/// Longer values are truncated.
const MAX_VALUE: usize = 160;
/// Further parents are only counted.
const MAX_PARENTS: usize = 12;

/// A value that a condition read.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct InspectedValue {
    /// The expression in the policy.
    pub expression: String,
    /// The value in Cedar's syntax, or why there is none.
    pub value: String,
    /// The ancestors of the value, if the condition tests for them.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub is_in: Option<Vec<String>>,
}

impl ConditionPart {
    /// The attributes and entities that the part reads, with their values.
    #[must_use]
    pub fn inspect(&self, request: &Request, entities: &Entities) -> Vec<InspectedValue> {
        let mut found = Vec::new();
        collect(self.expr(), false, &mut found);
        let mut seen: Vec<InspectedValue> = Vec::new();
        for (expr, asks_parents) in found {
            let expression = path_text(expr);
            if let Some(known) = seen.iter_mut().find(|known| known.expression == expression) {
                if asks_parents && known.is_in.is_none() {
                    known.is_in = parents(expr, request, entities);
                }
                continue;
            }
            seen.push(InspectedValue {
                expression,
                value: value(expr, request, entities),
                is_in: asks_parents
                    .then(|| parents(expr, request, entities))
                    .flatten(),
            });
        }
        seen
    }
}

/// The longest paths from a variable, such as `principal.organization.is_active` or `principal.getTag("team").lead`.
fn collect<'a>(expr: &'a Expr, asks_parents: bool, found: &mut Vec<(&'a Expr, bool)>) {
    if is_path(expr) {
        found.push((expr, asks_parents));
        keys(expr, found);
        return;
    }
    match expr.expr_kind() {
        ExprKind::If {
            test_expr,
            then_expr,
            else_expr,
        } => {
            for operand in [test_expr, then_expr, else_expr] {
                collect(operand, false, found);
            }
        }
        ExprKind::And { left, right } | ExprKind::Or { left, right } => {
            collect(left, false, found);
            collect(right, false, found);
        }
        ExprKind::UnaryApp { arg, .. } => collect(arg, false, found),
        ExprKind::BinaryApp { op, arg1, arg2 } => {
            collect(arg1, *op == BinaryOp::In, found);
            collect(arg2, false, found);
        }
        ExprKind::ExtensionFunctionApp { args, .. } => {
            for operand in args.iter() {
                collect(operand, false, found);
            }
        }
        ExprKind::GetAttr { expr, .. }
        | ExprKind::HasAttr { expr, .. }
        | ExprKind::ExtHasAttr { expr, .. }
        | ExprKind::Like { expr, .. }
        | ExprKind::Is { expr, .. } => collect(expr, false, found),
        ExprKind::Set(elements) => {
            for element in elements.iter() {
                collect(element, false, found);
            }
        }
        ExprKind::Record(fields) => {
            for field in fields.values() {
                collect(field, false, found);
            }
        }
        _ => {}
    }
}

/// What the names of a path's tags are computed from.
fn keys<'a>(path: &'a Expr, found: &mut Vec<(&'a Expr, bool)>) {
    match path.expr_kind() {
        ExprKind::GetAttr { expr, .. } => keys(expr, found),
        ExprKind::BinaryApp { arg1, arg2, .. } => {
            keys(arg1, found);
            collect(arg2, false, found);
        }
        _ => {}
    }
}

fn is_path(expr: &Expr) -> bool {
    match expr.expr_kind() {
        ExprKind::Var(_) => true,
        ExprKind::BinaryApp {
            op: BinaryOp::GetTag,
            arg1,
            ..
        } => is_path(arg1),
        ExprKind::GetAttr { expr, .. } => is_path(expr),
        _ => false,
    }
}

/// Cedar's source location of a path covers the whole call on it, so the text is built here.
fn path_text(path: &Expr) -> String {
    match path.expr_kind() {
        ExprKind::GetAttr { expr, attr } => {
            let plain = attr
                .chars()
                .all(|character| character.is_ascii_alphanumeric() || character == '_');
            if plain {
                format!("{}.{attr}", path_text(expr))
            } else {
                format!("{}[\"{}\"]", path_text(expr), attr.escape_debug())
            }
        }
        ExprKind::BinaryApp { arg1, arg2, .. } => format!("{}.getTag({arg2})", path_text(arg1)),
        _ => path.to_string(),
    }
}

fn value(expr: &Expr, request: &Request, entities: &Entities) -> String {
    let text = match eval_expression(request, entities, &Expression::from(expr.clone())) {
        Ok(value) => value.to_string(),
        Err(error) => format!("none: {error}"),
    };
    text::shortened(text, MAX_VALUE)
}

fn parents(expr: &Expr, request: &Request, entities: &Entities) -> Option<Vec<String>> {
    let Ok(EvalResult::EntityUid(uid)) =
        eval_expression(request, entities, &Expression::from(expr.clone()))
    else {
        return None;
    };
    let mut parents: Vec<String> = entities.ancestors(&uid)?.map(ToString::to_string).collect();
    parents.sort_unstable();
    let more = parents.len().saturating_sub(MAX_PARENTS);
    if more > 0 {
        parents.truncate(MAX_PARENTS);
        parents.push(format!("and {more} more"));
    }
    Some(parents)
}
