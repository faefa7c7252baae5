//! PostgreSQL is replaced by a standby that lacks the latest writes: what was read from the server before is not used,
//! and nothing is read or written there any more.

use std::sync::Arc;

use charter_domain::clock::SystemClock;
use charter_domain::entropy::OsEntropy;
use charter_store::audit_verify::AuditFinding;
use charter_store::{Config, Error, Store};
use sea_orm::{ConnectionTrait as _, DbBackend, Statement};
use test_support::services::link::{Link, Passage};
use test_support::services::standby::WithStandby;
use test_support::services::{TestDatabase, connect};

use super::changes::{Follower, rename, until};
use super::world::World;

/// Writes that the standby does not have.
const LOST: usize = 5;

/// The configuration of a service.
fn config(database: &TestDatabase, url: &str) -> Config {
    let mut config = database.config();
    config.connection.url = url.into();
    config.is_server = true;
    config
}

async fn open(config: Config) -> Result<Store, Error> {
    Store::open(config, Arc::new(SystemClock::start()), Arc::new(OsEntropy)).await
}

/// Ids of transactions begin again on the standby where they were when it lost its primary. So a write there can have
/// one that a look at the primary has already taken for seen.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_was_read_before_a_promotion_is_not_used_after_it() {
    let Some(servers) = WithStandby::start().await else {
        return;
    };
    let world = World::on(TestDatabase::at(WithStandby::url(&servers.link))).await;
    let acme = world.organization("acme").await.organization;
    let other = world.organization("other").await.organization;
    let looks = Link::to(servers.primary.port()).await;
    let follower = Follower::at(&world, &WithStandby::url(&looks)).await;
    servers.fall_behind().await;
    for number in 0..LOST {
        let epoch = follower.epoch(&other).await;
        rename(&world, &other, &format!("Lost {number}")).await;
        until(|| !follower.is_unchanged(&other, epoch)).await;
    }
    let epoch = follower.epoch(&acme).await;
    looks.set(Passage::Cut);
    servers.fail_over();
    looks.lead_to(servers.standby.port());
    // Longer than what is in memory may be used.
    until(|| !follower.is_unchanged(&acme, follower.store.changes().epoch())).await;
    rename(&world, &acme, "Acme Two").await;
    for number in 0..2 * LOST {
        rename(&world, &other, &format!("Other {number}")).await;
    }
    looks.set(Passage::Open);
    follower.epoch(&acme).await;
    assert!(
        !follower.is_unchanged(&acme, epoch),
        "what was written on the new server is missed"
    );
    // The heads attest what is lost.
    let found = world.audit().await.findings;
    let is_told = |it: &AuditFinding| matches!(it, AuditFinding::OtherHead { organization, .. } if *organization == other.id);
    assert_eq!(found.len(), LOST, "{found:?}");
    assert!(found.iter().all(is_told), "{found:?}");
}

/// A server whose address leads elsewhere is as good as gone, even if it still answers.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_that_was_replaced_is_not_used_even_if_it_lives_on() {
    let Some(servers) = WithStandby::start().await else {
        return;
    };
    let mut world = World::on(TestDatabase::at(WithStandby::url(&servers.link))).await;
    let acme = world.organization("acme").await.organization;
    let store = open(config(&world.database, world.database.url())).await;
    world.store = Arc::new(store.expect("a store"));
    rename(&world, &acme, "Acme Two").await;
    servers.fall_behind().await;
    servers.standby.promote();
    servers.link.lead_to(servers.standby.port());
    // Its first look is over a new connection.
    let follower = Follower::over(Arc::clone(&world.store));
    follower.epoch(&acme).await;
    rename(&world, &acme, "Acme Three").await;
    let raw = connect(&servers.standby.own_url()).await;
    let text = "SELECT 1 FROM organizations WHERE name = 'Acme Three'";
    let row = raw.query_one_raw(Statement::from_string(DbBackend::Postgres, text));
    let row = row.await.expect("an answer");
    assert!(row.is_some(), "it was written to the server before");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_service_uses_no_standby() {
    let Some(servers) = WithStandby::start().await else {
        return;
    };
    let url = servers.standby.own_url();
    let database = TestDatabase::at(url.clone());
    let refused = open(config(&database, &url)).await;
    let refused = refused.expect_err("it is a standby");
    let told = refused.with_cause();
    assert!(matches!(refused, Error::Unavailable(_)), "{refused:?}");
    assert!(told.contains("is a standby"), "{told}");
    servers.standby.promote();
    let taken = open(config(&database, &url)).await;
    taken.expect("it takes writes").close().await;
}
