//! Who may do what, printed: a change to a policy is reviewed as a change of ✔ and ✘.

use std::fmt::Write;

use charter_authz::decision::{Denial, Outcome};
use charter_authz::snapshot::Snapshot;
use charter_domain::caller::Caller;
use charter_domain::permission::Permission;
use test_support::policy_world::{Tenant, ask, shipped};

const ROLES: [&str; 3] = ["owner", "admin", "member"];

/// Of the column that names the question.
const WIDTH: usize = 56;

/// One column: who asks for this permission.
type Persona = (&'static str, Box<dyn Fn(&Tenant, Permission) -> Caller>);

fn personas() -> Vec<Persona> {
    let mut personas: Vec<Persona> = vec![
        (
            "program with nothing",
            Box::new(|tenant, _| tenant.program(&[], &[])),
        ),
        (
            "program with exactly it",
            Box::new(|tenant, permission| tenant.program(&[], &[permission.as_str()])),
        ),
        (
            "program with all but it",
            Box::new(|tenant, permission| {
                let others: Vec<&str> = Permission::ALL
                    .iter()
                    .filter(|&&other| other != permission)
                    .map(|other| other.as_str())
                    .collect();
                tenant.program(&[], &others)
            }),
        ),
    ];
    for role in ROLES {
        let title = match role {
            "owner" => "program as owner",
            "admin" => "program as admin",
            _ => "program as member",
        };
        personas.push((
            title,
            Box::new(move |tenant, _| tenant.program(&[role], &[])),
        ));
    }
    for role in ROLES {
        personas.push((role, Box::new(move |tenant, _| tenant.person(role))));
    }
    personas.push((
        "owner, address not verified",
        Box::new(|tenant, _| tenant.unverified("owner")),
    ));
    personas.push((
        "person without a role",
        Box::new(|tenant, _| tenant.person("former-role")),
    ));
    personas
}

/// ✔ allowed, ✘ no policy allows it, ⊘ a policy forbids it.
fn mark(outcome: Outcome) -> char {
    match outcome {
        Outcome::Allow => '✔',
        Outcome::Deny(Denial::NotPermitted) => '✘',
        Outcome::Deny(Denial::ForbiddenByPolicy) => '⊘',
    }
}

fn matrix(home: &Tenant, asked_about: &Tenant) -> String {
    let snapshot = Snapshot::load(&shipped()).expect("the shipped policies");
    let personas = personas();
    let mut table = String::new();
    for (column, (title, _)) in personas.iter().enumerate() {
        writeln!(table, "{:WIDTH$}{} ╭ {title}", "", " │".repeat(column)).expect("a line");
    }
    for &permission in Permission::ALL {
        for (title, resource) in asked_about.resources(permission) {
            let row = format!("{permission} · {title}");
            write!(table, "{row:<WIDTH$}").expect("a cell");
            for (_, caller) in &personas {
                let caller = caller(home, permission);
                let decision = ask(&snapshot, &caller, permission, resource);
                write!(table, " {}", mark(decision.outcome)).expect("a cell");
            }
            table.push('\n');
        }
    }
    table
}

#[test]
fn permissions_in_the_own_organization_are_reviewed() {
    let acme = Tenant::new(1);
    insta::assert_snapshot!("permissions_own", matrix(&acme, &acme));
}

#[test]
fn nothing_of_another_organization_is_allowed() {
    let table = matrix(&Tenant::new(1), &Tenant::new(2));
    for row in table.lines().filter(|row| row.contains('✔')) {
        let is_about_a_name = row.contains("AssignRole") || row.contains("GrantPermission");
        assert!(is_about_a_name, "{row}");
    }
    insta::assert_snapshot!("permissions_other", table);
}

#[test]
fn only_reading_is_allowed_in_a_deactivated_organization() {
    let acme = Tenant::deactivated(1);
    let table = matrix(&acme, &acme);
    for row in table.lines().filter(|row| row.contains('✔')) {
        assert!(row.contains(":Get") || row.contains(":List"), "{row}");
    }
    insta::assert_snapshot!("permissions_deactivated", table);
}
