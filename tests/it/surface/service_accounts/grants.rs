//! Nobody grants what it may not (contract section 4): as shipped, a service account gives away
//! permissions that it holds, and no role.

use charter_domain::permission::Permission;
use serde_json::{Value, json};
use test_support::on_both_services;
use test_support::service::{Grants, Persona, Service, Signer, everything, everything_but};

use super::SERVICE_ACCOUNTS;

on_both_services!(
    a_new_service_account_gets_no_more_than_its_maker_has,
    a_patch_adds_no_more_than_its_sender_has,
    existing_grants_may_stay_and_go,
    no_service_account_gives_a_role,
    holding_the_grant_permission_adds_nothing,
    a_key_grants_all_that_its_owner_has,
    waking_up_grants_all_that_the_sleeper_has,
    ones_own_key_is_rotated_without_asking,
    names_that_the_schema_lacks_are_no_free_grants,
    one_denial_changes_nothing,
    a_denial_names_what_was_refused,
);

const DECISIONS: &str = "decisions:GetDecision";
const GET: &str = "organizations:GetOrganization";

async fn a_new_service_account_gets_no_more_than_its_maker_has(service: &Service) {
    let manager = service.organization("acme").await.manager().await;
    let with = |permissions: Value| json!({"name": "x", "permissions": permissions});
    manager
        .post(SERVICE_ACCOUNTS, with(json!([GET])))
        .await
        .created();
    for too_much in [
        json!([DECISIONS]),
        json!([GET, DECISIONS]),
        json!(["organizations:DeactivateOrganization"]),
    ] {
        let answer = manager.post(SERVICE_ACCOUNTS, with(too_much)).await;
        answer.assert_refused(403, "NOT_PERMITTED");
    }
    assert_eq!(manager.get(SERVICE_ACCOUNTS).await.ok()["total"], 2);
}

async fn a_patch_adds_no_more_than_its_sender_has(service: &Service) {
    let acme = service.organization("acme").await;
    let (manager, other) = (acme.manager().await, acme.signer(&[]).await);
    let patch =
        |permissions: Value| manager.patch(&other.path(), json!({"permissions": permissions}));
    assert_eq!(patch(json!([GET])).await.ok()["permissions"], json!([GET]));
    patch(json!([GET, DECISIONS]))
        .await
        .assert_refused(403, "NOT_PERMITTED");
    // Not to itself either.
    let own = manager
        .patch(&manager.path(), json!({"permissions": [DECISIONS]}))
        .await;
    own.assert_refused(403, "NOT_PERMITTED");
    assert_eq!(
        manager.get(&other.path()).await.ok()["permissions"],
        json!([GET])
    );
}

async fn existing_grants_may_stay_and_go(service: &Service) {
    let acme = service.organization("acme").await;
    let manager = acme.manager().await;
    let rich = acme
        .signer_with(Grants {
            roles: &["member"],
            permissions: &[Permission::GetDecision, Permission::DeactivateOrganization],
            ..Grants::default()
        })
        .await;
    let patch = |body: Value| manager.patch(&rich.path(), body);
    patch(json!({"name": "renamed"})).await.ok();
    let rest = json!([DECISIONS, "organizations:DeactivateOrganization", GET]);
    assert_eq!(
        patch(json!({"permissions": rest, "roles": ["member"]}))
            .await
            .ok()["permissions"],
        rest
    );
    assert_eq!(
        patch(json!({"permissions": [GET], "roles": []})).await.ok()["roles"],
        json!([])
    );
    // What is gone is not there any more.
    patch(json!({"permissions": [GET, DECISIONS]}))
        .await
        .assert_refused(403, "NOT_PERMITTED");
    patch(json!({"roles": ["member"]}))
        .await
        .assert_refused(403, "NOT_PERMITTED");
}

async fn no_service_account_gives_a_role(service: &Service) {
    let acme = service.organization("acme").await;
    let permissions = everything();
    let owner = acme
        .signer_with(Grants {
            roles: &["owner"],
            permissions: &permissions,
            ..Grants::default()
        })
        .await;
    let other = acme.signer(&[]).await;
    for role in ["owner", "admin", "member"] {
        let made = owner
            .post(SERVICE_ACCOUNTS, json!({"name": "x", "roles": [role]}))
            .await;
        made.assert_refused(403, "NOT_PERMITTED");
        let patched = owner.patch(&other.path(), json!({"roles": [role]})).await;
        patched.assert_refused(403, "NOT_PERMITTED");
    }
}

async fn holding_the_grant_permission_adds_nothing(service: &Service) {
    let acme = service.organization("acme").await;
    let manager = acme.manager().await;
    assert!(everything().contains(&Permission::GrantPermission));
    let without = [
        Permission::GrantPermission,
        Permission::AssignServiceAccountRole,
    ];
    let other = acme.signer(&everything_but(&without)).await;
    for who in [&manager, &other] {
        let made = |permission: &str| {
            who.post(
                SERVICE_ACCOUNTS,
                json!({"name": "x", "permissions": [permission]}),
            )
        };
        made(GET).await.created();
        made(DECISIONS).await.assert_refused(403, "NOT_PERMITTED");
    }
}

/// A service account that has more than every manager: its keys and its waking are grants.
async fn richer(service: &Service) -> (Signer, Signer) {
    let acme = service.organization("acme").await;
    let rich = acme
        .signer(&[Permission::GetOrganization, Permission::GetDecision])
        .await;
    (acme.manager().await, rich)
}

