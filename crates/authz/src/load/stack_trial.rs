//! Evaluates deep policies once on a stack like those of the service. A policy that overflows it
//! would deny every request or guard nothing.

use std::thread;

use cedar_policy::{Entities, EvaluationError, Expression, Policy, Request, eval_expression};

use crate::depth::{EVALUATION_STACK_BYTES, depth};

/// Shallower policies fit any stack.
const SHALLOW: usize = 32;
/// An upper bound of the stack that a request uses before policies are evaluated.
const USED_BEFORE: usize = 512 * 1024;

/// One request of each type, with its entities.
pub(super) struct Examples {
    pub(super) requests: Vec<Request>,
    pub(super) entities: Entities,
}

/// The policies that exhaust the stack on a trial request, with the evaluator's message.
pub(super) fn too_deep<'p>(
    policies: impl Iterator<Item = &'p Policy>,
    examples: &Examples,
) -> std::io::Result<Vec<(&'p Policy, String)>> {
    let deep: Vec<(&Policy, Expression)> = policies
        .filter_map(|policy| {
            let condition = policy.as_ref().condition();
            (depth(&condition).0 > SHALLOW).then(|| (policy, Expression::from(condition)))
        })
        .collect();
    if deep.is_empty() {
        return Ok(Vec::new());
    }
    thread::scope(|scope| {
        let trial = thread::Builder::new()
            .name("policies-trial".to_owned())
            .stack_size(EVALUATION_STACK_BYTES - USED_BEFORE)
            .spawn_scoped(scope, || {
                let failing = deep.iter().filter_map(|(policy, condition)| {
                    let failed = examples
                        .requests
                        .iter()
                        .find_map(|request| exhausts_stack(request, &examples.entities, condition));
                    failed.map(|message| (*policy, message))
                });
                failing.collect()
            })?;
        trial
            .join()
            .map_err(|_| std::io::Error::other("evaluating examples failed unexpectedly"))
    })
}

/// Other errors may be due to the sample: it has no tags and only the simplest values.
fn exhausts_stack(
    request: &Request,
    entities: &Entities,
    condition: &Expression,
) -> Option<String> {
    match eval_expression(request, entities, condition) {
        Err(error @ EvaluationError::RecursionLimit(_)) => Some(error.to_string()),
        Ok(_) | Err(_) => None,
    }
}
