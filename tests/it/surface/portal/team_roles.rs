//! `GET /api/portal/team/roles`: what a person of each role could do, for people who give roles.

use std::collections::BTreeMap;

use charter_domain::permission::Permission;
use serde_json::{Value, json};
use test_support::on_both_services;
use test_support::service::{Persona, Service, TeamRole};

use crate::decisions::Logged as _;

on_both_services!(
    each_role_comes_with_what_it_may_do,
    a_role_that_is_shown_to_may_is_allowed_to,
    a_deactivated_organization_shows_reads_alone,
    listing_members_shows_roles,
);

const ROLES: &str = "/api/portal/team/roles";

/// The permissions of each role, with where they end.
fn roles(answer: &Value) -> BTreeMap<String, BTreeMap<String, Vec<String>>> {
    let words = |value: &Value| value.as_str().expect("a text").to_owned();
    let list = |value: &Value| value.as_array().expect("a list").clone();
    list(answer)
        .iter()
        .map(|role| {
            let permissions = list(&role["permissions"]);
            let permissions = permissions.iter().map(|it| {
                let except = list(&it["except"]).iter().map(words).collect();
                (words(&it["name"]), except)
            });
            (words(&role["name"]), permissions.collect())
        })
        .collect()
}

async fn each_role_comes_with_what_it_may_do(service: &Service) {
    let acme = service.organization("acme").await;
    let owner = acme.person(TeamRole::Owner).await;
    let roles = roles(&owner.get(ROLES).await.ok());
    assert!(roles.keys().eq(&["admin", "member", "owner"]), "{roles:?}");
    let except = |role: &str, permission: Permission| {
        let found = roles[role].get(permission.as_str());
        found.map(|it| it.iter().map(String::as_str).collect::<Vec<_>>())
    };
    for (role, permission, expected) in [
        ("owner", Permission::DeactivateOrganization, Some(vec![])),
        ("owner", Permission::AssignTeamRole, Some(vec![])),
        ("owner", Permission::GetDecision, None),
        ("admin", Permission::DeactivateOrganization, None),
        ("admin", Permission::UpdateOrganization, Some(vec![])),
        ("admin", Permission::ChangeRole, Some(vec!["owner"])),
        ("admin", Permission::AssignTeamRole, Some(vec!["owner"])),
        (
            "admin",
            Permission::GrantPermission,
            Some(vec!["organizations:DeactivateOrganization"]),
        ),
        ("member", Permission::ListMembers, Some(vec![])),
        ("member", Permission::InviteMember, None),
        ("member", Permission::ListDecisions, None),
    ] {
        assert_eq!(except(role, permission), expected, "{role} {permission}");
    }
}

async fn a_role_that_is_shown_to_may_is_allowed_to(service: &Service) {
    let acme = service.organization("acme").await;
    for role in [TeamRole::Owner, TeamRole::Admin, TeamRole::Member] {
        let person = acme.person(role).await;
        let shown = roles(&person.get(ROLES).await.ok());
        let shown = &shown[role.as_ref()];
        let me = person.get("/api/portal/me").await.ok();
        // On the organization itself.
        for allowed in me["permissions"].as_array().expect("a list") {
            let allowed = allowed.as_str().expect("a name");
            assert!(shown.contains_key(allowed), "{} {allowed}", role.as_ref());
        }
    }
}

async fn a_deactivated_organization_shows_reads_alone(service: &Service) {
    let acme = service.organization("acme").await;
    let owner = acme.person(TeamRole::Owner).await;
    let deactivate = "/api/portal/organization/deactivate";
    owner.ask("POST", deactivate).await.ok();
    let roles = roles(&owner.get(ROLES).await.ok());
    let may = |permission: Permission| roles["owner"].contains_key(permission.as_str());
    assert!(may(Permission::ListMembers));
    assert!(!may(Permission::InviteMember) && !may(Permission::UpdateOrganization));
}

async fn listing_members_shows_roles(service: &Service) {
    let acme = service.organization("acme").await;
    let member = acme.person(TeamRole::Member).await;
    member.get(ROLES).await.ok();
    // What would be is asked off the record.
    let logged = service.logged();
    let actions: Vec<_> = logged.iter().map(|it| &it["action"]["id"]).collect();
    assert_eq!(actions, [Permission::ListMembers.as_str()]);
    let program = acme.signer(&[Permission::ListMembers]).await;
    program
        .get(ROLES)
        .await
        .assert_refused(401, "MALFORMED_AUTHORIZATION");
    let odd = member.get(&format!("{ROLES}?role=owner")).await;
    odd.assert_refused(400, "BAD_PARAMETER");
    let written = member.post(ROLES, json!({})).await;
    written.assert_refused(405, "METHOD_NOT_ALLOWED");
}
