//! A tenant finds and changes nothing of another: not by any finder, not by any change.

use std::time::Duration;

use charter_domain::page::{KeyOrder, ResourceOrder};
use charter_store::{Error, KeyToMake, NewAccount, RotationTimes, ServiceAccountFilter};
use test_support::services::TestDatabase;

use super::world::{World, first_page, name};

test_support::on_both_engines![no_finder_and_no_change_crosses_the_tenants_border];

#[expect(clippy::too_many_lines, reason = "one list of all finders and changes")]
async fn no_finder_and_no_change_crosses_the_tenants_border(database: TestDatabase) {
    let world = World::on(database).await;
    let acme = world.organization("acme").await;
    let service_account = world.service_account(&acme, "ci").await.id;
    let key = world.key(&acme.organization, service_account).await.id;
    let own = world.organization("own").await;
    let own_service_account = world.service_account(&own, "ci").await.id;
    let own_key = world.key(&own.organization, own_service_account).await.id;
    let tenant = world.tenant(&own.organization);
    let by = world.by();
    let before = world.audit().await;

    let hidden = |result: Result<(), Error>| {
        assert!(matches!(result, Err(Error::NotFound)), "{result:?}");
    };
    let permit = |_: &KeyToMake<'_>| Ok::<_, Error>(());
    hidden(tenant.account(acme.account.id).await.map(drop));
    hidden(
        tenant
            .by(&by)
            .update_account(
                acme.account.id,
                None,
                |account| {
                    account.name = name("Taken over");
                    Ok::<_, Error>(())
                },
                |_| Ok(()),
            )
            .await
            .map(drop),
    );
    hidden(tenant.service_account(service_account).await.map(drop));
    hidden(
        tenant
            .by(&by)
            .update_service_account(service_account, None, |_| Ok::<_, Error>(()))
            .await
            .map(drop),
    );
    hidden(
        tenant
            .by(&by)
            .delete_service_account(service_account, None)
            .await,
    );
    let page = first_page(KeyOrder::CreatedAt);
    hidden(
        tenant
            .list_keys(service_account, page, true)
            .await
            .map(drop),
    );
    hidden(
        tenant
            .by(&by)
            .create_key(service_account, world.new_key(), permit)
            .await
            .map(drop),
    );
    // The service account is its own, the key is not; and the other way round.
    for (of, key) in [
        (service_account, key),
        (own_service_account, key),
        (service_account, own_key),
    ] {
        hidden(tenant.key(of, key).await.map(drop));
        hidden(tenant.by(&by).revoke_key(of, key).await);
        let new = world.new_key();
        let times = RotationTimes {
            overlap: Duration::ZERO,
            expires_at: None,
        };
        hidden(
            tenant
                .by(&by)
                .rotate_key(of, key, new, times, permit)
                .await
                .map(drop),
        );
    }

    let page = first_page(ResourceOrder::Name);
    let accounts = tenant.list_accounts(page, true).await.expect("a list");
    assert_eq!(accounts.results, [own.account]);
    for account in [None, Some(acme.account.id)] {
        let filter = ServiceAccountFilter {
            account,
            include_inactive: true,
            include_deleted: true,
        };
        let list = tenant
            .list_service_accounts(page, filter)
            .await
            .expect("a list");
        let ids: Vec<_> = list.results.iter().map(|one| one.id).collect();
        let expected = if account.is_none() {
            vec![own_service_account]
        } else {
            vec![]
        };
        assert_eq!(ids, expected);
        assert_eq!(list.total, expected.len() as u64);
    }
    assert_eq!(world.audit().await, before, "nothing was written");
    let new = NewAccount {
        name: name("Own"),
        metadata: charter_domain::metadata::Metadata::default(),
    };
    tenant
        .by(&by)
        .create_account(new)
        .await
        .expect("what is its own still works");
}
