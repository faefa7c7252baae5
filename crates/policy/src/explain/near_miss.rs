//! The permits that came nearest to a request that none permits, and what failed.

use cedar_policy::{
    ActionConstraint, Entities, EntityTypeName, Policy, PrincipalConstraint, Request,
    ResourceConstraint,
};
use serde::Serialize;

use super::super::conditions::evaluate::{Evaluation, EvaluationMode, Value};
use super::super::conditions::{Condition, Conditions, Keyword};
use super::findings::{self, ConditionFinding};
use super::policy_ref::PolicyRef;
use charter_authz::snapshot::Snapshot;

const MOST: usize = 3;
/// A permit for service accounts is no near miss for a user's request, whatever else matches.
const OTHER_TYPE: usize = 100;

/// A permit that did not apply.
#[derive(Debug, Clone, Serialize)]
pub struct NearMiss {
    /// The permit.
    #[serde(flatten)]
    pub policy_ref: PolicyRef,
    /// The least number of parts that would have to change.
    pub away: usize,
    /// The parts that failed.
    pub failed: Vec<ConditionFinding>,
}

struct Candidate<'a> {
    policy: &'a Policy,
    conditions: Conditions,
    evaluation: Evaluation,
    away: usize,
    blamed: Vec<usize>,
    /// Distance and breadth.
    rank: (usize, usize),
    place: Option<(&'a str, usize)>,
}

pub(super) fn nearest_permits<'a>(
    permits: impl Iterator<Item = &'a Policy>,
    snapshot: &'a Snapshot,
    request: &Request,
    entities: &Entities,
) -> Vec<NearMiss> {
    let mut nearest: Vec<Candidate<'_>> = Vec::with_capacity(MOST + 1);
    let place_of = |policy: &Policy| {
        snapshot
            .location(policy.id().as_ref())
            .map(|place| (place.file.as_str(), place.line))
    };
    for policy in permits {
        let place = place_of(policy);
        let is_nearer =
            |rank: (usize, usize), than: &Candidate<'_>| (rank, place) < (than.rank, than.place);
        let conditions = Conditions::of(policy);
        let at_least = rank_of_scope(policy, &conditions, request, entities);
        if nearest.len() == MOST
            && nearest
                .last()
                .is_some_and(|last| !is_nearer(at_least, last))
        {
            continue;
        }
        let miss = Candidate::of(policy, place, conditions, at_least, request, entities);
        let position = nearest
            .iter()
            .position(|other| is_nearer(miss.rank, other))
            .unwrap_or(nearest.len());
        nearest.insert(position, miss);
        nearest.truncate(MOST);
    }
    nearest
        .into_iter()
        .map(|miss| NearMiss {
            policy_ref: PolicyRef::new(snapshot, miss.policy.id().as_ref()),
            away: miss.away,
            failed: findings::of_parts(
                &miss.conditions,
                &miss.evaluation,
                &miss.blamed,
                request,
                entities,
            ),
        })
        .collect()
}

impl<'a> Candidate<'a> {
    fn of(
        policy: &'a Policy,
        place: Option<(&'a str, usize)>,
        conditions: Conditions,
        (scope, breadth): (usize, usize),
        request: &Request,
        entities: &Entities,
    ) -> Self {
        let evaluation = conditions.evaluate(request, entities, EvaluationMode::Exhaustive);
        let in_scope = evaluation
            .scope
            .iter()
            .filter(|value| **value != Value::True)
            .count();
        let mut blamed = Vec::new();
        let mut next = 0;
        let in_clauses: usize = conditions
            .clauses
            .iter()
            .filter_map(|clause| {
                let wanted = clause.keyword == Keyword::When;
                let values = &evaluation.singles;
                changes_needed(&clause.condition, wanted, values, &mut next, &mut blamed)
            })
            .sum();
        Self {
            policy,
            conditions,
            evaluation,
            away: in_scope + in_clauses,
            blamed,
            rank: (scope + in_clauses, breadth),
            place,
        }
    }
}

/// A lower bound of the distance, and the breadth: among equals, a permit for this very action is
/// the best hint.
fn rank_of_scope(
    policy: &Policy,
    conditions: &Conditions,
    request: &Request,
    entities: &Entities,
) -> (usize, usize) {
    let failed = conditions
        .scope
        .iter()
        .filter(|asked| !asked.part.is_true(request, entities))
        .count();
    let breadth = match policy.action_constraint() {
        ActionConstraint::Eq(_) => 0,
        ActionConstraint::In(_) => 1,
        ActionConstraint::Any => 2,
    };
    (
        failed + OTHER_TYPE * type_mismatches(policy, request),
        breadth,
    )
}

/// The least number of single conditions that would have to change; `None` if none was reached.
fn changes_needed(
    condition: &Condition,
    wanted: bool,
    values: &[Value],
    next: &mut usize,
    blamed: &mut Vec<usize>,
) -> Option<usize> {
    let (operands, all_needed) = match condition {
        Condition::Single(_) => {
            let position = *next;
            *next += 1;
            let is = match values.get(position)? {
                Value::True => Some(true),
                Value::False => Some(false),
                Value::Error(_) => None,
                Value::NotReached => return None,
            };
            if is == Some(wanted) {
                return Some(0);
            }
            blamed.push(position);
            return Some(1);
        }
        Condition::Not(operand) => return changes_needed(operand, !wanted, values, next, blamed),
        Condition::All(operands) => (operands, wanted),
        Condition::Any(operands) => (operands, !wanted),
    };
    let before = blamed.len();
    let distances: Vec<usize> = operands
        .iter()
        .filter_map(|operand| changes_needed(operand, wanted, values, next, blamed))
        .collect();
    if all_needed {
        return (!distances.is_empty()).then(|| distances.iter().sum());
    }
    let least = distances.into_iter().min();
    if least == Some(0) {
        // One alternative holds, so the others did not fail the request.
        blamed.truncate(before);
    }
    least
}

/// How many of principal and resource have another type than the scope requires.
fn type_mismatches(policy: &Policy, request: &Request) -> usize {
    let principal = match policy.principal_constraint() {
        PrincipalConstraint::Is(asked) | PrincipalConstraint::IsIn(asked, _) => Some(asked),
        _ => None,
    };
    let resource = match policy.resource_constraint() {
        ResourceConstraint::Is(asked) | ResourceConstraint::IsIn(asked, _) => Some(asked),
        _ => None,
    };
    let differs = |asked: Option<EntityTypeName>, actual: Option<&EntityTypeName>| {
        asked.is_some_and(|asked| Some(&asked) != actual)
    };
    usize::from(differs(
        principal,
        request.principal().map(cedar_policy::EntityUid::type_name),
    )) + usize::from(differs(
        resource,
        request.resource().map(cedar_policy::EntityUid::type_name),
    ))
}
