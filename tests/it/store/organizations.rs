//! Organizations: what is written comes back, versions hold, tenants stay apart.

use std::sync::Arc;

use charter_domain::entropy::OsEntropy;
use charter_domain::id::OrganizationId;
use charter_domain::organization::Organization;
use charter_domain::progress::Progress;
use charter_store::{Error, NewOrganization};
use serde_json::json;
use test_support::services::TestDatabase;

use super::world::{World, metadata, name, noon};

test_support::on_both_engines![
    written_values_are_read_back,
    a_stale_version_is_refused,
    nothing_is_written_where_nothing_changes,
    concurrent_increments_are_all_kept,
    a_slug_belongs_to_one_organization,
    an_error_inside_leaves_nothing,
    a_deactivated_organization_takes_no_writes,
    no_key_outlives_a_racing_deactivation,
];

async fn written_values_are_read_back(database: TestDatabase) {
    let world = World::on(database).await;
    let acme = world.organization("acme").await;
    let tenant = world.tenant(&acme.organization);
    assert_eq!(
        tenant.organization().await.expect("found"),
        acme.organization
    );
    assert_eq!(tenant.default_account().await.expect("found"), acme.account);
    world.clock.advance(5);
    let changed = tenant
        .by(&world.by())
        .update_organization(Some(1), |organization| {
            organization.name = name("Ünïcode ☂ 𝕏");
            organization.metadata =
                metadata(json!({"b": {"d": 1, "c": [0.1, 1e-7]}, "a": "\u{e9}"}));
            organization.default_region = Some("us-east-2".to_owned());
            Ok::<_, Error>(())
        })
        .await
        .expect("updated");
    assert_eq!(changed.version, 2);
    assert_eq!(changed.created_at, noon());
    assert_eq!(changed.updated_at, world.by().at);
    let read = tenant.organization().await.expect("found");
    assert_eq!(read, changed);
    assert_eq!(
        serde_json::to_string(read.metadata.as_object()).expect("JSON"),
        r#"{"a":"é","b":{"c":[0.1,1e-7],"d":1}}"#,
    );
    for text in [
        changed.id.to_string(),
        changed.code.as_str().to_owned(),
        "acme".to_owned(),
    ] {
        let found = world.store.find_organization(&text).await.expect("found");
        assert_eq!(found, changed, "`{text}`");
    }
    let list = world.store.list_organizations().await.expect("a list");
    let list: Vec<_> = list.into_iter().filter_map(|(_, it)| it.ok()).collect();
    assert_eq!(list, [changed]);
}

async fn a_stale_version_is_refused(database: TestDatabase) {
    let world = World::on(database).await;
    let acme = world.organization("acme").await.organization;
    let tenant = world.tenant(&acme);
    let rename = async |expected, to: &str| {
        let to = name(to);
        tenant
            .by(&world.by())
            .update_organization(expected, |organization| {
                organization.name = to;
                Ok::<_, Error>(())
            })
            .await
    };
    rename(Some(1), "First").await.expect("the current version");
    assert!(matches!(rename(Some(1), "Second").await, Err(Error::Stale)));
    assert!(matches!(rename(Some(3), "Second").await, Err(Error::Stale)));
    rename(None, "Third").await.expect("no version asked for");
    let now = tenant.organization().await.expect("found");
    assert_eq!((now.name.as_str(), now.version), ("Third", 3));
}

async fn nothing_is_written_where_nothing_changes(database: TestDatabase) {
    let world = World::on(database).await;
    let acme = world.organization("acme").await.organization;
    let tenant = world.tenant(&acme);
    let epoch = world.store.changes().epoch();
    world.clock.advance(5);
    let same = tenant
        .by(&world.by())
        .update_organization(Some(1), |organization| {
            // What is not the caller's to change is put back.
            organization.id = OrganizationId::generate(noon(), &OsEntropy);
            organization.is_active = false;
            organization.version = 9;
            Ok::<_, Error>(())
        })
        .await
        .expect("a change of nothing");
    assert_eq!(same, acme);
    assert_eq!(tenant.organization().await.expect("found"), acme);
    assert_eq!(world.store.changes().epoch(), epoch);
    let report = world
        .store
        .verify_audit(None, &Progress::default())
        .await
        .expect("a report");
    assert_eq!(report.events, 2, "the organization and its account");
}

