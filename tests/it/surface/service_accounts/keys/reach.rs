//! A key passes on no more time and no more places than it has itself, unless policy permits
//! `service-accounts:ExtendKey`.

use charter_domain::permission::Permission;
use charter_domain::timestamp;
use serde_json::{Value, json};
use test_support::client::Answer;
use test_support::on_both_services;
use test_support::service::{Grants, Persona, Service, Signer, TeamRole, everything_but};

on_both_services!(
    a_key_makes_none_that_lives_longer_or_works_from_more_places,
    a_rotated_key_reaches_no_further_either,
    the_permission_lifts_the_limit,
    users_are_not_bound_by_a_key,
);

/// In an hour.
const END: &str = "2025-09-30T13:00:00Z";
const HERE: [&str; 2] = ["127.0.0.0/9", "127.128.0.0/9"];

/// A service account that may all but extend keys, whose own key ends and works from here only.
async fn bound(service: &Service, permissions: &[Permission]) -> (Signer, Signer) {
    let acme = service.organization("acme").await;
    let signer = acme
        .signer_with(Grants {
            permissions,
            ip_allowlist: &HERE,
            expires_at: timestamp::parse(END).ok(),
            ..Grants::default()
        })
        .await;
    (signer, acme.signer(&[]).await)
}

fn everything_but_extending() -> Vec<Permission> {
    everything_but(&[Permission::ExtendKey])
}

#[track_caller]
fn refused(answer: &Answer, fields: &[&str]) {
    answer.assert_refused(403, "NOT_PERMITTED");
    let error = &answer.json()["error"];
    let message = error["message"].as_str().expect("a sentence");
    assert!(
        message.contains("`service-accounts:ExtendKey`"),
        "{message}"
    );
    for (field, told) in [
        ("/expires_at", "live longer"),
        ("/ip_allowlist", "be for more"),
    ] {
        assert_eq!(message.contains(told), fields.contains(&field), "{message}");
    }
    assert_eq!(error["details"], Value::Null);
}

fn key(expires_at: Value, places: &[&str]) -> Value {
    json!({"expires_at": expires_at, "ip_allowlist": places})
}

async fn a_key_makes_none_that_lives_longer_or_works_from_more_places(service: &Service) {
    let (bound, other) = bound(service, &everything_but_extending()).await;
    for of in [&bound, &other] {
        let make = |body: Value| bound.post(&of.keys(), body);
        refused(&make(json!({})).await, &["/expires_at", "/ip_allowlist"]);
        refused(&make(key(json!(null), &HERE)).await, &["/expires_at"]);
        let later = json!("2025-09-30T13:00:01Z");
        refused(&make(key(later, &HERE)).await, &["/expires_at"]);
        for more in [&[][..], &["0.0.0.0/0"], &["127.0.0.1", "::1"]] {
            refused(&make(key(json!(END), more)).await, &["/ip_allowlist"]);
        }
        assert_eq!(bound.get(&of.keys()).await.ok()["total"], 1);
        // Together the two halves are the whole.
        let whole = make(key(json!(END), &["127.0.0.0/8"])).await.created();
        assert_eq!(whole["expires_at"], END);
        make(key(json!("2025-09-30T12:30:00Z"), &["127.0.0.1"]))
            .await
            .created();
    }
}

async fn a_rotated_key_reaches_no_further_either(service: &Service) {
    let (bound, other) = bound(service, &everything_but_extending()).await;
    let rotate = |of: &Signer, body: Value| bound.post(&format!("{}/rotate", of.key()), body);
    service.clock.advance(60);
    // Its own length of life again would be longer than it has left.
    refused(&rotate(&bound, json!({})).await, &["/expires_at"]);
    let body = json!({"expires_at": null});
    refused(&rotate(&bound, body).await, &["/expires_at"]);
    // Another's allowlist goes over.
    let body = json!({"expires_at": END});
    refused(&rotate(&other, body.clone()).await, &["/ip_allowlist"]);
    refused(
        &rotate(&other, json!({})).await,
        &["/expires_at", "/ip_allowlist"],
    );
    assert_eq!(bound.get(&bound.keys()).await.ok()["total"], 1);
    let made = rotate(&bound, body).await.created();
    assert_eq!(
        (&made["expires_at"], &made["ip_allowlist"]),
        (&json!(END), &json!(HERE))
    );
    // The old key lives to the end of the overlap at most: so does what it still makes.
    let short = json!({"overlap_seconds": 60, "expires_at": END});
    let next = service.holder(&made);
    bound
        .post(&format!("{}/rotate", next.key()), short)
        .await
        .created();
    let body = key(json!(END), &HERE);
    refused(&next.post(&other.keys(), body).await, &["/expires_at"]);
}

async fn the_permission_lifts_the_limit(service: &Service) {
    let permissions = [everything_but_extending(), vec![Permission::ExtendKey]].concat();
    let (extending, other) = bound(service, &permissions).await;
    extending.post(&other.keys(), json!({})).await.created();
    let rotated = extending
        .post(
            &format!("{}/rotate", extending.key()),
            json!({"expires_at": null}),
        )
        .await
        .created();
    assert_eq!(rotated["expires_at"], json!(null));
}

async fn users_are_not_bound_by_a_key(service: &Service) {
    let acme = service.organization("acme").await;
    let owner = acme.person(TeamRole::Owner).await;
    let signer = acme.signer(&[]).await;
    owner.post(&signer.keys(), json!({})).await.created();
    // Nor is a key that is bound by nothing.
    let unbound = acme.signer(&everything_but_extending()).await;
    unbound.post(&signer.keys(), json!({})).await.created();
}