async fn a_key_grants_all_that_its_owner_has(service: &Service) {
    let (manager, rich) = richer(service).await;
    let rotate = format!("{}/rotate", rich.key());
    manager
        .post(&rich.keys(), json!({}))
        .await
        .assert_refused(403, "NOT_PERMITTED");
    manager
        .post(&rotate, json!({}))
        .await
        .assert_refused(403, "NOT_PERMITTED");
    assert_eq!(manager.get(&rich.keys()).await.ok()["total"], 1);
    // Taking away is no grant.
    let poorer = json!({"permissions": [GET]});
    manager.patch(&rich.path(), poorer).await.ok();
    manager.post(&rich.keys(), json!({})).await.created();
    manager.post(&rotate, json!({})).await.created();
    let acme = service.organization("roles").await;
    let member = acme
        .signer_with(Grants {
            roles: &["member"],
            ..Grants::default()
        })
        .await;
    let manager = acme.manager().await;
    manager
        .post(&member.keys(), json!({}))
        .await
        .assert_refused(403, "NOT_PERMITTED");
    manager.delete(&member.key()).await.no_content();
}

async fn waking_up_grants_all_that_the_sleeper_has(service: &Service) {
    let (manager, rich) = richer(service).await;
    let set = |active: bool| manager.patch(&rich.path(), json!({"is_active": active}));
    // To an active one, "active" adds nothing.
    set(true).await.ok();
    set(false).await.ok();
    set(false).await.ok();
    set(true).await.assert_refused(403, "NOT_PERMITTED");
    rich.get("/organizations/info")
        .await
        .assert_refused(401, "SERVICE_ACCOUNT_DISABLED");
    // What it would have afterwards counts.
    let poorer = json!({"is_active": true, "permissions": [GET]});
    manager.patch(&rich.path(), poorer).await.ok();
    rich.get("/organizations/info").await.ok();
    // A revoked key stays dead through it.
    manager.delete(&rich.key()).await.no_content();
    set(false).await.ok();
    set(true).await.ok();
    rich.get("/organizations/info")
        .await
        .assert_refused(401, "KEY_REVOKED");
}

async fn ones_own_key_is_rotated_without_asking(service: &Service) {
    let acme = service.organization("acme").await;
    let member = acme
        .signer_with(Grants {
            roles: &["member"],
            permissions: &[Permission::RotateKey, Permission::CreateKey],
            ..Grants::default()
        })
        .await;
    let rotated = member
        .post(&format!("{}/rotate", member.key()), json!({}))
        .await
        .created();
    let holder = service.holder(&rotated);
    holder.get("/organizations/info").await.ok();
    // The other key of the same service account, which still signs, is none of its own.
    let sibling = holder
        .post(&format!("{}/rotate", member.key()), json!({}))
        .await;
    sibling.assert_refused(403, "NOT_PERMITTED");
    // A second key of its own is a grant like any other.
    member
        .post(&member.keys(), json!({}))
        .await
        .assert_refused(403, "NOT_PERMITTED");
    // And rotating still takes the permission to.
    let reader = acme.signer(&[Permission::GetOrganization]).await;
    let refused = reader
        .post(&format!("{}/rotate", reader.key()), json!({}))
        .await;
    refused.assert_refused(403, "NOT_PERMITTED");
}

/// The schema may declare them again.
async fn names_that_the_schema_lacks_are_no_free_grants(service: &Service) {
    let acme = service.organization("acme").await;
    let manager = acme.manager().await;
    let herald = acme
        .signer_with(Grants {
            roles: &["herald"],
            ..Grants::default()
        })
        .await;
    let set = |body: Value| manager.patch(&herald.path(), body);
    let rotate = format!("{}/rotate", herald.key());
    for path in [&herald.keys(), &rotate] {
        let refused = manager.post(path, json!({})).await;
        refused.assert_refused(403, "NOT_PERMITTED");
        let message = refused.json()["error"]["message"].to_string();
        assert!(message.contains("herald"), "{message}");
    }
    set(json!({"is_active": false})).await.ok();
    set(json!({"is_active": true}))
        .await
        .assert_refused(403, "NOT_PERMITTED");
    set(json!({"is_active": true, "roles": []})).await.ok();
    manager.post(&herald.keys(), json!({})).await.created();
}

async fn one_denial_changes_nothing(service: &Service) {
    let acme = service.organization("acme").await;
    let (manager, other) = (acme.manager().await, acme.signer(&[]).await);
    let before = manager.get(&other.path()).await;
    service.clock.advance(60);
    let body = json!({"name": "Other", "description": "x", "permissions": [GET, DECISIONS], "metadata": {"a": 1}});
    manager
        .patch(&other.path(), body)
        .await
        .assert_refused(403, "NOT_PERMITTED");
    let after = manager.get(&other.path()).await;
    assert_eq!((after.ok(), after.etag()), (before.ok(), before.etag()));
}

async fn a_denial_names_what_was_refused(service: &Service) {
    let (manager, rich) = richer(service).await;
    let refusal = async |request: test_support::service::Request| {
        let answer = request.await;
        answer.assert_refused(403, "NOT_PERMITTED");
        let error = answer.json()["error"].clone();
        assert_eq!(error["details"], Value::Null, "not a fault of a value");
        error["message"].as_str().expect("a sentence").to_owned()
    };
    let new = |roles: Value, permissions: Value| {
        let body = json!({"name": "x", "roles": roles, "permissions": permissions});
        manager.post(SERVICE_ACCOUNTS, body)
    };
    assert_eq!(
        refusal(new(json!(["member"]), json!([]))).await,
        "no policy permits `service-accounts:AssignRole` of the role `member` here"
    );
    let permission = "no policy permits `service-accounts:GrantPermission` of the permission `decisions:GetDecision` here";
    assert_eq!(
        refusal(new(json!([]), json!([GET, DECISIONS]))).await,
        permission
    );
    // So is what the owner of a key has already.
    assert_eq!(
        refusal(manager.post(&rich.keys(), json!({}))).await,
        permission
    );
}
