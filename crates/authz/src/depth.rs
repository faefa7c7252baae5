//! How deep a policy's expressions may be, and the stack that has room for them.

use cedar_policy_core::ast::{Expr, ExprKind};

/// The stack of a thread that decides, in bytes: so much that the deepest policy that is taken can
/// be evaluated, however the program was built. Pages that are not used cost nothing.
pub const STACK_BYTES: usize = 16 * 1024 * 1024;

/// The deepest expression that is taken, scope included. Cedar's evaluator calls itself for each
/// level and gives up where less than 100 KiB of the stack are left; a chain of `&&`, `||` or `+`
/// has a level for each operand. [`STACK_BYTES`] has room for it in every build.
pub(super) const MAX_DEPTH: usize = 200;

/// How many calls of the evaluator lie upon each other at most, and the expression at the bottom.
/// Not by recursion: the expression may be deeper than this stack.
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

/// Each expression that this one is made of.
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