async fn concurrent_increments_are_all_kept(database: TestDatabase) {
    const TASKS: i64 = 16;
    const EACH: i64 = 8;
    let world = Arc::new(World::on(database).await);
    let acme = world.organization("acme").await.organization;
    let mut tasks = tokio::task::JoinSet::new();
    for _ in 0..TASKS {
        let (world, acme) = (world.clone(), acme.clone());
        tasks.spawn(async move {
            for _ in 0..EACH {
                world
                    .tenant(&acme)
                    .by(&world.by())
                    .update_organization(None, |organization| {
                        let count = organization
                            .metadata
                            .as_object()
                            .get("count")
                            .and_then(serde_json::Value::as_i64)
                            .unwrap_or(0);
                        organization.metadata = metadata(json!({"count": count + 1}));
                        Ok::<_, Error>(())
                    })
                    .await
                    .expect("an increment");
            }
        });
    }
    tasks.join_all().await;
    let now = world.tenant(&acme).organization().await.expect("found");
    assert_eq!(now.metadata, metadata(json!({"count": TASKS * EACH})));
    assert_eq!(now.version, 1 + TASKS * EACH);
    assert_eq!(
        world.store.changes().epoch(),
        (1 + TASKS * EACH).unsigned_abs()
    );
    let report = world.audit().await;
    assert_eq!(report.findings, []);
    assert_eq!(report.events, (2 + TASKS * EACH).unsigned_abs());
    assert_eq!(report.heads, report.events);
}

async fn a_slug_belongs_to_one_organization(database: TestDatabase) {
    let world = World::on(database).await;
    let acme = world.organization("acme").await.organization;
    let other = world.organization("other").await.organization;
    let again = NewOrganization {
        name: name("Again"),
        slug: "acme".parse().expect("a slug"),
    };
    let created = world.store.create_organization(again, &world.by()).await;
    assert!(matches!(created, Err(Error::SlugTaken)));
    let renamed = world
        .tenant(&other)
        .by(&world.by())
        .update_organization(None, |organization| {
            organization.slug = "acme".to_owned();
            Ok::<_, Error>(())
        })
        .await;
    assert!(matches!(renamed, Err(Error::SlugTaken)));
    assert_ne!(acme.code, other.code);
    assert_eq!(
        world
            .store
            .list_organizations()
            .await
            .expect("a list")
            .len(),
        2
    );
    let report = world
        .store
        .verify_audit(None, &Progress::default())
        .await
        .expect("a report");
    assert_eq!((report.findings.len(), report.events), (0, 4));
}

async fn an_error_inside_leaves_nothing(database: TestDatabase) {
    #[derive(Debug)]
    enum Refused {
        Policy,
        Store,
    }
    impl From<Error> for Refused {
        fn from(_: Error) -> Self {
            Self::Store
        }
    }
    let world = World::on(database).await;
    let acme = world.organization("acme").await.organization;
    let tenant = world.tenant(&acme);
    let refused = tenant
        .by(&world.by())
        .update_organization(None, |organization| {
            organization.name = name("Never");
            Err(Refused::Policy)
        })
        .await;
    assert!(matches!(refused, Err(Refused::Policy)));
    // A value that the database refuses, as a second wall behind the door.
    let refused = tenant
        .by(&world.by())
        .update_organization(None, |organization| {
            organization.default_region = Some("nowhere-1".to_owned());
            Ok::<_, Refused>(())
        })
        .await;
    assert!(matches!(refused, Err(Refused::Store)));
    assert_eq!(tenant.organization().await.expect("found"), acme);
    let report = world
        .store
        .verify_audit(None, &Progress::default())
        .await
        .expect("a report");
    assert_eq!((report.findings.len(), report.events), (0, 2));
}

