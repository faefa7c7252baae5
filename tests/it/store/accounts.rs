//! Accounts: codes, versions, and the default one.

use charter_domain::entropy::OsEntropy;
use charter_domain::id::AccountId;
use charter_domain::metadata::Metadata;
use charter_store::{Error, NewAccount};
use serde_json::json;
use test_support::services::TestDatabase;

use super::world::{World, metadata, name, noon};

test_support::on_both_engines![
    an_account_comes_back_as_it_was_made,
    a_change_is_guarded_by_its_version,
    the_default_account_stays_active,
];

fn new(called: &str) -> NewAccount {
    NewAccount {
        name: name(called),
        metadata: metadata(json!({"cost_center": 7})),
    }
}

async fn an_account_comes_back_as_it_was_made(database: TestDatabase) {
    let world = World::on(database).await;
    let acme = world.organization("acme").await;
    let tenant = world.tenant(&acme.organization);
    let made = tenant
        .by(&world.by())
        .create_account(new("Billing"))
        .await
        .expect("a new account");
    assert!(!made.is_default && made.is_active);
    assert_eq!((made.version, made.created_at), (1, noon()));
    assert_ne!(made.code, acme.account.code);
    assert_eq!(tenant.account(made.id).await.expect("found"), made);
    let unknown = AccountId::generate(noon(), &OsEntropy);
    assert!(matches!(
        tenant.account(unknown).await,
        Err(Error::NotFound)
    ));
}

async fn a_change_is_guarded_by_its_version(database: TestDatabase) {
    let world = World::on(database).await;
    let acme = world.organization("acme").await;
    let tenant = world.tenant(&acme.organization);
    let made = tenant
        .by(&world.by())
        .create_account(new("Billing"))
        .await
        .expect("a new account");
    let update = async |expected| {
        tenant
            .by(&world.by())
            .update_account(
                made.id,
                expected,
                |account| {
                    account.is_active = false;
                    account.metadata = Metadata::default();
                    // Not a caller's to change.
                    account.is_default = true;
                    account.version = 9;
                    Ok::<_, Error>(())
                },
                |_| Ok(()),
            )
            .await
    };
    let changed = update(Some(1)).await.expect("the current version");
    assert_eq!(changed.version, 2);
    assert!(!changed.is_active && !changed.is_default);
    assert!(matches!(update(Some(1)).await, Err(Error::Stale)));
    let same = update(Some(2)).await.expect("a change of nothing");
    assert_eq!(same, changed);
    assert_eq!(tenant.account(made.id).await.expect("found"), changed);
}

async fn the_default_account_stays_active(database: TestDatabase) {
    let world = World::on(database).await;
    let acme = world.organization("acme").await;
    let tenant = world.tenant(&acme.organization);
    let refused = tenant
        .by(&world.by())
        .update_account(
            acme.account.id,
            None,
            |account| {
                account.is_active = false;
                Ok::<_, Error>(())
            },
            |_| Ok(()),
        )
        .await;
    assert!(matches!(refused, Err(Error::DefaultAccount)), "{refused:?}");
    assert_eq!(tenant.default_account().await.expect("found"), acme.account);
}
