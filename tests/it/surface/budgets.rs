//! An organization that has used up what it may change or store is refused, alone.

use std::time::Duration;

use charter_domain::permission::Permission;
use charter_domain::progress::Progress;
use serde_json::{Map, json};
use test_support::on_both_services;
use test_support::service::{PASSWORD, Person, Persona, Service, TeamRole};
use test_support::services::TestDatabase;

const INFO: &str = "/organizations/info";
const PERMISSIONS: [Permission; 3] = [
    Permission::GetOrganization,
    Permission::UpdateOrganization,
    Permission::RevokeKey,
];

on_both_services!(a_small_change_of_large_metadata_is_a_small_event);

/// Forty thousand of them a day are what the shipped budget allows, instead of eight thousand.
async fn a_small_change_of_large_metadata_is_a_small_event(service: &Service) {
    let acme = service.organization("acme").await;
    let editor = acme.signer(&PERMISSIONS).await;
    let many: Map<_, _> = (0..40)
        .map(|n| (format!("key-{n}"), json!({"text": "x".repeat(350), "n": n})))
        .collect();
    editor.patch(INFO, json!({"metadata": many})).await.ok();
    let change = json!({"metadata": {"key-7": {"n": 8}, "key-9": null, "new": 1}});
    editor.patch(INFO, change).await.ok();
    let events = service.audited("organizations:UpdateOrganization").await;
    let (_, _, changes) = events.last().expect("an event");
    let changes: serde_json::Value = serde_json::from_str(changes).expect("json");
    let (before, after) = (
        &changes["before"]["metadata"],
        &changes["after"]["metadata"],
    );
    assert_eq!(after, &json!({"key-7": {"n": 8}, "new": 1}));
    assert_eq!(before["key-7"], json!({"n": 7}));
    assert_eq!(before["key-9"]["n"], 9);
    assert_eq!(before.as_object().map(Map::len), Some(2));
    assert!(changes.to_string().len() < 700, "{changes}");
    let report = service
        .store()
        .verify_audit(None, &Progress::default())
        .await;
    let report = report.expect("a report");
    assert!(report.findings.is_empty(), "{:?}", report.findings);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_organization_that_has_used_up_its_changes_waits_alone() {
    let service = Service::with(TestDatabase::sqlite(), "[budgets]\nwrites_per_hour = 3\n").await;
    let (acme, globex) = (
        service.organization("acme").await,
        service.organization("globex").await,
    );
    let (editor, leaked) = (
        acme.signer(&PERMISSIONS).await,
        acme.signer(&PERMISSIONS).await,
    );
    for n in 0..3 {
        leaked
            .patch(INFO, json!({"name": format!("Acme {n}")}))
            .await
            .ok();
    }
    let refused = editor.patch(INFO, json!({"name": "Acme"})).await;
    refused.assert_refused(429, "RATE_LIMIT_EXCEEDED");
    let headers = ["limit", "remaining", "reset"]
        .map(|name| refused.header(&format!("x-ratelimit-{name}")).expect(name));
    assert_eq!(headers, ["3", "0", "1200"]);
    assert_eq!(refused.header("retry-after"), Some("1200"));
    // Reading goes on, and so do others and operators, and what only takes away.
    assert_eq!(editor.get(INFO).await.ok()["name"], "Acme 2");
    let other = globex.signer(&PERMISSIONS).await;
    other.patch(INFO, json!({"name": "Globex"})).await.ok();
    editor.delete(&leaked.key()).await.no_content();
    leaked.get(INFO).await.assert_refused(401, "KEY_REVOKED");
    service.clock.advance(1_200);
    editor.patch(INFO, json!({"name": "Acme"})).await.ok();
    service.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_organization_that_has_stored_its_share_waits() {
    let settings = "[budgets]\nstored_bytes_per_day = 20000\n";
    let service = Service::with(TestDatabase::sqlite(), settings).await;
    let acme = service.organization("acme").await;
    let editor = acme.signer(&PERMISSIONS).await;
    let large = |letter: &str| json!({"metadata": {"text": letter.repeat(10_000)}});
    editor.patch(INFO, large("a")).await.ok();
    let refused = editor.patch(INFO, large("b")).await;
    refused.assert_refused(429, "RATE_LIMIT_EXCEEDED");
    let message = refused.json()["error"]["message"].to_string();
    assert!(message.contains("its share of stored bytes"), "{message}");
    assert_eq!(refused.header("x-ratelimit-limit"), Some("20000"));
    let wait = refused.header("retry-after").expect("a time").parse();
    service.clock.advance(wait.expect("seconds"));
    editor.patch(INFO, large("b")).await.ok();
    service.stop().await;
}

/// Whoever floods the log with denials is throttled before its organization is, and cannot keep it from ending that.
async fn a_used_up_decision_log_refuses_no_removal(database: TestDatabase) {
    let settings = "[budgets]\ndecision_log_bytes_per_hour = 20000\nwrites_per_hour = 2\n";
    let service = Service::with(database, settings).await;
    let acme = service.organization("acme").await;
    let (owner, second, member) = (
        acme.person(TeamRole::Owner).await,
        acme.person_named("second@acme.example", TeamRole::Owner)
            .await,
        acme.person_named("member@acme.example", TeamRole::Member)
            .await,
    );
    let mut noisy = Vec::new();
    let other = acme.signer(&[]).await;
    let quiet = acme
        .signer(&[Permission::GetOrganization, Permission::ListAccounts])
        .await;
    // Each of them leaves half of what there was.
    while owner.get("/api/portal/organization").await.status == 200 {
        assert!(noisy.len() < 20, "something is always left");
        let signer = acme.signer(&PERMISSIONS[..1]).await;
        loop {
            let answer = signer.get("/accounts").await;
            assert!(service.state().decisions.flush(Duration::from_secs(5)));
            if answer.status != 403 {
                answer.assert_refused(429, "RATE_LIMIT_EXCEEDED");
                let whose = ["the caller", "the organization"];
                let message = answer.json()["error"]["message"].to_string();
                assert!(
                    whose.iter().any(|whose| message.contains(whose)),
                    "{message}"
                );
                break;
            }
            answer.assert_refused(403, "NOT_PERMITTED");
        }
        noisy.push(signer);
    }
    assert!(noisy.len() > 2, "{}", noisy.len());
    let off = json!({"is_active": false});
    // What only takes away goes on, for whom policy allows it; nothing else does.
    let change = owner.patch(&noisy[0].path(), json!({"is_active": false, "name": "x"}));
    change.await.assert_refused(429, "RATE_LIMIT_EXCEEDED");
    let denied = noisy[1].delete(&noisy[0].key()).await;
    denied.assert_refused(429, "RATE_LIMIT_EXCEEDED");
    owner.delete(&noisy[0].key()).await.no_content();
    noisy[0]
        .get("/accounts")
        .await
        .assert_refused(401, "KEY_REVOKED");
    let reversed =
        json!({"permissions": ["accounts:ListAccounts", "organizations:GetOrganization"]});
    let reordered = owner.patch(&quiet.path(), reversed);
    reordered.await.assert_refused(429, "RATE_LIMIT_EXCEEDED");
    let without = json!({"permissions": []});
    for _ in 0..3 {
        owner.patch(&noisy[1].path(), without.clone()).await.ok();
    }
    owner.patch(&noisy[1].path(), off).await.ok();
    let refused = noisy[1].get("/accounts").await;
    refused.assert_refused(401, "SERVICE_ACCOUNT_DISABLED");
    let on = owner.patch(&noisy[1].path(), json!({"is_active": true}));
    on.await.assert_refused(429, "RATE_LIMIT_EXCEEDED");
    owner.delete(&other.path()).await.no_content();
    let team = |member: &Person| format!("/api/portal/team/{}", member.id);
    owner.delete(&team(&member)).await.ok();
    // An owner is removed by way of another role.
    let role = |role: &str| json!({"role": role});
    let demoted = owner.put(&format!("{}/role", team(&second)), role("admin"));
    demoted.await.ok();
    let promoted = owner.put(&format!("{}/role", team(&second)), role("owner"));
    promoted.await.assert_refused(429, "RATE_LIMIT_EXCEEDED");
    owner.delete(&team(&second)).await.ok();
    let deactivated = owner.ask("POST", "/api/portal/organization/deactivate");
    assert_eq!(deactivated.await.ok()["isActive"], false);
    service.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_used_up_decision_log_refuses_no_removal_on_sqlite() {
    Box::pin(a_used_up_decision_log_refuses_no_removal(
        TestDatabase::sqlite(),
    ))
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_used_up_decision_log_refuses_no_removal_on_postgres() {
    if let Some(database) = TestDatabase::empty_postgres().await {
        Box::pin(a_used_up_decision_log_refuses_no_removal(database)).await;
    }
}

/// Sign-ins are charged, and go on when the share is used up. Refreshes are not: whoever has the lowest role can make
/// any number of them.
async fn sign_ins_are_changes_and_refreshes_are_not(database: TestDatabase) {
    let settings = "[budgets]\nwrites_per_hour = 4\n[portal]\nrefreshes_per_minute = 0\n";
    let service = Service::with(database, settings).await;
    let acme = service.organization("acme").await;
    let mut owner = acme.person(TeamRole::Owner).await;
    let rename = |by: &Person| {
        let body = json!({"name": "Acme", "slug": "acme"});
        by.put("/api/portal/organization", body)
    };
    rename(&owner).await.ok();
    for _ in 0..20 {
        let answer = owner.refresh().await;
        owner = service.person(&owner.email, &answer);
    }
    rename(&owner).await.ok();
    for _ in 0..3 {
        owner = service.sign_in(&owner.email, PASSWORD).await;
    }
    let refused = rename(&owner).await;
    refused.assert_refused(429, "RATE_LIMIT_EXCEEDED");
    let message = refused.json()["error"]["message"].to_string();
    assert!(message.contains("its share of changes"), "{message}");
    owner = service.person(&owner.email, &owner.refresh().await);
    // More than one of them is to be made up for.
    service.clock.advance(900);
    owner = service.person(&owner.email, &owner.refresh().await);
    rename(&owner)
        .await
        .assert_refused(429, "RATE_LIMIT_EXCEEDED");
    service.clock.advance(1_800);
    let owner = service.person(&owner.email, &owner.refresh().await);
    rename(&owner).await.ok();
    service.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn sign_ins_are_changes_and_refreshes_are_not_on_sqlite() {
    Box::pin(sign_ins_are_changes_and_refreshes_are_not(
        TestDatabase::sqlite(),
    ))
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn sign_ins_are_changes_and_refreshes_are_not_on_postgres() {
    if let Some(database) = TestDatabase::empty_postgres().await {
        Box::pin(sign_ins_are_changes_and_refreshes_are_not(database)).await;
    }
}
