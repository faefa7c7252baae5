//! What a policy's expressions must be beyond Cedar's own rules: shallow enough for the evaluator's
//! stack, and about entities that can exist.

use cedar_policy::{EntityUid, Policy};
use cedar_policy_core::ast::{Expr, ExprKind, Literal};

use super::entity_ids;
use super::fault::{Fault, Source};

/// The deepest expression that is taken, scope included. Cedar's evaluator calls itself for each
/// level and gives up where less than 100 KiB of the stack are left; a chain of `&&`, `||` or `+`
/// has a level for each operand. [`super::engine::STACK_BYTES`] has room for it in every build.
pub(super) const MAX_DEPTH: usize = 200;

/// Finds what cannot be evaluated and what cannot match. `start` is where a policy is shown as a
/// whole: offset and length.
pub(super) fn check(policy: &Policy, source: &Source, start: (usize, usize)) -> Vec<Fault> {
    let condition = policy.as_ref().condition();
    let mut faults = Vec::new();
    let (depth, deepest) = depth(&condition);
    if depth > MAX_DEPTH {
        let (offset, length) = deepest
            .source_loc()
            .map_or(start, |loc| (loc.span.offset(), loc.span.len()));
        faults.push(
            Fault::new(format!(
                "an expression of {depth} levels, at most {MAX_DEPTH} can be evaluated; \
                 a chain of `&&`, `||` or `+` has a level for each operand"
            ))
            .help(
                "write alternatives as a set, as in `principal in [Role::\"owner\", Role::\"admin\"]` or \
                 `[…].contains(…)`, or split the policy into several",
            )
            .at(source, offset, length),
        );
    }
    for expr in condition.subexpressions() {
        let ExprKind::Lit(Literal::EntityUID(uid)) = expr.expr_kind() else {
            continue;
        };
        let loc = uid.loc().or_else(|| expr.source_loc());
        let (offset, length) = loc.map_or(start, |loc| (loc.span.offset(), loc.span.len()));
        let uid = EntityUid::from((**uid).clone());
        if let Some(fault) = entity_ids::fault(&uid) {
            faults.push(fault.at(source, offset, length));
        }
    }
    faults
}

/// Whether a condition writes an entity out, other than an action.
pub(super) fn names_an_entity(policy: &Policy) -> bool {
    let condition = policy.as_ref().non_scope_constraints();
    let mut expressions = condition.into_iter().flat_map(Expr::subexpressions);
    expressions.any(|expr| match expr.expr_kind() {
        ExprKind::Lit(Literal::EntityUID(uid)) => !uid.is_action(),
        _ => false,
    })
}

/// How many calls of the evaluator lie upon each other at most, and the expression at the bottom.
/// Not by recursion: the expression may be deeper than this stack.
pub(super) fn depth(whole: &Expr) -> (usize, &Expr) {
    let mut deepest = (1, whole);
    let mut open = vec![(1, whole)];
    while let Some((depth, expr)) = open.pop() {
        if depth > deepest.0 {
            deepest = (depth, expr);
        }
        let mut push = |expr| open.push((depth + 1, expr));
        match expr.expr_kind() {
            ExprKind::Lit(_) | ExprKind::Var(_) | ExprKind::Slot(_) | ExprKind::Unknown(_) => {}
            ExprKind::If {
                test_expr,
                then_expr,
                else_expr,
            } => [test_expr, then_expr, else_expr]
                .into_iter()
                .for_each(|expr| push(expr)),
            ExprKind::And { left, right } | ExprKind::Or { left, right } => {
                push(left);
                push(right);
            }
            ExprKind::UnaryApp { arg, .. } => push(arg),
            ExprKind::BinaryApp { arg1, arg2, .. } => {
                push(arg1);
                push(arg2);
            }
            ExprKind::GetAttr { expr, .. }
            | ExprKind::HasAttr { expr, .. }
            | ExprKind::ExtHasAttr { expr, .. }
            | ExprKind::Like { expr, .. }
            | ExprKind::Is { expr, .. } => push(expr),
            ExprKind::ExtensionFunctionApp { args, .. } => args.iter().for_each(push),
            ExprKind::Set(elements) => elements.iter().for_each(push),
            ExprKind::Record(fields) => fields.values().for_each(push),
        }
    }
    deepest
}
