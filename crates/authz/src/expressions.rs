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

/// The most that checking one policy may take, in expressions looked at. Some look at an operand twice:
/// Cedar's parser writes `x is T in y` as `x is T && x in y`, its validator puts the branch that counts
/// in both places of an `if` whose test the types settle, and its level validation follows `x has a.b`
/// beside `x`. Within each other they double what it takes with each level.
const MAX_STEPS: usize = 20_000;

/// Finds what would take the validator too long: it must not even see it.
pub(super) fn too_costly(policy: &Policy, source: &Source, start: (usize, usize)) -> Option<Fault> {
    let condition = policy.as_ref().condition();
    let innermost = costs_too_much(&condition)?;
    let (offset, length) = innermost
        .source_loc()
        .map_or(start, |loc| (loc.span.offset(), loc.span.len()));
    Some(
        Fault::new(format!(
            "this policy takes more than {MAX_STEPS} steps to check: `if`, `is … in` and `has` with a path \
             double them with each level of one within another"
        ))
        .help("write alternatives with `&&` and `||`, or split the policy into several")
        .at(source, offset, length),
    )
}

/// What is looked at most often, if there is too much to look at. It stops there: the rest may be
/// more than anybody can go through.
fn costs_too_much(whole: &Expr) -> Option<&Expr> {
    let (mut steps, mut most) = (0_usize, (0, whole));
    let mut open = vec![(1_usize, whole)];
    while let Some((times, expr)) = open.pop() {
        steps = steps.saturating_add(times);
        if times > most.0 {
            most = (times, expr);
        }
        if steps > MAX_STEPS {
            return Some(most.1);
        }
        let twice = times.saturating_mul(2);
        match expr.expr_kind() {
            ExprKind::If {
                test_expr,
                then_expr,
                else_expr,
            } => open.extend([
                (times, &**test_expr),
                (twice, then_expr),
                (twice, else_expr),
            ]),
            ExprKind::ExtHasAttr { expr, .. } => open.push((twice, expr)),
            _ => operands(expr, |operand| open.push((times, operand))),
        }
    }
    None
}

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
        operands(expr, |operand| open.push((depth + 1, operand)));
    }
    deepest
}

fn operands<'a>(expr: &'a Expr, mut each: impl FnMut(&'a Expr)) {
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
