//! A decision evaluates only the policies that can matter. That must never show: the whole set,
//! evaluated policy by policy, gives the same answer for the same reasons.

use std::fs;

use cedar_policy::{Effect, Response};
use charter::authz::decision::{Decision, Denial, Outcome};
use charter::authz::principal::Principal;
use charter::authz::question::Question;
use charter::authz::snapshot::Snapshot;
use charter::domain::caller::Caller;
use charter::domain::permission::Permission;
use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};
use tempfile::TempDir;

use crate::policy_world::{Tenant, address, now, shipped};

fn pick<'a, T>(rng: &mut StdRng, choices: &'a [T]) -> &'a T {
    &choices[rng.random_range(0..choices.len())]
}

/// A policy that is well-formed for every kind of question, some of which cannot be evaluated.
fn policy(rng: &mut StdRng, number: usize) -> String {
    let effect = if rng.random_bool(0.8) {
        "permit"
    } else {
        "forbid"
    };
    let principal = match rng.random_range(0..10) {
        0 => "principal".to_owned(),
        1 => format!(
            "principal in Role::\"{}\"",
            pick(rng, &["owner", "admin", "member"])
        ),
        2 => format!(
            "principal in Permission::\"{}\"",
            pick(rng, Permission::ALL)
        ),
        3 => "principal is ServiceAccount".to_owned(),
        4 => format!(
            "principal is User in Role::\"{}\"",
            pick(rng, &["owner", "member"])
        ),
        5 => "principal == ServiceAccount::\"sa-00000000000000000000009999\"".to_owned(),
        6 => "principal == ServiceAccount::\"sa-00000000000000000000000001\"".to_owned(),
        7 => "principal in Organization::\"org-00000000000000000000000001\"".to_owned(),
        8 => {
            "principal is ServiceAccount in Account::\"acc-00000000000000000000000002\"".to_owned()
        }
        _ => "principal in Account::\"acc-00000000000000000000000001\"".to_owned(),
    };
    // Both kinds of principals may ask for these, so no policy is impossible.
    let shared = ["accounts:GetAccount", "accounts:UpdateAccount"];
    let action = match rng.random_range(0..5) {
        0 => "action".to_owned(),
        1 => "action in Action::\"reads\"".to_owned(),
        2 => "action in [Action::\"writes\", Action::\"reads\"]".to_owned(),
        3 => format!(
            "action in [Action::\"{}\", Action::\"writes\"]",
            pick(rng, &shared)
        ),
        _ => format!("action == Action::\"{}\"", pick(rng, &shared)),
    };
    let resource = match rng.random_range(0..7) {
        0 => "resource == Account::\"acc-00000000000000000000000001\"",
        1 => "resource in Organization::\"org-00000000000000000000000001\"",
        2 => "resource is Account in Organization::\"org-00000000000000000000000002\"",
        3 => "resource is Account",
        _ => "resource",
    };
    let condition = match rng.random_range(0..7) {
        0 => "",
        1 => "when { principal.is_active }",
        2 => "unless { action in Action::\"reads\" && principal.is_active }",
        3 => "when { principal.organization.is_active && !context.source_ip.isLoopback() }",
        4 => {
            "when { resource has organization && resource.organization == principal.organization }"
        }
        5 => "when { context.now.toTime().toMilliseconds() + 9223372036854775807 > 0 }",
        _ => "when { resource has is_active && resource.is_active }",
    };
    format!("@id(\"random.{number}\")\n{effect} ({principal}, {action}, {resource}) {condition};\n")
}

/// Random policies, beside the shipped ones or alone.
fn random_folder(rng: &mut StdRng) -> TempDir {
    let folder = TempDir::new().expect("a temporary folder");
    let with_shipped = rng.random_bool(0.5);
    for entry in fs::read_dir(shipped()).expect("the shipped folder") {
        let path = entry.expect("an entry").path();
        let is_schema = path.extension().is_some_and(|found| found == "cedarschema");
        if path.is_file() && (with_shipped || is_schema) {
            let name = path.file_name().expect("a file's name");
            fs::copy(&path, folder.path().join(name)).expect("a copy");
        }
    }
    let policies: String = (0..rng.random_range(1..25))
        .map(|number| policy(rng, number))
        .collect();
    fs::write(folder.path().join("random.cedar"), policies).expect("a written file");
    folder
}

