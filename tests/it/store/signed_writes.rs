//! Writes of signed requests: their key must still be good, and their nonce makes no second one.

use std::time::Duration;

use charter_domain::access_key::{KeyGuard, SpentNonce};
use charter_domain::account::Account;
use charter_domain::audit::{Actor, AuditContext};
use charter_domain::id::AccessKeyId;
use charter_domain::metadata::Metadata;
use charter_domain::organization::Organization;
use charter_domain::service_account::ServiceAccount;
use charter_store::{Error, NewAccount, NewKey};
use test_support::services::TestDatabase;

use super::access_keys::create;
use super::world::{Organized, World, name, noon};

test_support::on_both_engines![
    a_write_signed_with_a_key_that_died_meanwhile_does_not_happen,
    a_write_whose_account_or_time_ended_meanwhile_does_not_happen,
    a_nonce_makes_the_writes_of_one_request_and_no_other,
];

async fn a_write_whose_account_or_time_ended_meanwhile_does_not_happen(database: TestDatabase) {
    let world = World::on(database).await;
    let acme = world.organization("acme").await;
    let tenant = world.tenant(&acme.organization);
    let new = NewAccount {
        name: name("Side"),
        metadata: Metadata::default(),
    };
    let account = tenant.by(&world.by()).create_account(new).await;
    let side = Organized {
        account: account.expect("an account"),
        organization: acme.organization.clone(),
    };
    let of = world.service_account(&side, "signer").await;
    let signer = of.id;
    let new = NewKey {
        expires_at: Some(noon() + Duration::from_mins(1)),
        ..world.new_key()
    };
    let made = tenant
        .by(&world.by())
        .create_key(signer, new, |_| Ok::<_, Error>(()))
        .await;
    let by = signed(&world, &of, made.expect("a key").id);
    let rename = async |to: &'static str| {
        let change = |organization: &mut Organization| {
            organization.name = name(to);
            Ok::<_, Error>(())
        };
        tenant.by(&by).update_organization(None, change).await
    };
    let switch = async |is_active: bool| {
        let change = |account: &mut Account| {
            account.is_active = is_active;
            Ok::<_, Error>(())
        };
        tenant
            .by(&world.by())
            .update_account(side.account.id, None, change, |_| Ok(()))
            .await
            .expect("switched");
    };
    switch(false).await;
    assert!(matches!(rename("Off").await, Err(Error::CallerDisabled)));
    switch(true).await;
    rename("On").await.expect("the account is on again");
    world.clock.advance(59);
    rename("In time").await.expect("the key has a second left");
    // By the clock as it is now, not as it was when the request came.
    world.clock.advance(1);
    assert!(matches!(rename("Late").await, Err(Error::CallerExpired)));
    let organization = tenant.organization().await.expect("there");
    assert_eq!(organization.name, name("In time"));
}

async fn a_nonce_makes_the_writes_of_one_request_and_no_other(database: TestDatabase) {
    let world = World::on(database).await;
    let acme = world.organization("acme").await;
    let tenant = world.tenant(&acme.organization);
    let of = world.service_account(&acme, "signer").await;
    let made = create(&world, &tenant, of.id).await.expect("a key");
    let rename = async |fingerprint: u8, claim: u8, to: &'static str| {
        let mut by = signed(&world, &of, made.id);
        if let Actor::Key(guard) = &mut by.actor {
            guard.nonce = Some(SpentNonce {
                fingerprint: [fingerprint; 16],
                claim: [claim; 16],
                over_at: noon().timestamp() + 331,
            });
        }
        let change = |organization: &mut Organization| {
            organization.name = name(to);
            Ok::<_, Error>(())
        };
        tenant.by(&by).update_organization(None, change).await
    };
    rename(1, 1, "One").await.expect("fresh");
    rename(1, 1, "Two").await.expect("the same request");
    let again = rename(1, 2, "Three").await;
    assert!(matches!(again, Err(Error::NonceSpent)), "{again:?}");
    rename(2, 2, "Four").await.expect("another nonce");
    for (seconds, gone) in [(331, 0), (332, 2)] {
        let now = noon() + Duration::from_secs(seconds);
        let forgotten = world.store.forget_write_nonces(now).await;
        assert_eq!(forgotten.expect("swept"), gone);
    }
    rename(1, 3, "Five").await.expect("its time is over");
}

/// A change by a request that was signed with that key.
fn signed(world: &World, of: &ServiceAccount, key: AccessKeyId) -> AuditContext {
    AuditContext {
        actor: Actor::Key(KeyGuard {
            key,
            service_account: of.id,
            roles: of.roles.clone(),
            permissions: of.permissions.clone(),
            nonce: None,
        }),
        ..world.by()
    }
}

async fn a_write_signed_with_a_key_that_died_meanwhile_does_not_happen(database: TestDatabase) {
    let world = World::on(database).await;
    let acme = world.organization("acme").await;
    let tenant = world.tenant(&acme.organization);
    let of = world.service_account(&acme, "signer").await;
    let signer = of.id;
    let key = create(&world, &tenant, signer).await.expect("room");
    let by = signed(&world, &of, key.id);
    let rename = async |to: &'static str| {
        let change = |organization: &mut Organization| {
            organization.name = name(to);
            Ok::<_, Error>(())
        };
        tenant.by(&by).update_organization(None, change).await
    };
    rename("Alive").await.expect("the key is alive");

    let set = |is_active: bool| {
        move |service_account: &mut ServiceAccount| {
            service_account.is_active = is_active;
            Ok::<_, Error>(())
        }
    };
    let switch = async |is_active| {
        tenant
            .by(&world.by())
            .update_service_account(signer, None, set(is_active))
            .await
            .expect("switched");
    };
    switch(false).await;
    assert!(matches!(rename("Off").await, Err(Error::CallerDisabled)));
    switch(true).await;
    rename("On again")
        .await
        .expect("the service account is on again");

    let strip = |service_account: &mut ServiceAccount| {
        service_account.permissions = vec!["accounts:GetAccount".to_owned()].into();
        Ok::<_, Error>(())
    };
    tenant
        .by(&world.by())
        .update_service_account(signer, None, strip)
        .await
        .expect("other permissions");
    assert!(matches!(
        rename("Stripped").await,
        Err(Error::GrantsChanged)
    ));

    tenant
        .by(&world.by())
        .revoke_key(signer, key.id)
        .await
        .expect("revoked");
    assert!(matches!(rename("Revoked").await, Err(Error::CallerRevoked)));
    let organization = tenant.organization().await.expect("there");
    assert_eq!(organization.name, name("On again"));
}
