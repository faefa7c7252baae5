//! `GET /replicas`.

use charter_domain::clock::Clock as _;
use charter_store::Replica;
use sea_orm::{ConnectionTrait as _, TransactionTrait as _};
use serde_json::{Value, json};
use test_support::policy_world::shipped;
use test_support::polling::found;
use test_support::service::{Persona as _, Service};
use test_support::services::{TestDatabase, connect};

use super::{TOKEN, get, on_both};

on_both!(
    replicas_are_listed_with_their_last_sign_of_life,
    replicas_with_other_folders_make_readiness_degraded,
);

async fn replicas_are_listed_with_their_last_sign_of_life(service: &Service) {
    let began = service.clock.now();
    let replica = |id: &str| Replica {
        id: id.to_owned(),
        host: "one/7".to_owned(),
        version: "0.1.0".to_owned(),
        started_at: began,
        policy_digest: "digest".to_owned(),
        domain_digests: Some([("todo".to_owned(), "of todo".to_owned())].into()),
        folder_digest: None,
        replay_key: None,
        readiness: "ok".to_owned(),
        seen_at: began,
    };
    let note = async |replica| service.store().note_replica(replica).await.expect("noted");
    note(replica("a")).await;
    note(replica("b")).await;
    service.clock.advance(60);
    note(Replica {
        readiness: "degraded".to_owned(),
        seen_at: service.clock.now(),
        ..replica("a")
    })
    .await;
    let shown = get(service, "/replicas").await.ok();
    let all = shown["results"].as_array().expect("a list");
    let of = |id: &str| all.iter().find(|one| one["id"] == id).expect("listed");
    assert_eq!(of("b")["seen_at"], of("b")["started_at"]);
    assert_eq!(
        of("b")["readiness"],
        json!("lost"),
        "a minute without a sign"
    );
    assert_ne!(of("a")["seen_at"], of("a")["started_at"]);
    assert_eq!(of("a")["readiness"], json!("degraded"));
    assert_eq!(of("a")["host"], json!("one/7"));
    assert_eq!(of("a")["domain_digests"], json!({"todo": "of todo"}));
    let policies = get(service, "/policies?without_texts=true").await.ok();
    let replicas = policies["replicas"].as_array().expect("a list");
    let digest =
        |id: &str| &replicas.iter().find(|one| one["id"] == id).expect("listed")["policy_digest"];
    assert_eq!(digest("a"), "digest");
}

/// Lets the service's time pass until readiness says so of its replicas.
async fn readiness_with(
    service: &Service,
    other: Replica,
    is_so: impl Fn(&Value) -> bool,
) -> Value {
    found("readiness says so", async || {
        service.clock.advance(5);
        let seen_at = service.clock.now();
        let alive = Replica {
            seen_at,
            ..other.clone()
        };
        service.store().note_replica(alive).await.expect("noted");
        let ready = service.operator_side().get("/readyz").await.json();
        is_so(&ready["replicas"]).then_some(ready)
    })
    .await
}

async fn replicas_with_other_folders_make_readiness_degraded(service: &Service) {
    let own = async || {
        let listed = service.store().list_replicas().await.expect("rows");
        listed.into_iter().find(|replica| replica.id != "other")
    };
    let own = loop {
        if let Some(own) = own().await {
            break own;
        }
        tokio::task::yield_now().await;
    };
    let other = Replica {
        id: "other".to_owned(),
        host: "two/8".to_owned(),
        ..own
    };
    let is = |status: &'static str| move |replicas: &Value| replicas["status"] == status;
    let with_folder = |digest: Option<&str>| Replica {
        folder_digest: digest.map(str::to_owned),
        ..other.clone()
    };
    let degraded = readiness_with(service, with_folder(Some("elsewhere")), is("degraded")).await;
    let told = degraded["replicas"].to_string();
    assert!(
        told.contains(
            "`two/8` has the same policies in force and another policy folder (elsewhere)"
        ),
        "{told}"
    );
    // Of a version that does not tell, the policies alone are compared.
    readiness_with(service, with_folder(None), is("ok")).await;
    let with_policies = Replica {
        policy_digest: "of others".to_owned(),
        ..with_folder(None)
    };
    let degraded = readiness_with(service, with_policies, is("degraded")).await;
    let told = degraded["replicas"].to_string();
    assert!(
        told.contains("other policies in force (of others)"),
        "{told}"
    );
    readiness_with(service, other, is("ok")).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_policies_do_not_wait_for_a_silent_database() {
    let Some(database) = TestDatabase::empty_postgres().await else {
        return;
    };
    // Less than a statement waits for a lock (3 s): whoever waits for that is too late.
    let server = format!(
        "ops_token = \"{TOKEN}\"\nbody_deadline = \"2800ms\"\nrequest_deadline = \"2800ms\""
    );
    let policies = format!(
        "dir = \"{}\"\ntests = \"off\"\nproofs = \"off\"",
        shipped().display()
    );
    let service = Service::with_server_and_policies(database, &server, &policies).await;
    let raw = connect(service.database_url()).await;
    let holder = raw.begin().await.expect("a transaction");
    let lock = "LOCK TABLE replicas IN ACCESS EXCLUSIVE MODE";
    holder.execute_unprepared(lock).await.expect("a lock");
    let shown = get(&service, "/policies?without_texts=true").await.ok();
    assert!(shown["in_force"]["digest"].is_string());
    assert_eq!(shown["replicas"], Value::Null);
    holder.rollback().await.expect("let go");
    let shown = get(&service, "/policies?without_texts=true").await.ok();
    assert!(shown["replicas"].is_array());
    service.stop().await;
}
