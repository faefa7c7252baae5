//! `GET /replicas`.

use charter_domain::clock::Clock as _;
use charter_store::Replica;
use serde_json::json;
use test_support::service::Service;

use super::{get, on_both};

on_both!(replicas_are_listed_with_their_last_sign_of_life);

async fn replicas_are_listed_with_their_last_sign_of_life(service: &Service) {
    let began = service.clock.now();
    let replica = |id: &str| Replica {
        id: id.to_owned(),
        host: "one/7".to_owned(),
        version: "0.1.0".to_owned(),
        started_at: began,
        policy_digest: "digest".to_owned(),
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
    let policies = get(service, "/policies?without_texts=true").await.ok();
    let replicas = policies["replicas"].as_array().expect("a list");
    let digest =
        |id: &str| &replicas.iter().find(|one| one["id"] == id).expect("listed")["policy_digest"];
    assert_eq!(digest("a"), "digest");
}
