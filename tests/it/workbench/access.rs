//! `POST /policies/access`: who may do this to that, and what may this one do.

use std::collections::BTreeSet;

use charter_domain::permission::Permission;
use serde_json::{Value, json};
use test_support::service::{Persona as _, Service, TeamRole};

use super::{on_both, post};

const PATH: &str = "/policies/access";

on_both!(
    subjects_are_all_whom_policy_allows_now,
    permissions_are_searched_over_all_resources,
    unknown_records_and_incomplete_questions_are_refused,
);

/// All pages.
async fn all(service: &Service, question: &Value) -> Vec<Value> {
    let mut question = question.clone();
    let mut found = Vec::new();
    loop {
        let page = post(service, PATH, &question).await.ok();
        found.extend(page["results"].as_array().expect("a list").iter().cloned());
        if page["next_cursor"].is_null() {
            return found;
        }
        question["cursor"] = page["next_cursor"].clone();
    }
}

fn ids(found: &[Value], of: &str) -> BTreeSet<String> {
    found
        .iter()
        .map(|it| it[of]["id"].as_str().expect("an id").to_owned())
        .collect()
}

fn typed(uuid: &str) -> String {
    charter_domain::id::UserId::from_uuid(uuid.parse().expect("a UUID")).to_string()
}

async fn subjects_are_all_whom_policy_allows_now(service: &Service) {
    let acme = service.organization("acme").await;
    let other = service.organization("other").await;
    let owner = acme.person(TeamRole::Owner).await;
    let member = acme.person(TeamRole::Member).await;
    other.person(TeamRole::Owner).await;
    let writer = acme.signer(&[Permission::UpdateOrganization]).await;
    let stopped = acme.signer(&[Permission::UpdateOrganization]).await;
    let reader = acme.signer(&[Permission::GetOrganization]).await;
    owner
        .patch(&stopped.path(), json!({"is_active": false}))
        .await
        .ok();
    let organization = acme.organization.id.to_string();
    let question = |action: Permission| {
        json!({
            "action": {"name": action.as_str()},
            "resource": {"type": "Organization", "id": organization},
        })
    };
    let found = all(service, &question(Permission::UpdateOrganization)).await;
    assert_eq!(
        ids(&found, "subject"),
        [typed(&owner.id), writer.id.clone()].into()
    );
    let by = found
        .iter()
        .find(|it| it["subject"]["id"] == writer.id.as_str());
    assert_eq!(
        by.expect("there")["policies"],
        json!(["organizations:UpdateOrganization"])
    );
    let found = all(service, &question(Permission::GetOrganization)).await;
    let expected = [typed(&owner.id), typed(&member.id), reader.id.clone()];
    assert_eq!(ids(&found, "subject"), expected.into());
    // By a folder that is sent along.
    let mut stop = question(Permission::GetOrganization);
    stop["changes"] =
        json!({"stop.cedar": "@id(\"stop\")\nforbid (principal is User, action, resource);\n"});
    assert_eq!(
        ids(&all(service, &stop).await, "subject"),
        [reader.id.clone()].into()
    );
    // Roles belong to no organization.
    let mut role = json!({
        "action": {"name": "team:AssignRole"},
        "resource": {"type": "Role", "id": "owner"},
    });
    let unnamed = post(service, PATH, &role).await;
    assert_eq!(unnamed.broken_on_portal(), ["/organization"]);
    role["organization"] = json!(organization);
    assert_eq!(
        ids(&all(service, &role).await, "subject"),
        [typed(&owner.id)].into()
    );
}