async fn a_deactivated_organization_takes_no_writes(database: TestDatabase) {
    let world = World::on(database).await;
    let acme = world.organization("acme").await;
    let service_account = world.service_account(&acme, "ci").await;
    let key = world.key(&acme.organization, service_account.id).await;
    let tenant = world.tenant(&acme.organization);
    let gone = tenant
        .by(&world.by())
        .deactivate_organization(None)
        .await
        .expect("deactivated");
    assert!(!gone.is_active);
    assert_eq!(tenant.organization().await.expect("found"), gone);
    let found = world.store.find_credential(&key.access_key).await;
    let found = found.expect("an answer").expect("found");
    assert_eq!(found.access_key.revoked_at, Some(world.by().at));
    assert!(!found.caller.organization().is_active);

    let by = world.by();
    let inactive = |result: Result<(), Error>| {
        assert!(
            matches!(result, Err(Error::OrganizationInactive)),
            "{result:?}"
        );
    };
    inactive(tenant.by(&by).deactivate_organization(None).await.map(drop));
    inactive(
        tenant
            .by(&by)
            .update_organization(Some(99), |_| Ok::<_, Error>(()))
            .await
            .map(drop),
    );
    inactive(
        tenant
            .by(&by)
            .create_key(service_account.id, world.new_key(), |_| Ok::<_, Error>(()))
            .await
            .map(drop),
    );
    inactive(tenant.by(&by).revoke_key(service_account.id, key.id).await);
    inactive(
        tenant
            .by(&by)
            .delete_service_account(service_account.id, None)
            .await,
    );

    let back = world
        .store
        .reactivate_organization(acme.organization.id, &by)
        .await
        .expect("reactivated");
    assert!(back.is_active && back.deactivated_at.is_none());
    let found = world.store.find_credential(&key.access_key).await;
    let found = found.expect("an answer").expect("found");
    assert!(found.access_key.revoked_at.is_some(), "revoked for good");
    let again = world.store.reactivate_organization(back.id, &by).await;
    assert_eq!(again.expect("as it is"), back);
    let unknown = Organization {
        id: OrganizationId::generate(noon(), &OsEntropy),
        ..acme.organization
    };
    let unknown = world.tenant(&unknown).organization().await;
    assert!(matches!(unknown, Err(Error::NotFound)));
}

async fn no_key_outlives_a_racing_deactivation(database: TestDatabase) {
    let world = World::on(database).await;
    let (mut made, mut refused) = (0, 0);
    for round in 0..24 {
        let acme = world.organization(&format!("acme-{round}")).await;
        let of = world.service_account(&acme, "ci").await.id;
        let tenant = world.tenant(&acme.organization);
        let writer = tenant.by(&world.by());
        let create = || writer.create_key(of, world.new_key(), |_| Ok::<_, Error>(()));
        let deactivate = async {
            // Each round gives the creators another lead.
            for _ in 0..round {
                tokio::task::yield_now().await;
            }
            writer.deactivate_organization(None).await
        };
        let (one, gone, two) = tokio::join!(create(), deactivate, create());
        gone.expect("deactivated");
        for result in [one, two] {
            match result {
                Ok(key) => {
                    made += 1;
                    let found = world.store.find_credential(&key.access_key).await;
                    let key = found.expect("an answer").expect("found").access_key;
                    assert!(key.revoked_at.is_some());
                }
                Err(Error::OrganizationInactive) => refused += 1,
                Err(other) => panic!("{other:?}"),
            }
        }
    }
    assert_eq!(made + refused, 48);
    assert_eq!(world.audit().await.findings, []);
}
