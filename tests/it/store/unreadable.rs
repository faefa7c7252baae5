//! Rows of one tenant that cannot be read: whatever goes over all tenants goes on with the others.

use std::time::Duration;

use charter_domain::email::EmailAddress;
use charter_domain::entropy::OsEntropy;
use charter_domain::id::UserId;
use charter_store::{Error, NewUser};
use sea_orm::ConnectionTrait as _;
use test_support::services::{TestDatabase, connect};

use super::world::{Organized, World, noon};

test_support::on_both_engines![
    an_organization_is_told_with_the_others,
    keys_and_grants_of_others_are_found,
    registrations_of_others_expire,
];

/// An array that holds no texts.
async fn spoil(world: &World, table: &str, column: &str, id: &str) {
    let raw = connect(world.database.url()).await;
    let statement = format!("UPDATE {table} SET {column} = '[7]' WHERE {id}");
    let done = raw.execute_unprepared(&statement).await.expect(&statement);
    assert_eq!(done.rows_affected(), 1, "{statement}");
}

async fn an_organization_is_told_with_the_others(database: TestDatabase) {
    let world = World::on(database).await;
    let acme = world.organization("acme").await;
    let other = world.organization("other").await;
    spoil(&world, "organizations", "allowed_regions", "slug = 'acme'").await;
    let listed = world.store.list_organizations().await.expect("a list");
    let (read, unread): (Vec<_>, Vec<_>) = listed.into_iter().partition(|(_, row)| row.is_ok());
    let ids = |list: &[(_, _)]| list.iter().map(|(id, _)| *id).collect::<Vec<_>>();
    assert_eq!(ids(&unread), [acme.organization.id]);
    assert_eq!(ids(&read), [other.organization.id]);
    assert_eq!(world.audit().await.findings, []);
}

async fn keys_and_grants_of_others_are_found(database: TestDatabase) {
    let world = World::on(database).await;
    let acme = world.organization("acme").await;
    let other = world.organization("other").await;
    let mut keys = Vec::new();
    for (organized, name) in [(&other, "sound"), (&acme, "spoilt")] {
        world.clock.advance(1);
        let of = world.service_account(organized, name).await;
        keys.push(world.key(&organized.organization, of.id).await);
    }
    spoil(&world, "service_accounts", "roles", "name = 'spoilt'").await;
    let spoilt = format!("access_key = '{}'", keys[1].access_key);
    spoil(&world, "access_keys", "ip_allowlist", &spoilt).await;
    let granted = world.store.granted_names().await.expect("names");
    assert!(granted.roles.contains("viewer"), "{granted:?}");
    let anew = world.store.list_keys_to_reseal("kek-2", None, 10).await;
    let anew = anew.expect("keys").into_iter();
    let anew: Vec<_> = anew.map(|(id, key)| (id, key.is_ok())).collect();
    assert_eq!(anew, [(keys[0].id, true), (keys[1].id, false)]);
    // The newest secret shows a start whether the key is right.
    let sealed = world.store.sealed_by("kek-1").await.expect("an answer");
    assert_eq!(sealed.map(|it| it.0), Some(keys[1].id));
}

async fn unverified(world: &World, of: &Organized) {
    let slug = &of.organization.slug;
    let new = NewUser {
        id: UserId::generate(world.by().at, &OsEntropy),
        email: EmailAddress::parse(&format!("owner@{slug}.example")).expect("an address"),
        password_hash: "$argon2id$".to_owned(),
        role: "owner".to_owned(),
        email_verified_at: None,
    };
    let tenant = world.tenant(&of.organization);
    let made = tenant.by(&world.by()).create_user(new).await;
    made.expect("a user");
}

async fn registrations_of_others_expire(database: TestDatabase) {
    let world = World::on(database).await;
    for slug in ["acme", "other"] {
        let organized = world.organization(slug).await;
        unverified(&world, &organized).await;
        world.clock.advance(1);
    }
    spoil(&world, "organizations", "allowed_regions", "slug = 'acme'").await;
    let late = noon() + Duration::from_hours(1);
    let by = world.by();
    let expired = world.store.expire_registrations_before(late, &by).await;
    assert_eq!(expired.expect("an answer"), 1);
    let gone = world.store.find_organization("other").await;
    assert!(matches!(gone, Err(Error::NotFound)), "{gone:?}");
}