fn caller(rng: &mut StdRng, tenant: &Tenant) -> Caller {
    let roles: Vec<&str> = ["owner", "admin", "member", "former"]
        .into_iter()
        .filter(|_| rng.random_bool(0.2))
        .collect();
    if rng.random_bool(0.3) {
        let role = *pick(rng, &["owner", "admin", "member", "former"]);
        return tenant.person(role);
    }
    let permissions: Vec<&str> = Permission::ALL
        .iter()
        .map(|permission| permission.as_str())
        .filter(|_| rng.random_bool(0.2))
        .collect();
    tenant.program(&roles, &permissions)
}

/// What the rule of the house makes of Cedar's own response.
fn expected(snapshot: &Snapshot, response: &Response) -> (Outcome, Vec<String>, Vec<String>) {
    let mut reasons: Vec<String> = response
        .diagnostics()
        .reason()
        .map(ToString::to_string)
        .collect();
    reasons.sort();
    let mut errors: Vec<_> = response
        .diagnostics()
        .errors()
        .map(|error| {
            let cedar_policy::AuthorizationError::PolicyEvaluationError(error) = error;
            error.policy_id().clone()
        })
        .collect();
    errors.sort();
    let errored_forbids: Vec<String> = errors
        .iter()
        .filter(|id| {
            let policy = snapshot.policies().policy(id).expect("the policy");
            policy.effect() == Effect::Forbid
        })
        .map(ToString::to_string)
        .collect();
    let errors = errors.iter().map(ToString::to_string).collect();
    match response.decision() {
        cedar_policy::Decision::Allow if errored_forbids.is_empty() => {
            (Outcome::Allow, reasons, errors)
        }
        cedar_policy::Decision::Allow => (
            Outcome::Deny(Denial::ForbiddenByPolicy),
            errored_forbids,
            errors,
        ),
        cedar_policy::Decision::Deny if reasons.is_empty() => {
            (Outcome::Deny(Denial::NotPermitted), reasons, errors)
        }
        cedar_policy::Decision::Deny => (Outcome::Deny(Denial::ForbiddenByPolicy), reasons, errors),
    }
}

fn actual(decision: Decision) -> (Outcome, Vec<String>, Vec<String>) {
    let errors = decision
        .errors
        .into_iter()
        .map(|error| error.policy)
        .collect();
    (decision.outcome, decision.determining, errors)
}

/// Returns how often each kind of answer was seen.
fn compare(folders: u64, questions: usize) -> [usize; 4] {
    let mut seen = [0; 4];
    for seed in 0..folders {
        let mut rng = StdRng::seed_from_u64(seed);
        let folder = random_folder(&mut rng);
        let snapshot = Snapshot::load(folder.path()).expect("a good folder");
        let tenants = [Tenant::new(1), Tenant::new(2), Tenant::deactivated(1)];
        for _ in 0..questions {
            let home = pick(&mut rng, &tenants);
            let caller = caller(&mut rng, home);
            let principal = Principal::prepare(&caller, &snapshot);
            let permission = *pick(&mut rng, Permission::ALL);
            let resources = pick(&mut rng, &tenants).resources(permission);
            let (_, resource) = *pick(&mut rng, &resources);
            let question = Question {
                principal: &principal,
                permission,
                resource,
                source_ip: address(),
                now: now(),
            };
            let decision = snapshot.decide(&question);
            let whole = snapshot
                .ask_every_policy(&question)
                .expect("inputs that can be built");
            let Some(whole) = whole else {
                assert_eq!(decision.outcome, Outcome::Deny(Denial::NotPermitted));
                continue;
            };
            seen[match decision.outcome {
                Outcome::Allow => 0,
                Outcome::Deny(Denial::NotPermitted) => 1,
                Outcome::Deny(Denial::ForbiddenByPolicy) => 2,
            }] += 1;
            seen[3] += usize::from(!decision.errors.is_empty());
            assert_eq!(
                actual(decision),
                expected(&snapshot, &whole),
                "seed {seed}, {permission}, {:?}",
                principal.caller()
            );
        }
    }
    seen
}

#[test]
fn the_policies_of_one_action_decide_as_the_whole_set() {
    let seen = compare(10, 100);
    assert!(seen.into_iter().all(|times| times > 30), "{seen:?}");
}

#[test]
#[ignore = "minutes: a million random questions"]
fn the_policies_of_one_action_decide_as_the_whole_set_a_million_times() {
    let seen = compare(1_000, 1_000);
    assert!(seen.into_iter().all(|times| times > 50_000), "{seen:?}");
}
