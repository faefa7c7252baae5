//! Codes and slugs: a name means one organization, and one that was given up rests.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use charter_domain::entropy::{Entropy, OsEntropy};
use charter_domain::organization::Organization;
use charter_store::{Error, NewOrganization};
use sea_orm::ConnectionTrait as _;
use test_support::services::{TestDatabase, connect};

use super::world::{World, name};

test_support::on_both_engines![
    a_slug_is_nobodys_code,
    a_code_is_nobodys_slug,
    a_freed_slug_is_reserved_30_days,
    few_slugs_rest_for_one_organization,
    concurrent_requests_for_a_slug_give_it_once,
    a_name_of_two_from_before_is_ambiguous,
];

const DAY: i64 = 24 * 60 * 60;

async fn create(world: &World, slug: &str) -> Result<Organization, Error> {
    let new = NewOrganization {
        name: name("Another"),
        slug: slug.parse().expect("a slug"),
    };
    let made = world.store.create_organization(new, &world.by()).await?;
    Ok(made.0)
}

async fn rename(world: &World, of: &Organization, slug: &str) -> Result<Organization, Error> {
    world
        .tenant(of)
        .by(&world.by())
        .update_organization(None, |organization| {
            organization.slug = slug.to_owned();
            Ok::<_, Error>(())
        })
        .await
}

fn assert_taken(result: Result<Organization, Error>) {
    assert!(matches!(result, Err(Error::SlugTaken)), "{result:?}");
}

async fn a_slug_is_nobodys_code(database: TestDatabase) {
    let world = World::on(database).await;
    let acme = world.organization("acme").await.organization;
    let other = world.organization("other").await.organization;
    let code = acme.code.as_str();
    assert_taken(create(&world, code).await);
    assert_taken(rename(&world, &other, code).await);
    assert_taken(rename(&world, &acme, code).await);
    let found = world.store.find_organization(code).await;
    assert_eq!(found.expect("its own code"), acme);
    assert_eq!(world.audit().await.findings, []);
}

/// How often randomness is asked for: once for an id, then for each letter.
const AN_ID_AND_A_CODE: usize = 1 + 6;

/// Nothing but zeros for a while.
struct Zeros(AtomicUsize);

impl Entropy for Zeros {
    fn fill(&self, buffer: &mut [u8]) {
        let left = |left: usize| left.checked_sub(1);
        if self
            .0
            .fetch_update(Ordering::SeqCst, Ordering::SeqCst, left)
            .is_ok()
        {
            buffer.fill(0);
        } else {
            OsEntropy.fill(buffer);
        }
    }
}

async fn a_code_is_nobodys_slug(database: TestDatabase) {
    let zeros = Arc::new(Zeros(AtomicUsize::new(AN_ID_AND_A_CODE)));
    let world = World::with_entropy(database, zeros.clone()).await;
    let first = create(&world, "first").await.expect("made");
    assert_eq!(first.code.as_str(), "000000", "what is drawn of zeros");
    let raw = connect(world.database.url()).await;
    for statement in [
        "UPDATE organization_names SET name = 'was-zeros' WHERE name = '000000'",
        "UPDATE organizations SET code = 'zeroes' WHERE code = '000000'",
    ] {
        raw.execute_unprepared(statement).await.expect(statement);
    }
    create(&world, "000000").await.expect("a slug now");
    zeros.0.store(AN_ID_AND_A_CODE, Ordering::SeqCst);
    // The id is drawn anew, not to be the first one's.
    world.clock.advance(1);
    let next = create(&world, "next").await.expect("made");
    assert_ne!(next.code.as_str(), "000000");
}

async fn a_freed_slug_is_reserved_30_days(database: TestDatabase) {
    let world = World::on(database).await;
    let acme = world.organization("acme").await.organization;
    let other = world.organization("other").await.organization;
    rename(&world, &acme, "apex").await.expect("renamed");
    assert_taken(create(&world, "acme").await);
    assert_taken(rename(&world, &other, "acme").await);
    rename(&world, &acme, "acme").await.expect("taken back");
    assert_taken(create(&world, "apex").await);
    rename(&world, &acme, "apex").await.expect("and given up");
    world.clock.advance(30 * DAY - 1);
    assert_taken(create(&world, "acme").await);
    world.clock.advance(1);
    rename(&world, &other, "acme").await.expect("free again");
    assert_taken(rename(&world, &acme, "acme").await);
    let found = world.store.find_organization("acme").await.expect("found");
    assert_eq!(found.id, other.id);
    assert_eq!(world.audit().await.findings, []);
}

async fn few_slugs_rest_for_one_organization(database: TestDatabase) {
    let world = World::on(database).await;
    let acme = world.organization("slug-0").await.organization;
    for number in 1..=11 {
        world.clock.advance(1);
        let slug = format!("slug-{number}");
        rename(&world, &acme, &slug).await.expect("renamed");
    }
    assert_taken(create(&world, "slug-1").await);
    create(&world, "slug-0").await.expect("the oldest is free");
}

async fn concurrent_requests_for_a_slug_give_it_once(database: TestDatabase) {
    let world = Arc::new(World::on(database).await);
    let mut tasks = tokio::task::JoinSet::new();
    for number in 0..8 {
        let world = world.clone();
        tasks.spawn(async move {
            if number % 2 == 0 {
                return create(&world, "wanted").await;
            }
            let made = world.organization(&format!("other-{number}")).await;
            rename(&world, &made.organization, "wanted").await
        });
    }
    let outcomes = tasks.join_all().await;
    let got = outcomes.iter().filter(|outcome| outcome.is_ok()).count();
    assert_eq!(got, 1, "{outcomes:?}");
    for refused in outcomes.into_iter().filter(Result::is_err) {
        assert_taken(refused);
    }
    assert_eq!(world.audit().await.findings, []);
}

async fn a_name_of_two_from_before_is_ambiguous(database: TestDatabase) {
    let world = World::on(database).await;
    let acme = world.organization("acme").await.organization;
    let other = world.organization("other").await.organization;
    let raw = connect(world.database.url()).await;
    let code = acme.code.as_str();
    let statement = format!("UPDATE organizations SET slug = '{code}' WHERE slug = 'other'");
    raw.execute_unprepared(&statement).await.expect("as it was");
    let found = world.store.find_organization(code).await;
    assert!(matches!(found, Err(Error::Ambiguous(_))), "{found:?}");
    // Giving it up does not give the code away.
    rename(&world, &other, "better").await.expect("renamed");
    assert_taken(create(&world, code).await);
    let found = world.store.find_organization("nobody").await;
    assert!(matches!(found, Err(Error::NotFound)), "{found:?}");
}
