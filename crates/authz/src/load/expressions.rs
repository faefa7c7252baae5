//! What a policy's expressions must be beyond Cedar's own rules: shallow enough for the evaluator's
//! stack, and about entities that can exist.

use cedar_policy::{EntityUid, Policy};
use cedar_policy_core::ast::{Expr, ExprKind, Literal};

use super::entity_ids;
use crate::depth::{MAX_DEPTH, depth, operands};
use crate::fault::Fault;
use crate::source::Source;

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