async fn permissions_are_searched_over_all_resources(service: &Service) {
    let acme = service.organization("acme").await;
    let other = service.organization("other").await;
    other.signer(&[]).await;
    let member = acme.person(TeamRole::Member).await;
    let manager = acme
        .signer(&[Permission::GetServiceAccount, Permission::GetOrganization])
        .await;
    let subject = json!({"subject": {"type": "ServiceAccount", "id": manager.id}});
    let found = all(service, &subject).await;
    let facts: BTreeSet<(String, String)> = found
        .iter()
        .map(|it| {
            let text = |value: &Value| value.as_str().expect("text").to_owned();
            (text(&it["action"]), text(&it["resource"]["id"]))
        })
        .collect();
    // What it has, it may also grant.
    let fact = |action: Permission, id: &str| (action.to_string(), id.to_owned());
    let (read, show) = (Permission::GetOrganization, Permission::GetServiceAccount);
    let expected = [
        fact(read, &acme.organization.id.to_string()),
        fact(show, &manager.id),
        fact(Permission::GrantPermission, read.as_str()),
        fact(Permission::GrantPermission, show.as_str()),
    ];
    assert_eq!(facts, expected.into());
    let of_member = json!({
        "subject": {"type": "User", "id": member.id},
        "action": {"name": "team:ListMembers"},
        "resource": {"type": "Organization", "id": acme.organization.id.to_string()},
    });
    let found = all(service, &of_member).await;
    assert_eq!(found.len(), 1, "{found:?}");
    assert_eq!(
        found[0]["subject"],
        json!({"type": "User", "id": typed(&member.id)})
    );
    let mut elsewhere = of_member.clone();
    elsewhere["resource"]["id"] = json!(other.organization.id.to_string());
    assert!(all(service, &elsewhere).await.is_empty());

    // More than a page of them.
    for _ in 0..103 {
        acme.signer(&[]).await;
    }
    let mut accounts = subject.clone();
    accounts["action"] = json!({"name": "service-accounts:GetServiceAccount"});
    let found = all(service, &accounts).await;
    assert_eq!((found.len(), ids(&found, "resource").len()), (104, 104));
    // A cursor is good for its own question only.
    let first = post(service, PATH, &accounts).await.ok();
    let mut other = accounts.clone();
    other["cursor"] = first["next_cursor"].clone();
    post(service, PATH, &other).await.ok();
    other["action"] = json!({"name": "service-accounts:ListKeys"});
    let refused = post(service, PATH, &other).await;
    assert_eq!(refused.broken_on_portal(), ["/cursor"]);
}

async fn unknown_records_and_incomplete_questions_are_refused(service: &Service) {
    let acme = service.organization("acme").await;
    let organization = json!({"type": "Organization", "id": acme.organization.id.to_string()});
    let nobody = json!({"subject": {"type": "User", "id": "user-nonsense"}});
    post(service, PATH, &nobody)
        .await
        .assert_refused(404, "NOT_FOUND");
    let action = json!({"name": "team:ListMembers"});
    let nothing = json!({"action": action, "resource": {"type": "Account", "id": "acc-x"}});
    post(service, PATH, &nothing)
        .await
        .assert_refused(404, "NOT_FOUND");
    for (question, field) in [
        (json!({}), "/subject"),
        (json!({"action": action}), "/subject"),
        (json!({"resource": organization}), "/subject"),
        (
            json!({"subject": {"type": "Robot", "id": "x"}}),
            "/subject/type",
        ),
        (json!({"subject": {"type": "User"}}), "/subject/id"),
        (
            json!({"action": {"name": "fly"}, "resource": organization}),
            "/action/name",
        ),
        (
            json!({"action": action, "resource": organization, "organization": "x"}),
            "/organization",
        ),
        (
            json!({"action": action, "resource": organization, "cursor": "x"}),
            "/cursor",
        ),
        (
            json!({"action": action, "resource": organization, "cursor": "Role."}),
            "/cursor",
        ),
        (
            json!({"action": action, "resource": organization, "cursor": "ServiceAccount.x"}),
            "/cursor",
        ),
    ] {
        let answer = post(service, PATH, &question).await;
        assert_eq!(answer.broken_on_portal(), [field], "{question}");
    }
}
