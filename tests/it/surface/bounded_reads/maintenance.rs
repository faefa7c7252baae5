//! What is done without requests: by the service periodically, by searches of domains, by operators.

use std::time::Duration;

use charter_domain::clock::Clock as _;
use charter_domain::entropy::OsEntropy;
use charter_domain::id::DecisionId;
use charter_domain::progress::Progress;
use charter_store::{AuditFilter, Denial, DenialQuery};
use sea_orm::DatabaseConnection;
use test_support::service::{Service, Tenant};

use super::Asker;
use super::filled::rows;

const DAY: Duration = Duration::from_hours(24);

/// As of another replica.
pub(super) async fn leave_denial(service: &Service, tenant: &Tenant<'_>) {
    let at = service.clock.now();
    let denial = Denial {
        id: DecisionId::generate(at, &OsEntropy),
        organization: Some(tenant.organization.id),
        at,
        record: "{}".to_owned(),
    };
    service
        .store()
        .add_denials(vec![denial])
        .await
        .expect("kept");
}

pub(super) async fn run(
    asker: &mut Asker,
    service: &Service,
    raw: &DatabaseConnection,
    tenant: &Tenant<'_>,
) {
    let (store, now) = (service.store(), service.clock.now());
    let by = service.operator();
    let done = asker.note("sessions", store.forget_sessions_before(now - 31 * DAY));
    assert_eq!(done.await.expect("done"), 0);
    let done = asker.note("nonces", store.forget_write_nonces(now - DAY));
    assert_eq!(done.await.expect("done"), 0);
    let done = asker.note("denials", store.forget_denials_before(now - 30 * DAY));
    assert_eq!(done.await.expect("done"), 0);
    let done = store.expire_registrations_before(now - 7 * DAY, &by);
    let done = asker.note("registrations", done).await;
    assert_eq!(done.expect("done"), 0);
    let key = rows(raw, "SELECT sealing_key_id FROM access_keys LIMIT 1").await;
    let keys = [key[0].try_get_by_index(0).expect("a text")];
    let missing = asker.note("sealing keys", store.sealed_by_others(&keys));
    assert!(missing.await.expect("an answer").is_empty());
    let sealed = asker.note("an unused sealing key", store.sealed_by("unused"));
    assert!(sealed.await.expect("an answer").is_none());
    for organization in [None, Some(tenant.organization.id)] {
        let query = DenialQuery {
            organization,
            before: None,
            since: None,
            until: Some(now - DAY),
            limit: 50,
        };
        let listed = asker.note("list of denials", store.list_denials(&query));
        assert_eq!(listed.await.expect("a list").len(), 0);
    }
    let tenant = tenant.stored();
    for limit in [1, 100] {
        let found = asker.note(
            "service accounts",
            tenant.service_accounts_from(None, limit),
        );
        assert_eq!(found.await.expect("found").found.len(), 1);
        let found = asker.note("callers", tenant.service_accounts_who(None, None, limit));
        assert_eq!(found.await.expect("found").found.len(), 1);
        let found = asker.note("keys", tenant.keys_from(None, limit));
        assert_eq!(found.await.expect("found").found.len(), 1);
        let found = asker.note("accounts", tenant.accounts_from(None, limit));
        assert_eq!(found.await.expect("found").found.len(), 1);
        let found = asker.note("members", tenant.members_from(None, limit));
        assert_eq!(found.await.expect("found").found.len(), 1);
        let found = asker.note("users", tenant.users_who(None, None, limit));
        assert_eq!(found.await.expect("found").found.len(), 1);
    }
    let filter = AuditFilter {
        limit: 50,
        ..AuditFilter::default()
    };
    let events = asker.note("audit list", tenant.audit_events(&filter)).await;
    assert_eq!(events.expect("a list").len(), 50);
    // As a whole it reads everything, but never anything twice.
    let report = store
        .verify_audit(None, &Progress::default())
        .await
        .expect("a report");
    assert!(report.events > u64::from(super::ROWS));
}
