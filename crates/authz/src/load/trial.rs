//! Evaluates what is deep, once, on a stack like those that serve: a policy that cannot be evaluated
//! there would deny, or guard nothing, with each request.

use std::thread;

use cedar_policy::{Entities, EvaluationError, Expression, Policy, Request, eval_expression};

use crate::depth::{STACK_BYTES, depth};

/// What is shallower takes a small part of any stack.
const SHALLOW: usize = 32;
/// What a request has used of its thread's stack by the time that policy is asked, and more.
const USED_BEFORE: usize = 512 * 1024;

/// One request of each kind, with its entities.
pub(super) struct Examples {
    pub(super) requests: Vec<Request>,
    pub(super) entities: Entities,
}

/// The policies that run out of stack on an example, each with the evaluator's message.
///
/// # Errors
///
/// No thread could be started.
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
            .stack_size(STACK_BYTES - USED_BEFORE)
            .spawn_scoped(scope, || {
                let failing = deep.iter().filter_map(|(policy, condition)| {
                    let failed = examples
                        .requests
                        .iter()
                        .find_map(|request| runs_out(request, &examples.entities, condition));
                    failed.map(|message| (*policy, message))
                });
                failing.collect()
            })?;
        trial
            .join()
            .map_err(|_| std::io::Error::other("evaluating examples failed unexpectedly"))
    })
}

/// Other failures may be the example's: it has no tags, and the plainest values.
fn runs_out(request: &Request, entities: &Entities, condition: &Expression) -> Option<String> {
    match eval_expression(request, entities, condition) {
        Err(error @ EvaluationError::RecursionLimit(_)) => Some(error.to_string()),
        Ok(_) | Err(_) => None,
    }
}
