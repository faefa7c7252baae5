//! A policy taken apart is the same policy: whatever its parts come to together, Cedar says of the whole.

use std::fmt::Write;

use cedar_policy::{
    AuthorizationError, Authorizer, Context, Decision, Effect, Entities, Policy, PolicyId,
    PolicySet, Request,
};
use charter_policy::conditions::Conditions;
use charter_policy::conditions::evaluate::{EvaluationMode, Value};
use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};
use serde_json::json;

fn pick<'a, T>(rng: &mut StdRng, choices: &'a [T]) -> &'a T {
    &choices[rng.random_range(0..choices.len())]
}

/// Conditions that are true, false or fail, some by what the entities lack, some by their type.
const SINGLES: [&str; 20] = [
    "principal.is_active",
    "principal has organization",
    "principal.organization.is_active",
    "resource.is_active",
    "resource has organization.is_active",
    "resource == principal.organization",
    "principal in Role::\"owner\"",
    "action in Action::\"reads\"",
    "resource is Organization",
    "principal is User in Role::\"member\"",
    "context.n + 9223372036854775807 > 0",
    "context.n != 1",
    "context.name like \"a*\"",
    "[1, 2].contains(context.n)",
    "context.n",
    "true",
    "false",
    "ip(context.name).isLoopback()",
    "(if principal.is_active then resource.is_active else context.n == 0)",
    "!context.flag",
];

fn condition(rng: &mut StdRng, depth: usize) -> String {
    if depth == 0 || rng.random_bool(0.3) {
        return (*pick(rng, &SINGLES)).to_owned();
    }
    let mut operand = || condition(rng, depth - 1);
    let (a, b) = (operand(), operand());
    match rng.random_range(0..6) {
        0 => format!("({a} && {b})"),
        1 => format!("({a} || {b})"),
        2 => format!("!({a} && {b})"),
        3 => format!("!({a} || {b})"),
        4 => format!("(\n  {a} && // with a comment\n  {b} && !({a}))"),
        _ => format!("({a} || {b} || {a})"),
    }
}

fn policy(rng: &mut StdRng) -> String {
    let principal = pick(
        rng,
        &[
            "principal",
            "principal is User",
            "principal in Role::\"owner\"",
            "principal is User in Role::\"member\"",
            "principal == User::\"a\"",
        ],
    );
    let action = pick(
        rng,
        &[
            "action",
            "action == Action::\"read\"",
            "action in Action::\"reads\"",
            "action in [Action::\"write\", Action::\"reads\"]",
        ],
    );
    let resource = pick(
        rng,
        &[
            "resource",
            "resource is Organization",
            "resource in Organization::\"o\"",
        ],
    );
    let effect = pick(rng, &["permit", "forbid"]);
    let mut text = format!("{effect} ({principal}, {action}, {resource})\n");
    for _ in 0..rng.random_range(0..4) {
        let keyword = pick(rng, &["when", "unless"]);
        writeln!(text, "{keyword} {{ {} }}", condition(rng, 3)).expect("a string takes any text");
    }
    text + ";"
}

fn inputs(rng: &mut StdRng) -> (Request, Entities) {
    let principal = *pick(rng, &["User", "Program"]);
    let context = json!({
        "n": rng.random_range(0..3),
        "name": *pick(rng, &["abc", "127.0.0.1"]),
        "flag": rng.random_bool(0.5),
    });
    let request = Request::new(
        format!("{principal}::\"a\"").parse().expect("an entity"),
        format!("Action::\"{}\"", pick(rng, &["read", "write"]))
            .parse()
            .expect("an action"),
        "Organization::\"o\"".parse().expect("an entity"),
        Context::from_json_value(context, None).expect("a context"),
        None,
    )
    .expect("a request");
    let mut entities = vec![
        json!({"uid": {"type": "Action", "id": "read"}, "attrs": {}, "parents": [{"type": "Action", "id": "reads"}]}),
    ];
    if rng.random_bool(0.85) {
        let mut attributes = json!({});
        if rng.random_bool(0.85) {
            attributes["is_active"] = rng.random_bool(0.7).into();
        }
        if rng.random_bool(0.85) {
            let id = *pick(rng, &["o", "p"]);
            attributes["organization"] = json!({"__entity": {"type": "Organization", "id": id}});
        }
        let role = *pick(rng, &["owner", "member"]);
        entities.push(json!({"uid": {"type": principal, "id": "a"}, "attrs": attributes, "parents": [{"type": "Role", "id": role}]}));
    }
    if rng.random_bool(0.85) {
        let is_active = rng.random_bool(0.7);
        entities.push(json!({"uid": {"type": "Organization", "id": "o"}, "attrs": {"is_active": is_active}, "parents": []}));
    }
    let entities = Entities::from_json_value(entities.into(), None).expect("entities");
    (request, entities)
}

