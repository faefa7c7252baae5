//! `GET /permissions`: what there is to give, and what the caller may give.

use std::collections::BTreeSet;

use charter_domain::permission::Permission;
use serde_json::{Value, json};
use test_support::on_both_services;
use test_support::service::{Persona, Service, TeamRole, members};

use crate::decisions::Logged as _;

const PERMISSIONS: &str = "/permissions";

on_both_services!(
    all_names_of_the_schema_are_listed,
    grantable_is_what_the_caller_may_give,
    exactly_the_grantable_is_granted,
    users_who_may_not_write_may_grant_nothing,
    listing_takes_its_permission_and_nothing_else,
    only_the_listing_is_on_record,
);

/// The names of a list that the caller may give.
fn grantable(answer: &Value, list: &str) -> BTreeSet<String> {
    let names = answer[list].as_array().expect("a list").iter();
    let grantable = names.filter(|it| it["grantable"] == true);
    grantable
        .map(|it| it["name"].as_str().expect("a name").to_owned())
        .collect()
}

fn all_but(missing: &[&str]) -> BTreeSet<String> {
    let names = Permission::ALL.iter().map(|it| it.as_str());
    let left = names.filter(|name| !missing.contains(name));
    left.map(str::to_owned).collect()
}

fn set(names: &[&str]) -> BTreeSet<String> {
    names.iter().map(|&name| name.to_owned()).collect()
}

async fn all_names_of_the_schema_are_listed(service: &Service) {
    let acme = service.organization("acme").await;
    let answer = acme.manager().await.get(PERMISSIONS).await.ok();
    assert_eq!(
        members(answer.as_object().expect("an object")),
        ["permissions", "roles"]
    );
    let names = |list: &str| -> Vec<String> {
        let items = answer[list].as_array().expect("a list").iter();
        items
            .map(|item| {
                let object = item.as_object().expect("an object");
                assert_eq!(members(object), ["grantable", "name"]);
                item["name"].as_str().expect("a name").to_owned()
            })
            .collect()
    };
    assert_eq!(names("roles"), ["admin", "member", "owner"]);
    let permissions = names("permissions");
    assert!(permissions.is_sorted(), "{permissions:?}");
    assert_eq!(BTreeSet::from_iter(permissions), all_but(&[]));
}

async fn grantable_is_what_the_caller_may_give(service: &Service) {
    let acme = service.organization("acme").await;
    let deactivate = Permission::DeactivateOrganization.as_str();
    for (role, roles, permissions) in [
        (
            TeamRole::Owner,
            set(&["admin", "member", "owner"]),
            all_but(&[]),
        ),
        (
            TeamRole::Admin,
            set(&["admin", "member"]),
            all_but(&[deactivate]),
        ),
        (TeamRole::Member, set(&[]), set(&[])),
    ] {
        let answer = acme.person(role).await.get(PERMISSIONS).await.ok();
        assert_eq!(grantable(&answer, "roles"), roles, "{}", role.as_ref());
        assert_eq!(grantable(&answer, "permissions"), permissions);
    }
    // A service account grants what it holds, and no role.
    let held = [Permission::ListPermissions, Permission::GetAccount];
    let answer = acme.signer(&held).await.get(PERMISSIONS).await.ok();
    assert_eq!(grantable(&answer, "roles"), set(&[]));
    assert_eq!(
        grantable(&answer, "permissions"),
        set(&held.map(Permission::as_str))
    );
}

async fn exactly_the_grantable_is_granted(service: &Service) {
    let acme = service.organization("acme").await;
    let admin = acme.person(TeamRole::Admin).await;
    let answer = admin.get(PERMISSIONS).await.ok();
    for list in ["roles", "permissions"] {
        for item in answer[list].as_array().expect("a list") {
            let body = json!({"name": "x", list: [item["name"]]});
            let given = admin.post("/service-accounts", body).await;
            let status = if item["grantable"] == true { 201 } else { 403 };
            assert_eq!(given.status, status, "{item}");
        }
    }
}

async fn users_who_may_not_write_may_grant_nothing(service: &Service) {
    let unverified = service.register("fresh").await;
    let acme = service.organization("acme").await;
    let owner = acme.person(TeamRole::Owner).await;
    owner
        .ask("POST", "/api/portal/organization/deactivate")
        .await
        .ok();
    for person in [unverified, owner] {
        let answer = person.get(PERMISSIONS).await.ok();
        for list in ["roles", "permissions"] {
            assert_eq!(grantable(&answer, list), set(&[]));
        }
    }
}

async fn listing_takes_its_permission_and_nothing_else(service: &Service) {
    let acme = service.organization("acme").await;
    let other = acme.signer(&[Permission::GrantPermission]).await;
    other
        .get(PERMISSIONS)
        .await
        .assert_refused(403, "NOT_PERMITTED");
    let reader = acme.signer(&[Permission::ListPermissions]).await;
    reader.get(PERMISSIONS).await.ok();
    let unknown = reader.get("/permissions?page=1").await;
    unknown.assert_refused(400, "BAD_PARAMETER");
}

async fn only_the_listing_is_on_record(service: &Service) {
    let acme = service.organization("acme").await;
    acme.manager().await.get(PERMISSIONS).await.ok();
    let logged = service.logged();
    let actions: Vec<_> = logged.iter().map(|it| &it["action"]["id"]).collect();
    assert_eq!(actions, ["permissions:ListPermissions"]);
}
