//! The audit log: what it holds, and that no tampering with it goes unseen.

use charter_domain::audit::{Actor, AuditContext};
use charter_domain::entropy::OsEntropy;
use charter_domain::organization::Organization;
use charter_store::audit_verify::Finding;
use charter_store::{AuditKey, Config, Error, Store};
use sea_orm::{ConnectionTrait as _, DatabaseConnection, FromQueryResult, Statement};
use std::sync::Arc;

use super::world::{World, name, tester};
use crate::services::{AUDIT_SECRET, TestDatabase, connect};

crate::on_both_engines![
    an_event_says_who_did_what_and_on_whose_word,
    no_event_holds_a_secret,
    every_edit_is_found,
    a_missing_event_is_found,
    a_moved_or_inserted_event_is_found,
    a_tail_that_was_cut_off_is_found_by_its_heads,
    a_broken_file_of_heads_is_found,
    a_chain_goes_on_under_a_new_key,
];

#[derive(Debug, FromQueryResult)]
struct Event {
    sequence: i64,
    actor: String,
    action: String,
    resource: String,
    request_id: Option<String>,
    policy_digest: Option<String>,
    changes: String,
}

const OF_ACME: &str = "organization_id = (SELECT id FROM organizations WHERE slug = 'acme')";

/// A store with two chains: that of `acme` has seven events.
struct Chained {
    world: World,
    acme: Organization,
    database: DatabaseConnection,
}

impl Chained {
    async fn on(database: TestDatabase) -> Self {
        let world = World::on(database).await;
        let acme = world.organization("acme").await;
        let other = world.organization("other").await;
        for organized in [&acme, &other] {
            let of = world.service_account(organized, "ci").await.id;
            let key = world.key(&organized.organization, of).await;
            let tenant = world.tenant(&organized.organization);
            world.clock.advance(1);
            rename(&world, &organized.organization, "Renamed").await;
            tenant
                .by(&world.by())
                .revoke_key(of, key.id)
                .await
                .expect("revoked");
            tenant
                .by(&world.by())
                .delete_service_account(of, None)
                .await
                .expect("deleted");
        }
        let database = connect(world.database.url()).await;
        let chained = Self {
            world,
            acme: acme.organization,
            database,
        };
        chained
            .execute("CREATE TABLE saved AS SELECT * FROM audit_events")
            .await;
        assert_eq!(chained.findings().await, []);
        chained
    }

    async fn execute(&self, statement: &str) {
        self.database
            .execute_unprepared(statement)
            .await
            .unwrap_or_else(|error| panic!("`{statement}`: {error}"));
    }

    async fn restore(&self) {
        self.execute("DELETE FROM audit_events").await;
        self.execute("INSERT INTO audit_events SELECT * FROM saved")
            .await;
    }

    async fn events(&self) -> Vec<Event> {
        let sql = format!("SELECT * FROM audit_events WHERE {OF_ACME} ORDER BY sequence");
        Event::find_by_statement(Statement::from_string(
            self.database.get_database_backend(),
            sql,
        ))
        .all(&self.database)
        .await
        .expect("the events")
    }

    async fn findings(&self) -> Vec<Finding> {
        self.world.audit().await.findings
    }

    async fn findings_without_heads(&self) -> Vec<Finding> {
        let report = self.world.store.verify_audit(None).await;
        report.expect("a report").findings
    }

    fn altered(&self, sequence: i64) -> Finding {
        Finding::Altered {
            organization: self.acme.id,
            sequence,
        }
    }

    fn missing(&self, sequence: i64) -> Finding {
        Finding::Missing {
            organization: self.acme.id,
            sequence,
        }
    }

    fn cut_off(&self, sequence: i64) -> Finding {
        Finding::CutOff {
            organization: self.acme.id,
            sequence,
        }
    }

    fn other_head(&self, sequence: i64) -> Finding {
        Finding::OtherHead {
            organization: self.acme.id,
            sequence,
        }
    }
}

async fn rename(world: &World, organization: &Organization, to: &str) {
    let to = name(to);
    world
        .tenant(organization)
        .by(&world.by())
        .update_organization(None, |organization| {
            organization.name = to;
            Ok::<_, Error>(())
        })
        .await
        .expect("renamed");
}

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

async fn every_edit_is_found(database: TestDatabase) {
    let chained = Chained::on(database).await;
    let timestamp = match chained.database.get_database_backend() {
        sea_orm::DbBackend::Sqlite => "'2020-01-01T00:00:00+00:00'",
        _ => "'2020-01-01T00:00:00Z'::timestamptz",
    };
    for sequence in 1..=7 {
        for edit in [
            "actor = 'sa-somebody-else'",
            "action = 'organizations:GetOrganization'",
            "resource = 'org-other'",
            "request_id = NULL",
            "request_id = 'request-2'",
            "policy_digest = NULL",
            "changes = changes || ' '",
            "changes = '{}'",
            &format!("occurred_at = {timestamp}"),
        ] {
            chained
                .execute(&format!(
                    "UPDATE audit_events SET {edit} WHERE {OF_ACME} AND sequence = {sequence}"
                ))
                .await;
            let expected = [chained.altered(sequence)];
            assert_eq!(chained.findings().await, expected, "{edit}");
            assert_eq!(chained.findings_without_heads().await, expected, "{edit}");
            chained.restore().await;
        }
    }
    chained
        .execute(&format!(
            "UPDATE audit_events SET key_id = 'nobody' WHERE {OF_ACME} AND sequence = 2"
        ))
        .await;
    let unknown = Finding::UnknownKey {
        organization: chained.acme.id,
        sequence: 2,
        key_id: "nobody".to_owned(),
    };
    assert_eq!(chained.findings().await, [unknown]);
    chained.restore().await;
    // Another event's code is a code of this very key.
    chained
        .execute(&format!(
            "UPDATE audit_events SET mac = (SELECT mac FROM saved WHERE {OF_ACME} AND sequence = 2) \
             WHERE {OF_ACME} AND sequence = 3"
        ))
        .await;
    assert_eq!(
        chained.findings().await,
        [
            chained.altered(3),
            chained.other_head(3),
            chained.altered(4)
        ]
    );
}

