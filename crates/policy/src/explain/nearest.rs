//! The permits that came nearest to a request that none permits, and what kept them from it.

use cedar_policy::{
    ActionConstraint, Entities, EntityTypeName, Policy, PrincipalConstraint, Request,
    ResourceConstraint,
};
use serde::Serialize;

use super::super::conditions::evaluate::{Evaluation, Look, Value};
use super::super::conditions::{Condition, Conditions, Keyword};
use super::findings::{self, Finding};
use super::told::{Told, told};
use charter_authz::snapshot::Snapshot;

const MOST: usize = 3;
/// A permit for programs is no near miss of a person's request, however little else is wrong.
const OTHER_TYPE: usize = 100;

/// A permit that did not apply.
#[derive(Debug, Clone, Serialize)]
pub struct Nearest {
    /// Which.
    #[serde(flatten)]
    pub told: Told,
    /// How many of its parts would have to change, at least.
    pub away: usize,
    /// The parts that kept it from applying.
    pub failed: Vec<Finding>,
}

struct Miss<'a> {
    policy: &'a Policy,
    conditions: Conditions,
    evaluation: Evaluation,
    away: usize,
    blamed: Vec<usize>,
    /// How far away, and how broad.
    rank: (usize, usize),
    place: Option<(&'a str, usize)>,
}

pub(super) fn of<'a>(
    permits: impl Iterator<Item = &'a Policy>,
    snapshot: &'a Snapshot,
    request: &Request,
    entities: &Entities,
) -> Vec<Nearest> {
    let mut nearest: Vec<Miss<'_>> = Vec::with_capacity(MOST + 1);
    let place_of = |policy: &Policy| {
        snapshot
            .location(policy.id().as_ref())
            .map(|place| (place.file.as_str(), place.line))
    };
    for policy in permits {
        let place = place_of(policy);
        let is_nearer =
            |rank: (usize, usize), than: &Miss<'_>| (rank, place) < (than.rank, than.place);
        let conditions = Conditions::of(policy);
        let at_least = rank_of_scope(policy, &conditions, request, entities);
        if nearest.len() == MOST
            && nearest
                .last()
                .is_some_and(|last| !is_nearer(at_least, last))
        {
            continue;
        }
        let miss = Miss::of(policy, place, conditions, at_least, request, entities);
        let position = nearest
            .iter()
            .position(|other| is_nearer(miss.rank, other))
            .unwrap_or(nearest.len());
        nearest.insert(position, miss);
        nearest.truncate(MOST);
    }
    nearest
        .into_iter()
        .map(|miss| Nearest {
            told: told(snapshot, miss.policy.id().as_ref()),
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

impl<'a> Miss<'a> {
    fn of(
        policy: &'a Policy,
        place: Option<(&'a str, usize)>,
        conditions: Conditions,
        (scope, breadth): (usize, usize),
        request: &Request,
        entities: &Entities,
    ) -> Self {
        let evaluation = conditions.evaluate(request, entities, Look::AtAll);
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
                distance(&clause.condition, wanted, values, &mut next, &mut blamed)
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

/// How far away a permit is at least, and how broad it is: among equals, what was written for this
/// very action says most.
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
    (failed + OTHER_TYPE * other_types(policy, request), breadth)
}

/// How many single conditions would have to change, at least; `None` if none of them was reached.
fn distance(
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
        Condition::Not(operand) => return distance(operand, !wanted, values, next, blamed),
        Condition::All(operands) => (operands, wanted),
        Condition::Any(operands) => (operands, !wanted),
    };
    let before = blamed.len();
    let distances: Vec<usize> = operands
        .iter()
        .filter_map(|operand| distance(operand, wanted, values, next, blamed))
        .collect();
    if all_needed {
        return (!distances.is_empty()).then(|| distances.iter().sum());
    }
    let least = distances.into_iter().min();
    if least == Some(0) {
        // One alternative holds: the others are not to blame.
        blamed.truncate(before);
    }
    least
}

/// How many of principal and resource have another type than the scope asks for.
fn other_types(policy: &Policy, request: &Request) -> usize {
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