/// What Cedar says of this policy alone.
fn whole(policy: &Policy, request: &Request, entities: &Entities) -> Value {
    let mut set = PolicySet::new();
    set.add(policy.clone()).expect("the only one");
    let everything = Policy::parse(
        Some(PolicyId::new("everything")),
        "permit (principal, action, resource);",
    );
    if policy.effect() == Effect::Forbid {
        set.add(everything.expect("a policy")).expect("another id");
    }
    let response = Authorizer::new().is_authorized(request, &set, entities);
    if let Some(AuthorizationError::PolicyEvaluationError(error)) =
        response.diagnostics().errors().next()
    {
        return Value::Error(error.inner().to_string());
    }
    let applies = match policy.effect() {
        Effect::Permit => response.decision() == Decision::Allow,
        Effect::Forbid => response.decision() == Decision::Deny,
    };
    if applies { Value::True } else { Value::False }
}

fn compare(policies: u64, requests: usize) -> [usize; 3] {
    let mut seen = [0; 3];
    for seed in 0..policies {
        let mut rng = StdRng::seed_from_u64(seed);
        let text = policy(&mut rng);
        let policy = Policy::parse(None, &text).expect("a policy");
        let conditions = Conditions::of(&policy);
        for _ in 0..requests {
            let (request, entities) = inputs(&mut rng);
            let parts = conditions.evaluate(&request, &entities, EvaluationMode::ShortCircuit);
            let expected = whole(&policy, &request, &entities);
            seen[match &expected {
                Value::True => 0,
                Value::False => 1,
                _ => 2,
            }] += 1;
            let told = format!("seed {seed}: {text}\n{request}\n{parts:?}");
            match (&parts.whole, &expected) {
                // Cedar words some errors otherwise where the operator around is known to it.
                (Value::Error(_), Value::Error(_)) => {}
                (parts, whole) => assert_eq!(parts, whole, "{told}"),
            }
            assert_eq!(parts.singles.len(), conditions.parts().len(), "{told}");
            // Who looks at everything comes to the same, and finds no value changed.
            let all = conditions.evaluate(&request, &entities, EvaluationMode::Exhaustive);
            assert_eq!(all.whole, parts.whole, "{told}");
            let pairs = parts.singles.iter().zip(&all.singles);
            for (as_cedar, at_all) in pairs.chain(parts.scope.iter().zip(&all.scope)) {
                assert!(
                    as_cedar == at_all
                        || (*as_cedar == Value::NotReached && !matches!(at_all, Value::Error(_))),
                    "{as_cedar:?}, {at_all:?}, {told}"
                );
            }
        }
    }
    seen
}

#[test]
fn the_parts_come_to_what_cedar_says_of_the_whole() {
    let seen = compare(200, 20);
    assert!(seen.into_iter().all(|times| times > 150), "{seen:?}");
}

#[test]
#[ignore = "minutes: a million random requests"]
fn the_parts_come_to_what_cedar_says_of_the_whole_in_full() {
    let seen = compare(20_000, 50);
    assert!(seen.into_iter().all(|times| times > 30_000), "{seen:?}");
}
