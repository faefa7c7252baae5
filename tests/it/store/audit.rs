//! The audit log: what an event holds, broken heads, and a chain that goes on under a new key.

use std::sync::Arc;

use charter_domain::audit::{Actor, AuditContext};
use charter_domain::entropy::OsEntropy;
use charter_domain::progress::Progress;
use charter_store::audit_verify::AuditFinding;
use charter_store::{AuditKey, Config, Error, Store};
use test_support::services::{AUDIT_SECRET, TestDatabase};

use super::audit_chain::{Chained, rename};
use super::world::{World, name, tester};

test_support::on_both_engines![
    an_event_says_who_did_what_and_on_whose_word,
    no_event_holds_a_secret,
    a_broken_file_of_heads_is_found,
    a_chain_goes_on_under_a_new_key,
];

async fn an_event_says_who_did_what_and_on_whose_word(database: TestDatabase) {
    let chained = Chained::on(database).await;
    let events = chained.events().await;
    let actions: Vec<_> = events.iter().map(|event| event.action.as_str()).collect();
    assert_eq!(
        actions,
        [
            "operator.CreateOrganization",
            "accounts:CreateAccount",
            "service-accounts:CreateServiceAccount",
            "service-accounts:CreateKey",
            "organizations:UpdateOrganization",
            "service-accounts:RevokeKey",
            "service-accounts:DeleteServiceAccount",
        ]
    );
    let renamed = &events[4];
    assert_eq!(renamed.sequence, 5);
    assert_eq!(renamed.actor, tester().to_string());
    assert_eq!(renamed.resource, chained.acme.id.to_string());
    assert_eq!(renamed.request_id.as_deref(), Some("request-1"));
    assert_eq!(renamed.policy_digest.as_deref(), Some("digest-1"));
    assert_eq!(
        renamed.changes,
        r#"{"after":{"name":"Renamed","version":2},"before":{"name":"Acme Corporation","version":1}}"#
    );
    let heads = std::fs::read_to_string(chained.world.heads()).expect("heads");
    assert_eq!(heads.lines().count(), 14);
    let by_operator = AuditContext {
        actor: Actor::Operator(None),
        request_id: None,
        policy_digest: None,
        at: chained.world.by().at,
        precondition_failed: false,
    };
    chained
        .world
        .tenant(&chained.acme)
        .by(&by_operator)
        .update_organization(None, |organization| {
            organization.name = name("By hand");
            Ok::<_, Error>(())
        })
        .await
        .expect("renamed");
    let last = chained.events().await.pop().expect("an event");
    assert_eq!(last.action, "operator.organizations:UpdateOrganization");
    assert_eq!((last.request_id, last.policy_digest), (None, None));
}

async fn no_event_holds_a_secret(database: TestDatabase) {
    let chained = Chained::on(database).await;
    let made = &chained.events().await[3];
    for field in [
        "access_key",
        "ip_allowlist",
        "expires_at",
        "service_account_id",
    ] {
        assert!(made.changes.contains(field), "{}", made.changes);
    }
    let heads = std::fs::read_to_string(chained.world.heads()).expect("heads");
    for event in chained.events().await {
        let text = format!("{event:?}{heads}");
        for secret in ["seal", "kek-1", "opaque", "password"] {
            assert!(!text.contains(secret), "`{secret}` in {text}");
        }
    }
}

async fn a_broken_file_of_heads_is_found(database: TestDatabase) {
    let chained = Chained::on(database).await;
    let path = chained.world.heads();
    let whole = std::fs::read_to_string(&path).expect("heads");
    let mut lines: Vec<_> = whole.lines().map(str::to_owned).collect();
    // Appended in another order than committed: no fault.
    lines.reverse();
    std::fs::write(&path, lines.join("\n")).expect("heads");
    assert_eq!(chained.findings().await, []);
    std::fs::write(&path, whole.replacen("\"sequence\":4", "\"sequence\":5", 1)).expect("heads");
    assert_eq!(chained.findings().await, [chained.other_head(5)]);
    std::fs::write(&path, format!("{whole}{{\"head\":\"org-\"}}\n")).expect("heads");
    assert_eq!(
        chained.findings().await,
        [AuditFinding::MalformedHead { line: 15 }]
    );
    std::fs::write(&path, [whole.as_bytes(), b"\xff\xfe\n"].concat()).expect("heads");
    assert_eq!(
        chained.findings().await,
        [AuditFinding::MalformedHead { line: 15 }]
    );
    std::fs::write(&path, format!("{whole}{{\"organization\":\"org-")).expect("heads");
    let report = chained.world.audit().await;
    assert_eq!((report.findings, report.torn_heads), (vec![], vec![15]));
    // The next head stands on a line of its own.
    let again = World::on_existing(&chained.world.database).await;
    again
        .reactivate_organization(chained.acme.id, &chained.world.by())
        .await
        .expect("as it is");
    again.close().await;
    rename(&chained.world, &chained.acme, "After the crash").await;
    let report = chained.world.audit().await;
    assert_eq!((report.findings, report.torn_heads), (vec![], vec![]));
    assert_eq!(report.heads, 15);
    std::fs::remove_file(&path).expect("no heads");
    let unreadable = chained
        .world
        .store
        .verify_audit(Some(&path), &Progress::default())
        .await;
    assert!(matches!(unreadable, Err(Error::Unusable(_))));
}

async fn a_chain_goes_on_under_a_new_key(database: TestDatabase) {
    let chained = Chained::on(database).await;
    let open = async |keys: &[(&str, [u8; 32])]| {
        let audit_keys = keys.iter().map(|(id, secret)| AuditKey {
            id: (*id).to_owned(),
            secret: secret.to_vec().into(),
        });
        let config = Config {
            audit_keys: audit_keys.collect(),
            ..chained.world.database.config()
        };
        Store::open(config, chained.world.clock.clone(), Arc::new(OsEntropy)).await
    };
    let rotated = open(&[("audit-2", [9; 32]), ("audit-1", AUDIT_SECRET)]).await;
    let world = World {
        store: Arc::new(rotated.expect("open")),
        clock: chained.world.clock.clone(),
        database: chained.world.database,
    };
    rename(&world, &chained.acme, "Under the new key").await;
    assert_eq!(world.audit().await.findings, []);
    let report = chained
        .world
        .store
        .verify_audit(None, &Progress::default())
        .await
        .expect("a report");
    let unknown = AuditFinding::UnknownKey {
        organization: chained.acme.id,
        sequence: 8,
        key_id: "audit-2".to_owned(),
    };
    assert_eq!(report.findings, [unknown]);
}
