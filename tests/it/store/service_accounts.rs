//! Service accounts: versions, accounts, deletion.

use charter_domain::entropy::OsEntropy;
use charter_domain::id::AccountId;
use charter_domain::page::{KeyOrder, ResourceOrder};
use charter_store::{Error, NewServiceAccount, ServiceAccountFilter};
use test_support::services::TestDatabase;

use super::world::{World, first_page, name, new_service_account, noon};

test_support::on_both_engines![
    a_service_account_comes_back_as_it_was_made,
    a_change_is_guarded_by_its_version,
    a_deleted_one_is_gone_with_its_keys,
    it_belongs_to_an_account_of_its_own_organization,
];

async fn a_service_account_comes_back_as_it_was_made(database: TestDatabase) {
    let world = World::on(database).await;
    let acme = world.organization("acme").await;
    let tenant = world.tenant(&acme.organization);
    let made = world.service_account(&acme, "ci").await;
    assert_eq!(*made.roles, ["viewer"]);
    assert_eq!(*made.permissions, ["organizations:GetOrganization"]);
    assert_eq!((made.account_id, made.version), (acme.account.id, 1));
    assert_eq!(tenant.service_account(made.id).await.expect("found"), made);
}

async fn a_change_is_guarded_by_its_version(database: TestDatabase) {
    let world = World::on(database).await;
    let acme = world.organization("acme").await;
    let tenant = world.tenant(&acme.organization);
    let made = world.service_account(&acme, "ci").await;
    let update = async |expected| {
        tenant
            .by(&world.by())
            .update_service_account(made.id, expected, |service_account| {
                service_account.name = name("deploy");
                service_account.roles = vec!["b".to_owned(), "a".to_owned()].into();
                service_account.is_active = false;
                // Not a caller's to change.
                service_account.deleted_at = Some(noon());
                service_account.account_id = AccountId::generate(noon(), &OsEntropy);
                service_account.last_used_at = Some(noon());
                Ok::<_, Error>(())
            })
            .await
    };
    let changed = update(Some(1)).await.expect("the current version");
    assert_eq!(*changed.roles, ["b", "a"], "in the order given");
    assert_eq!(changed.account_id, made.account_id);
    assert_eq!((changed.deleted_at, changed.last_used_at), (None, None));
    assert!(matches!(update(Some(1)).await, Err(Error::Stale)));
    assert_eq!(update(None).await.expect("nothing new"), changed);
    assert_eq!(
        tenant.service_account(made.id).await.expect("found"),
        changed
    );
}

async fn a_deleted_one_is_gone_with_its_keys(database: TestDatabase) {
    let world = World::on(database).await;
    let acme = world.organization("acme").await;
    let tenant = world.tenant(&acme.organization);
    let made = world.service_account(&acme, "ci").await;
    let key = world.key(&acme.organization, made.id).await;
    let by = world.by();
    let stale = tenant
        .by(&by)
        .delete_service_account(made.id, Some(2))
        .await;
    assert!(matches!(stale, Err(Error::Stale)));
    tenant
        .by(&by)
        .delete_service_account(made.id, Some(1))
        .await
        .expect("deleted");

    let gone = |result: Result<(), Error>| assert!(matches!(result, Err(Error::NotFound)));
    gone(tenant.by(&by).delete_service_account(made.id, None).await);
    gone(tenant.service_account(made.id).await.map(drop));
    gone(tenant.key(made.id, key.id).await.map(drop));
    gone(tenant.by(&by).revoke_key(made.id, key.id).await);
    let keys = tenant
        .list_keys(made.id, first_page(KeyOrder::CreatedAt), true)
        .await;
    gone(keys.map(drop));
    gone(
        tenant
            .by(&by)
            .create_key(made.id, world.new_key(), |_| Ok::<_, Error>(()))
            .await
            .map(drop),
    );
    gone(
        tenant
            .by(&by)
            .update_service_account(made.id, None, |_| Ok::<_, Error>(()))
            .await
            .map(drop),
    );

    let found = world.store.find_credential(&key.access_key).await;
    let found = found.expect("an answer").expect("authentication decides");
    assert_eq!(found.access_key.revoked_at, Some(by.at));
    assert_eq!(found.caller.service_account().deleted_at, Some(by.at));
    assert!(!found.caller.service_account().is_active);

    let list = async |include_deleted, include_inactive| {
        let filter = ServiceAccountFilter {
            account: None,
            include_inactive,
            include_deleted,
        };
        tenant
            .list_service_accounts(first_page(ResourceOrder::Name), filter)
            .await
            .expect("a list")
            .total
    };
    assert_eq!(list(false, true).await, 0);
    assert_eq!(list(true, false).await, 1);
}

async fn it_belongs_to_an_account_of_its_own_organization(database: TestDatabase) {
    let world = World::on(database).await;
    let acme = world.organization("acme").await;
    let other = world.organization("other").await;
    for account_id in [other.account.id, AccountId::generate(noon(), &OsEntropy)] {
        let new = NewServiceAccount {
            account_id,
            ..new_service_account(&acme, "ci")
        };
        let refused = world
            .tenant(&acme.organization)
            .by(&world.by())
            .create_service_account(new)
            .await;
        assert!(matches!(refused, Err(Error::NotFound)), "{refused:?}");
    }
}
