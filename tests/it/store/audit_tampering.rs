//! An edited, missing, moved, inserted or cut-off event of the audit log is found.

use charter_store::audit_verify::AuditFinding;
use test_support::services::TestDatabase;

use super::audit_chain::{Chained, OF_ACME, rename};

test_support::on_both_engines![
    every_edit_is_found,
    a_missing_event_is_found,
    a_moved_or_inserted_event_is_found,
    a_tail_that_was_cut_off_is_found_by_its_heads,
];

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
    let unknown = AuditFinding::UnknownKey {
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
