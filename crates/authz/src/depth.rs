//! The depth limit of policy expressions and the stack size that it requires.

use cedar_policy_core::ast::{Expr, ExprKind};

/// Stack size of threads that evaluate policies, in bytes: enough for the deepest policy in every
/// build profile. Unused pages cost nothing.
pub const EVALUATION_STACK_BYTES: usize = 16 * 1024 * 1024;

/// The maximal depth of an expression, scope included. Cedar's evaluator recurses once per level
/// and fails when less than 100 KiB of stack are left; a chain of `&&`, `||` or `+` has a level for
/// each operand. [`EVALUATION_STACK_BYTES`] suffices in every build profile.
pub(super) const MAX_DEPTH: usize = 200;

/// The depth of an expression and its deepest subexpression. Iterative, since the expression may be
/// deeper than this stack.
pub(super) fn depth(whole: &Expr) -> (usize, &Expr) {
    let mut deepest = (1, whole);
    let mut open = vec![(1, whole)];
    while let Some((depth, expr)) = open.pop() {
        if depth > deepest.0 {
            deepest = (depth, expr);
        }
        operands(expr, |operand| open.push((depth + 1, operand)));
    }
    deepest
}

/// Calls `each` for every direct subexpression.
pub(crate) fn operands<'a>(expr: &'a Expr, mut each: impl FnMut(&'a Expr)) {
    match expr.expr_kind() {
        ExprKind::Lit(_) | ExprKind::Var(_) | ExprKind::Slot(_) | ExprKind::Unknown(_) => {}
        ExprKind::If {
            test_expr,
            then_expr,
            else_expr,
        } => [test_expr, then_expr, else_expr]
            .into_iter()
            .for_each(|expr| each(expr)),
        ExprKind::And { left, right } | ExprKind::Or { left, right } => {
            each(left);
            each(right);
        }
        ExprKind::UnaryApp { arg, .. } => each(arg),
        ExprKind::BinaryApp { arg1, arg2, .. } => {
            each(arg1);
            each(arg2);
        }
        ExprKind::GetAttr { expr, .. }
        | ExprKind::HasAttr { expr, .. }
        | ExprKind::ExtHasAttr { expr, .. }
        | ExprKind::Like { expr, .. }
        | ExprKind::Is { expr, .. } => each(expr),
        ExprKind::ExtensionFunctionApp { args, .. } => args.iter().for_each(each),
        ExprKind::Set(elements) => elements.iter().for_each(each),
        ExprKind::Record(fields) => fields.values().for_each(each),
    }
}