async fn a_missing_event_is_found(database: TestDatabase) {
    let chained = Chained::on(database).await;
    for sequence in 1..=6 {
        chained
            .execute(&format!(
                "DELETE FROM audit_events WHERE {OF_ACME} AND sequence = {sequence}"
            ))
            .await;
        assert_eq!(
            chained.findings_without_heads().await,
            [chained.missing(sequence)]
        );
        // Closing the gap does not hide it.
        for later in sequence + 1..=7 {
            chained
                .execute(&format!(
                    "UPDATE audit_events SET sequence = {later} - 1 WHERE {OF_ACME} AND sequence = {later}"
                ))
                .await;
        }
        let findings = chained.findings_without_heads().await;
        assert_eq!(findings.first(), Some(&chained.altered(sequence)));
        chained.restore().await;
    }
    chained
        .execute(&format!("DELETE FROM audit_events WHERE {OF_ACME}"))
        .await;
    assert_eq!(chained.findings_without_heads().await, [chained.missing(1)]);
    assert_eq!(chained.findings().await, [chained.cut_off(7)]);
}

async fn a_moved_or_inserted_event_is_found(database: TestDatabase) {
    let chained = Chained::on(database).await;
    let renumber = async |from: i64, to: i64| {
        chained
            .execute(&format!(
                "UPDATE audit_events SET sequence = {to} WHERE {OF_ACME} AND sequence = {from}"
            ))
            .await;
    };
    renumber(3, 99).await;
    renumber(4, 3).await;
    renumber(99, 4).await;
    let findings = chained.findings_without_heads().await;
    assert_eq!(findings.first(), Some(&chained.altered(3)), "moved");
    chained.restore().await;

    let columns = "occurred_at, actor, action, resource, request_id, policy_digest, changes, \
                   key_id, mac";
    chained
        .execute(&format!(
            "INSERT INTO audit_events (organization_id, sequence, {columns}) \
             SELECT organization_id, 8, {columns} FROM saved WHERE {OF_ACME} AND sequence = 7"
        ))
        .await;
    assert_eq!(chained.findings().await, [chained.altered(8)], "appended");
    chained.restore().await;

    // Another tenant's event, genuine where it was.
    chained
        .execute(&format!(
            "INSERT INTO audit_events (organization_id, sequence, {columns}) \
             SELECT (SELECT id FROM organizations WHERE slug = 'acme'), 8, {columns} \
             FROM saved WHERE NOT {OF_ACME} AND sequence = 7"
        ))
        .await;
    assert_eq!(chained.findings().await, [chained.altered(8)], "taken over");
    chained.restore().await;

    for later in (4..=7).rev() {
        renumber(later, later + 1).await;
    }
    chained
        .execute(&format!(
            "INSERT INTO audit_events (organization_id, sequence, {columns}) \
             SELECT organization_id, 4, {columns} FROM saved WHERE {OF_ACME} AND sequence = 3"
        ))
        .await;
    let findings = chained.findings_without_heads().await;
    assert_eq!(findings.first(), Some(&chained.altered(4)), "inserted");
}

async fn a_tail_that_was_cut_off_is_found_by_its_heads(database: TestDatabase) {
    let chained = Chained::on(database).await;
    for sequence in 2..=7 {
        chained
            .execute(&format!(
                "DELETE FROM audit_events WHERE {OF_ACME} AND sequence >= {sequence}"
            ))
            .await;
        assert_eq!(chained.findings().await, [chained.cut_off(7)]);
        assert_eq!(
            chained.findings_without_heads().await,
            [],
            "a table alone cannot tell"
        );
        chained.restore().await;
    }
    // Life goes on after the cut, and the chain is as long as it was.
    chained
        .execute(&format!(
            "DELETE FROM audit_events WHERE {OF_ACME} AND sequence >= 6"
        ))
        .await;
    rename(&chained.world, &chained.acme, "Six again").await;
    rename(&chained.world, &chained.acme, "Seven again").await;
    rename(&chained.world, &chained.acme, "Eight").await;
    assert_eq!(
        chained.findings().await,
        [chained.other_head(6), chained.other_head(7)]
    );
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
        [Finding::MalformedHead { line: 15 }]
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
    let unreadable = chained.world.store.verify_audit(Some(&path)).await;
    assert!(matches!(unreadable, Err(Error::Setup(_))));
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
        .verify_audit(None)
        .await
        .expect("a report");
    let unknown = Finding::UnknownKey {
        organization: chained.acme.id,
        sequence: 8,
        key_id: "audit-2".to_owned(),
    };
    assert_eq!(report.findings, [unknown]);
}
