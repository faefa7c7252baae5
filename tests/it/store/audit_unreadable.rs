//! An event that cannot be read is found, and hides no other.

use charter_store::audit_verify::AuditFinding;
use charter_store::{AuditFilter, AuditPageRequest, TenantReader};
use sea_orm::DbBackend;
use test_support::services::TestDatabase;

use super::audit_chain::{Chained, OF_ACME};

test_support::on_both_engines![
    an_unreadable_event_hides_no_other,
    an_event_without_a_mac_hides_no_other,
    an_event_of_no_organization_is_found,
    the_last_number_of_all_is_passed,
];

async fn edit(chained: &Chained, edit: &str, which: &str) {
    let statement = format!("UPDATE audit_events SET {edit} WHERE {which}");
    chained.execute(&statement).await;
}

fn is_unreadable(finding: &AuditFinding, at: i64) -> bool {
    matches!(finding, AuditFinding::Unreadable { sequence, .. } if *sequence == at)
}

async fn an_unreadable_event_hides_no_other(database: TestDatabase) {
    let chained = Chained::on(database).await;
    let edits: &[&str] = match chained.database.get_database_backend() {
        DbBackend::Sqlite => &[
            "occurred_at = 'garbage'",
            "occurred_at = 1.5",
            "actor = CAST(x'FFFE' AS TEXT)",
            "changes = CAST(x'FF' AS TEXT)",
        ],
        _ => &[
            "occurred_at = 'infinity'",
            "occurred_at = '-infinity'",
            "occurred_at = '200000-01-01T00:00:00Z'",
        ],
    };
    for what in edits {
        for sequence in [1, 4, 7] {
            edit(
                &chained,
                what,
                &format!("{OF_ACME} AND sequence = {sequence}"),
            )
            .await;
            // Its successor is checked all the same, and so is another's chain.
            edit(
                &chained,
                "action = 'another'",
                &format!("{OF_ACME} AND sequence = {sequence} + 1"),
            )
            .await;
            edit(
                &chained,
                "actor = 'evil'",
                &format!("NOT {OF_ACME} AND sequence = 1"),
            )
            .await;
            let findings = chained.findings().await;
            let unreadable = findings.iter().filter(|it| is_unreadable(it, sequence));
            assert_eq!(unreadable.count(), 1, "{what}: {findings:?}");
            let next = chained.altered(sequence + 1);
            assert_eq!(findings.contains(&next), sequence < 7, "{findings:?}");
            let of_other = |finding: &&AuditFinding| matches!(finding, AuditFinding::Altered { organization, sequence: 1 } if *organization != chained.acme.id);
            assert_eq!(findings.iter().filter(of_other).count(), 1, "{findings:?}");
            assert_eq!(findings.len(), if sequence < 7 { 3 } else { 2 });
            let filter = AuditFilter {
                limit: 50,
                ..AuditFilter::default()
            };
            let tenant = chained.world.tenant(&chained.acme);
            let listed = tenant.audit_events(&filter).await.expect("a list");
            let unread = listed.iter().filter(|(_, event)| event.is_err());
            let unread: Vec<i64> = unread.map(|(sequence, _)| *sequence).collect();
            assert_eq!((listed.len(), unread), (7, vec![sequence]), "{what}");
            assert_eq!(
                paged(&tenant, false).await,
                others(sequence).rev().collect::<Vec<_>>()
            );
            assert_eq!(
                paged(&tenant, true).await,
                others(sequence).collect::<Vec<_>>()
            );
            chained.restore().await;
        }
    }
}

fn others(unreadable: i64) -> impl DoubleEndedIterator<Item = i64> {
    (1..=7).filter(move |sequence| *sequence != unreadable)
}

/// The numbers of the events on all pages of two.
async fn paged(tenant: &TenantReader<'_>, oldest_first: bool) -> Vec<i64> {
    let (mut numbers, mut from) = (Vec::new(), None);
    loop {
        let request = AuditPageRequest {
            filter: AuditFilter {
                limit: 2,
                ..AuditFilter::default()
            },
            oldest_first,
            from,
        };
        let page = tenant.audit_page(&request).await.expect("a page");
        let page = page.expect("not behind the newest");
        numbers.extend(page.events.iter().map(|event| event.sequence));
        if page.next.is_none() || page.next == from {
            return numbers;
        }
        from = page.next;
    }
}

async fn an_event_without_a_mac_hides_no_other(database: TestDatabase) {
    let chained = Chained::on(database).await;
    let fourth = format!("{OF_ACME} AND sequence = 4");
    if chained.database.get_database_backend() == DbBackend::Sqlite {
        chained
                .execute(&format!(
                    "PRAGMA ignore_check_constraints = ON; UPDATE audit_events SET mac = x'00' WHERE {fourth}; \
                     PRAGMA ignore_check_constraints = OFF"
                ))
                .await;
    } else {
        chained
            .execute("ALTER TABLE audit_events DROP CONSTRAINT audit_events_mac_check")
            .await;
        edit(&chained, "mac = '\\x00'", &fourth).await;
    }
    let findings = chained.findings().await;
    assert_eq!(findings.len(), 1, "{findings:?}");
    assert!(is_unreadable(&findings[0], 4), "{findings:?}");
    // After the next one the chain can be checked again.
    edit(
        &chained,
        "actor = 'evil'",
        &format!("{OF_ACME} AND sequence = 6"),
    )
    .await;
    assert_eq!(chained.findings().await[1..], [chained.altered(6)]);
}

/// PostgreSQL stores no such id.
async fn an_event_of_no_organization_is_found(database: TestDatabase) {
    let chained = Chained::on(database).await;
    if chained.database.get_database_backend() != DbBackend::Sqlite {
        return;
    }
    for (id, shown) in [("x'0102'", "0102"), ("zeroblob(17)", &*"00".repeat(17))] {
        chained
            .execute(&format!(
                "PRAGMA foreign_keys = OFF; UPDATE audit_events SET organization_id = {id} \
                 WHERE {OF_ACME} AND sequence IN (3, 7); PRAGMA foreign_keys = ON"
            ))
            .await;
        let stray = |sequence: &str| AuditFinding::Stray {
            organization: shown.to_owned(),
            sequence: sequence.to_owned(),
        };
        assert_eq!(
            chained.findings_without_heads().await,
            [chained.missing(3), stray("3"), stray("7")]
        );
        chained.restore().await;
    }
}

async fn the_last_number_of_all_is_passed(database: TestDatabase) {
    let chained = Chained::on(database).await;
    let seventh = format!("{OF_ACME} AND sequence = 7");
    edit(&chained, &format!("sequence = {}", i64::MAX), &seventh).await;
    assert_eq!(chained.findings().await, [chained.missing(7)]);
}
