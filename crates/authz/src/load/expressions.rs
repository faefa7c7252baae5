//! What a policy's expressions must be beyond Cedar's own rules: shallow enough for the evaluator's
//! stack, and about entities that can exist.

use cedar_policy::{EntityUid, Policy};
use cedar_policy_core::ast::{Expr, ExprKind, Literal};

use super::entity_ids;
use crate::depth::{MAX_DEPTH, depth};
use crate::fault::Fault;
use crate::source::Source;

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
