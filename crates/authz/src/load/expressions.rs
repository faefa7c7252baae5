//! Limits on expressions beyond Cedar's own rules: shallow enough for the evaluator's stack, and
//! about entities that can exist.

use cedar_policy::{EntityUid, Policy};
use cedar_policy_core::ast::{Expr, ExprKind, Literal};

use super::vocabulary::Vocabulary;
use crate::depth::{MAX_DEPTH, depth, operands};
use crate::entity_ids;
use crate::fault::FolderFault;
use crate::source::Source;

/// The limit on checking one policy, in visited expressions. Some expressions visit an operand
/// twice: Cedar's parser rewrites `x is T in y` to `x is T && x in y`, its validator duplicates the
/// taken branch of an `if` whose test the types decide, and its level validation follows `x has
/// a.b` besides `x`. Nested, they double the cost with each level.
const MAX_STEPS: usize = 20_000;

/// Finds policies that the validator must not see because it would take too long.
pub(super) fn check_cost(
    policy: &Policy,
    source: &Source,
    start: (usize, usize),
) -> Option<FolderFault> {
    let condition = policy.as_ref().condition();
    let innermost = most_expensive(&condition)?;
    let (offset, length) = innermost
        .source_loc()
        .map_or(start, |loc| (loc.span.offset(), loc.span.len()));
    Some(
        FolderFault::new(format!(
            "this policy takes more than {MAX_STEPS} steps to check: `if`, `is … in` and `has` with a path \
             double them with each level of one within another"
        ))
        .help("write alternatives with `&&` and `||`, or split the policy into several")
        .at(source, offset, length),
    )
}

/// The most visited expression, if the limit is exceeded. Stops at the limit.
fn most_expensive(whole: &Expr) -> Option<&Expr> {
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

/// Finds an expression that cannot be evaluated. `start` is offset and length of the policy.
pub(super) fn check_depth(
    policy: &Policy,
    source: &Source,
    start: (usize, usize),
) -> Option<FolderFault> {
    let condition = policy.as_ref().condition();
    let (depth, deepest) = depth(&condition);
    if depth > MAX_DEPTH {
        let (offset, length) = deepest
            .source_loc()
            .map_or(start, |loc| (loc.span.offset(), loc.span.len()));
        return Some(
            FolderFault::new(format!(
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
    None
}

/// Finds literals of the service's records that cannot match.
pub(super) fn check_ids(
    policy: &Policy,
    source: &Source,
    start: (usize, usize),
    vocabulary: Vocabulary,
) -> Vec<FolderFault> {
    let fault_of = match vocabulary {
        Vocabulary::Service => entity_ids::fault,
        Vocabulary::Own => entity_ids::fault_in_domain,
    };
    let condition = policy.as_ref().condition();
    let mut faults = Vec::new();
    for expr in condition.subexpressions() {
        let ExprKind::Lit(Literal::EntityUID(uid)) = expr.expr_kind() else {
            continue;
        };
        let loc = uid.loc().or_else(|| expr.source_loc());
        let (offset, length) = loc.map_or(start, |loc| (loc.span.offset(), loc.span.len()));
        let uid = EntityUid::from((**uid).clone());
        if let Some(fault) = fault_of(&uid) {
            faults.push(fault.at(source, offset, length));
        }
    }
    faults
}

/// Whether a condition contains an entity literal other than an action.
pub(super) fn has_entity_literal(policy: &Policy) -> bool {
    let condition = policy.as_ref().non_scope_constraints();
    let mut expressions = condition.into_iter().flat_map(Expr::subexpressions);
    expressions.any(|expr| match expr.expr_kind() {
        ExprKind::Lit(Literal::EntityUID(uid)) => !uid.is_action(),
        _ => false,
    })
}
