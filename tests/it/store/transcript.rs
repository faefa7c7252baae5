//! The same history on both engines: the same ids, the same answers, the same audit chain.

use std::fmt::Write as _;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use charter_domain::account::Account;
use charter_domain::entropy::Entropy;
use charter_domain::page::{KeyOrder, ResourceOrder};
use charter_store::{Error, NewAccount, RotationTimes, ServiceAccountFilter};
use serde_json::json;
use sha2::{Digest as _, Sha256};
use test_support::services::TestDatabase;

use super::world::{Organized, World, first_page, metadata, name};

/// Repeats itself in every test.
#[derive(Default)]
struct CountedEntropy(AtomicU64);

impl Entropy for CountedEntropy {
    fn fill(&self, buffer: &mut [u8]) {
        for chunk in buffer.chunks_mut(32) {
            let count = self.0.fetch_add(1, Ordering::Relaxed);
            let block = Sha256::digest(count.to_le_bytes());
            chunk.copy_from_slice(&block[..chunk.len()]);
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn both_engines_tell_the_same_story() {
    let Some(postgres) = TestDatabase::postgres().await else {
        return;
    };
    let sqlite = story(TestDatabase::sqlite()).await;
    let postgres = story(postgres).await;
    assert_eq!(sqlite, postgres);
}

async fn story(database: TestDatabase) -> String {
    let world = World::with_entropy(database, Arc::new(CountedEntropy::default())).await;
    let mut story = String::new();
    let mut tell = |what: &dyn std::fmt::Debug| {
        writeln!(story, "{what:#?}").expect("a string takes all");
    };
    let acme = world.organization("acme").await;
    let other = world.organization("other").await;
    tell(&(&acme.organization, &acme.account, &other.organization));
    let tenant = world.tenant(&acme.organization);
    world.clock.advance(1);
    for account in odd_accounts(&world, &acme).await {
        let object = account.metadata.as_object();
        tell(&(
            account.clone(),
            serde_json::to_string(object).expect("JSON"),
        ));
    }
    let service_account = world.service_account(&acme, "ci").await;
    let first = world
        .key_with(&acme.organization, service_account.id, 1)
        .await;
    world.clock.advance(1);
    let second = world
        .key_with(&acme.organization, service_account.id, 2)
        .await;
    let times = RotationTimes {
        overlap: Duration::from_secs(59),
        expires_at: None,
    };
    let third = tenant
        .by(&world.by())
        .rotate_key(
            service_account.id,
            first.id,
            World::numbered_key(3),
            times,
            |_| Ok::<_, Error>(()),
        )
        .await;
    tell(&(&first, &second, third));
    tell(
        &tenant
            .by(&world.by())
            .revoke_key(service_account.id, second.id)
            .await,
    );
    let refused = tenant
        .by(&world.by())
        .update_organization(Some(9), |_| Ok::<_, Error>(()))
        .await;
    tell(&refused);
    for order in [
        ResourceOrder::Name,
        ResourceOrder::CreatedAt,
        ResourceOrder::UpdatedAt,
    ] {
        tell(&tenant.list_accounts(first_page(order), true).await);
        let filter = ServiceAccountFilter::default();
        tell(
            &tenant
                .list_service_accounts(first_page(order), filter)
                .await,
        );
    }
    for order in [
        KeyOrder::CreatedAt,
        KeyOrder::ExpiresAt,
        KeyOrder::LastUsedAt,
    ] {
        tell(
            &tenant
                .list_keys(service_account.id, first_page(order), true)
                .await,
        );
    }
    tell(&world.store.find_credential(&first.access_key).await);
    tell(&world.audit().await);
    tell(&std::fs::read_to_string(world.heads()).expect("heads"));
    story
}

/// Texts and numbers that engines like to change.
async fn odd_accounts(world: &World, at: &Organized) -> Vec<Account> {
    let tenant = world.tenant(&at.organization);
    let mut accounts = Vec::new();
    for (called, value) in [
        (
            "\u{e9}",
            json!({"z": 1.5, "a": {"y": [1e21 / 1e7, 1e-7, 0.1], "x": null}}),
        ),
        (
            "e\u{301}",
            json!({"\u{1F600}": "\u{1F600}", "k": "\\u0000", "K": 9_007_199_254_740_991_i64}),
        ),
        (
            "\u{FFFD}",
            json!({"long": "x".repeat(9_000), "-0": -0.0, "tiny": 5e-324}),
        ),
    ] {
        let new = NewAccount {
            name: name(called),
            metadata: metadata(value),
        };
        let account = tenant.by(&world.by()).create_account(new).await;
        let account = account.expect("an account");
        // What is told is what was written, and what is read is the same.
        assert_eq!(tenant.account(account.id).await.expect("found"), account);
        accounts.push(account);
    }
    accounts
}
