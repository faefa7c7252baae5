//! Pages of audit events, while several processes write.

use std::sync::Arc;

use charter_domain::clock::SystemClock;
use charter_domain::entropy::OsEntropy;
use charter_store::{AuditFilter, AuditPageRequest, Store};
use test_support::services::TestDatabase;
use test_support::stored_tenant::StoredTenant;

use super::world::{World, name};

test_support::on_both_engines![no_event_comes_in_between_later, a_reader_ahead_is_told];

const WRITERS: usize = 3;
const EACH: usize = 15;

fn feed(from: Option<i64>) -> AuditPageRequest {
    AuditPageRequest {
        filter: AuditFilter {
            limit: 4,
            ..AuditFilter::default()
        },
        oldest_first: true,
        from,
    }
}

/// Each store numbers events in transactions of its own; what a third one finds has no gaps, ever.
async fn no_event_comes_in_between_later(database: TestDatabase) {
    let world = World::on(database).await;
    let acme = world.organization("acme").await.organization;
    let mut stores = Vec::new();
    for _ in 0..3 {
        let clock = Arc::new(SystemClock::start());
        let store = Store::open(world.database.config(), clock, Arc::new(OsEntropy)).await;
        stores.push(store.expect("an open store"));
    }
    let reader = stores.pop().expect("a store");
    let mut writers = Vec::new();
    for (at, store) in stores.iter().enumerate() {
        for writer in 0..WRITERS {
            let (acme, by) = (&acme, world.by());
            writers.push(async move {
                for number in 0..EACH {
                    let tenant = StoredTenant::of(store, acme).by(&by);
                    tenant
                        .update_organization(None, |organization| {
                            organization.name = name(&format!("{at}-{writer}-{number}"));
                            Ok::<_, charter_store::Error>(())
                        })
                        .await
                        .expect("a change");
                }
            });
        }
    }
    // The organization and its account are there already.
    let all = 2 + writers.len() * EACH;
    let reading = async {
        let (mut read, mut from) = (Vec::new(), None);
        while read.len() < all {
            let page = StoredTenant::of(&reader, &acme)
                .audit_page(&feed(from))
                .await;
            let page = page.expect("readable").expect("not ahead");
            read.extend(page.events.into_iter().map(|event| event.sequence));
            from = page.next;
            assert_eq!(read.last().copied().unwrap_or(0), from.expect("a feed"));
        }
        read
    };
    let (_, read) = tokio::join!(futures_util::future::join_all(writers), reading);
    let numbered: Vec<i64> = (1..).take(all).collect();
    assert_eq!(read, numbered);
}

async fn a_reader_ahead_is_told(database: TestDatabase) {
    let world = World::on(database).await;
    let acme = world.organization("acme").await.organization;
    let tenant = world.tenant(&acme);
    let page = tenant.audit_page(&feed(Some(2))).await.expect("readable");
    let page = page.expect("where it is");
    assert_eq!((page.events.len(), page.next), (0, Some(2)));
    assert_eq!(
        tenant.audit_page(&feed(Some(3))).await.expect("readable"),
        None
    );
}
