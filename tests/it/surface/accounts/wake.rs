//! Re-activating an account grants all that its service accounts have (contract section 4).

use charter_domain::permission::Permission;
use serde_json::{Value, json};
use test_support::on_both_services;
use test_support::service::{Grants, Persona, Service, TeamRole, Tenant};

use super::{new_account, path};

on_both_services!(
    reactivating_needs_the_grants_of_all_in_the_account,
    disabled_ones_in_the_account_are_not_checked,
);

/// A sleeping account in which a service account has that.
async fn asleep(acme: &Tenant<'_>, grants: Grants<'_>) -> (String, test_support::service::Signer) {
    let manager = acme.manager().await;
    let made = new_account(&manager, "Night shift").await;
    let id = made["id"].as_str().expect("an id").parse().expect("an id");
    let account = acme.stored().account(id).await.expect("found");
    let signer = acme.signer_in(&account, grants).await;
    manager
        .patch(&path(&made), json!({"is_active": false}))
        .await
        .ok();
    (path(&made), signer)
}

async fn reactivating_needs_the_grants_of_all_in_the_account(service: &Service) {
    let acme = service.organization("acme").await;
    let grants = Grants {
        roles: &["owner"],
        permissions: &[Permission::GetOrganization],
        ..Grants::default()
    };
    let (account, sleeper) = asleep(&acme, grants).await;
    let wake = json!({"is_active": true, "name": "Day shift"});
    let updater = acme.signer(&[Permission::UpdateAccount]).await;
    let admin = acme.person(TeamRole::Admin).await;
    let refused = [
        updater.patch(&account, wake.clone()).await,
        admin.patch(&account, wake.clone()).await,
        acme.manager().await.patch(&account, wake.clone()).await,
    ];
    for refused in refused {
        refused.assert_refused(403, "NOT_PERMITTED");
        let error = &refused.json()["error"];
        assert!(
            error["message"].to_string().contains("role `owner`"),
            "{error}"
        );
        assert_eq!(error["details"], Value::Null);
    }
    sleeper
        .get("/organizations/info")
        .await
        .assert_refused(401, "SERVICE_ACCOUNT_DISABLED");
    let owner = acme.person(TeamRole::Owner).await;
    let still = owner.get(&account).await.ok();
    assert_eq!(
        (&still["is_active"], &still["name"]),
        (&json!(false), &json!("Night shift"))
    );
    // All but waking it up is no grant.
    updater.patch(&account, json!({"name": "x"})).await.ok();
    assert_eq!(owner.patch(&account, wake).await.ok()["is_active"], true);
    sleeper.get("/organizations/info").await.ok();
}

async fn disabled_ones_in_the_account_are_not_checked(service: &Service) {
    let acme = service.organization("acme").await;
    let rich = Grants {
        roles: &["owner"],
        ..Grants::default()
    };
    let (account, disabled) = asleep(&acme, rich).await;
    let owner = acme.person(TeamRole::Owner).await;
    let updater = acme
        .signer(&[Permission::UpdateAccount, Permission::GetOrganization])
        .await;
    let wake = || updater.patch(&account, json!({"is_active": true}));
    wake().await.assert_refused(403, "NOT_PERMITTED");
    owner
        .patch(&disabled.path(), json!({"is_active": false}))
        .await
        .ok();
    wake().await.ok();
    // Nobody is asked while it is awake.
    wake().await.ok();
    owner
        .patch(&account, json!({"is_active": false}))
        .await
        .ok();
    // What was deleted does not come back; what the waker has itself may.
    let id = account
        .trim_start_matches("/accounts/")
        .parse()
        .expect("an id");
    let stored = acme.stored().account(id).await.expect("found");
    let poor = Grants {
        permissions: &[Permission::GetOrganization],
        ..Grants::default()
    };
    let poor = acme.signer_in(&stored, poor).await;
    owner.delete(&disabled.path()).await.no_content();
    wake().await.ok();
    poor.get("/organizations/info").await.ok();
}
