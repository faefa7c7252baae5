//! `POST /service-accounts/{id}/keys/{key_id}/rotate`

use serde_json::{Value, json};
use test_support::on_both_services;
use test_support::service::{Persona, Service, Signer};

on_both_services!(
    a_rotated_key_lives_on_for_the_overlap,
    the_overlap_is_zero_to_seven_days,
    a_rotated_key_ends_by_its_overlap_or_its_expiry,
    a_successor_lives_as_long_again,
    an_overlap_shortens_no_successor,
    no_successor_outlives_the_last_date_that_can_be_written,
    a_rotation_keeps_description_and_allowlist,
    a_dead_key_is_not_rotated,
    each_field_of_a_rotation_has_its_rule,
);

const DAY: i64 = 86_400;

fn rotate(key: &Signer) -> String {
    format!("{}/rotate", key.key())
}

/// A key as the list shows it.
async fn listed(manager: &Signer, key: &Signer) -> Value {
    let list = manager
        .get(&format!("{}?include_inactive=true", key.keys()))
        .await
        .ok();
    let results = list["results"].as_array().expect("an array");
    results
        .iter()
        .find(|other| other["id"] == *key.key_id)
        .expect("it is there")
        .clone()
}

async fn a_rotated_key_lives_on_for_the_overlap(service: &Service) {
    let acme = service.organization("acme").await;
    let (manager, old) = (acme.manager().await, acme.manager().await);
    service.clock.advance(10);
    // No body: a day.
    let answer = manager.ask("POST", &rotate(&old)).await;
    let made = answer.created();
    let new = service.holder(&made);
    assert_eq!(answer.header("location"), Some(&*new.key()));
    assert_ne!(new.signature.access_key, old.signature.access_key);
    assert_ne!(new.signature.secret_key, old.signature.secret_key);
    assert_eq!(
        (&made["expires_at"], &made["is_active"]),
        (&json!(null), &json!(true))
    );
    assert_eq!(made["service_account_id"], *old.id);
    assert_eq!(
        listed(&manager, &old).await["expires_at"],
        "2025-10-01T12:00:10Z"
    );
    service.clock.advance(DAY - 1);
    old.get("/accounts").await.ok();
    new.get("/accounts").await.ok();
    service.clock.advance(1);
    old.get("/accounts")
        .await
        .assert_refused(401, "KEY_EXPIRED");
    new.get("/accounts").await.ok();
}

async fn the_overlap_is_zero_to_seven_days(service: &Service) {
    let acme = service.organization("acme").await;
    let manager = acme.manager().await;
    for (overlap, expires_at) in [
        (json!(0), Some("2025-09-30T12:00:00Z")),
        (json!(1), Some("2025-09-30T12:00:01Z")),
        (json!(604_800), Some("2025-10-07T12:00:00Z")),
        (json!(-1), None),
        (json!(604_801), None),
        (json!(i64::MAX), None),
    ] {
        let old = acme.signer(&[]).await;
        let answer = manager
            .post(&rotate(&old), json!({"overlap_seconds": overlap}))
            .await;
        if let Some(expires_at) = expires_at {
            answer.created();
            assert_eq!(listed(&manager, &old).await["expires_at"], expires_at);
        } else {
            assert_eq!(answer.broken(), ["/overlap_seconds"]);
            assert_eq!(listed(&manager, &old).await["expires_at"], json!(null));
        }
    }
    let old = acme.manager().await;
    manager
        .post(&rotate(&old), json!({"overlap_seconds": 0}))
        .await
        .created();
    old.get("/accounts")
        .await
        .assert_refused(401, "KEY_EXPIRED");
}

async fn a_rotated_key_ends_by_its_overlap_or_its_expiry(service: &Service) {
    let acme = service.organization("acme").await;
    let (manager, owner) = (acme.manager().await, acme.signer(&[]).await);
    for (lives, overlap, old_ends) in [(100, 60, 60), (60, 60, 60), (60, 100, 60)] {
        let body = json!({"expires_at": service.clock.in_seconds(lives)});
        let old = service.holder(&manager.post(&owner.keys(), body).await.created());
        let made = manager
            .post(&rotate(&old), json!({"overlap_seconds": overlap}))
            .await
            .created();
        assert_eq!(
            listed(&manager, &old).await["expires_at"],
            *service.clock.in_seconds(old_ends)
        );
        manager
            .delete(&service.holder(&made).key())
            .await
            .no_content();
    }
    // Rotated again in its overlap, its end may come nearer, never go further away.
    manager
        .post(&rotate(&owner), json!({"overlap_seconds": 100}))
        .await
        .created();
    manager
        .post(&rotate(&owner), json!({"overlap_seconds": 1_000}))
        .await
        .created();
    assert_eq!(
        listed(&manager, &owner).await["expires_at"],
        *service.clock.in_seconds(100)
    );
    manager
        .post(&rotate(&owner), json!({"overlap_seconds": 10}))
        .await
        .created();
    assert_eq!(
        listed(&manager, &owner).await["expires_at"],
        *service.clock.in_seconds(10)
    );
}

async fn a_successor_lives_as_long_again(service: &Service) {
    let acme = service.organization("acme").await;
    let (manager, owner) = (acme.manager().await, acme.signer(&[]).await);
    let body = json!({"expires_at": service.clock.in_seconds(1_000)});
    let old = service.holder(&manager.post(&owner.keys(), body).await.created());
    service.clock.advance(400);
    let made = manager.post(&rotate(&old), json!({})).await.created();
    assert_eq!(made["expires_at"], *service.clock.in_seconds(1_000));
    assert_eq!(
        listed(&manager, &old).await["expires_at"],
        *service.clock.in_seconds(600)
    );
    for (asked, given) in [
        (json!(null), json!(null)),
        (json!("2030-01-01T00:00:00Z"), json!("2030-01-01T00:00:00Z")),
    ] {
        let body = json!({"expires_at": asked, "overlap_seconds": 3_600});
        let made = manager
            .post(&rotate(&service.holder(&made)), body)
            .await
            .created();
        assert_eq!(made["expires_at"], given);
    }
}

/// A client that lost the answer to a rotation rotates again.
async fn an_overlap_shortens_no_successor(service: &Service) {
    let acme = service.organization("acme").await;
    let (manager, owner) = (acme.manager().await, acme.signer(&[]).await);
    let again = json!({"overlap_seconds": 60});
    for _ in 0..3 {
        let made = manager.post(&rotate(&owner), again.clone()).await.created();
        assert_eq!(made["expires_at"], json!(null));
    }
    let other = acme.signer(&[]).await;
    let body = json!({"expires_at": service.clock.in_seconds(1_000)});
    let old = service.holder(&manager.post(&other.keys(), body).await.created());
    for _ in 0..3 {
        service.clock.advance(10);
        let made = manager.post(&rotate(&old), again.clone()).await.created();
        assert_eq!(made["expires_at"], *service.clock.in_seconds(1_000));
    }
}

async fn no_successor_outlives_the_last_date_that_can_be_written(service: &Service) {
    let acme = service.organization("acme").await;
    let (manager, owner) = (acme.manager().await, acme.signer(&[]).await);
    let last = json!({"expires_at": "9999-12-31T23:59:59Z"});
    let old = service.holder(&manager.post(&owner.keys(), last).await.created());
    service.clock.advance(DAY);
    let made = manager.post(&rotate(&old), json!({})).await.created();
    assert_eq!(made["expires_at"], "9999-12-31T23:59:59Z");
    let shown = listed(&manager, &service.holder(&made)).await;
    assert_eq!(shown["expires_at"], made["expires_at"]);
}

async fn a_rotation_keeps_description_and_allowlist(service: &Service) {
    let acme = service.organization("acme").await;
    let (manager, owner) = (acme.manager().await, acme.signer(&[]).await);
    let body = json!({"description": "deploys", "ip_allowlist": ["192.0.2.0/24", "::1"]});
    let old = manager.post(&owner.keys(), body).await.created();
    let new = manager
        .post(&rotate(&service.holder(&old)), json!({}))
        .await
        .created();
    for field in ["description", "ip_allowlist"] {
        assert_eq!(new[field], old[field]);
    }
    service
        .holder(&new)
        .get("/accounts")
        .await
        .assert_refused(401, "IP_NOT_ALLOWED");
}

async fn a_dead_key_is_not_rotated(service: &Service) {
    let acme = service.organization("acme").await;
    let (manager, revoked) = (acme.manager().await, acme.signer(&[]).await);
    manager.delete(&revoked.key()).await.no_content();
    manager
        .post(&rotate(&revoked), json!({}))
        .await
        .assert_refused(409, "KEY_NOT_ACTIVE");
    let owner = acme.signer(&[]).await;
    let body = json!({"expires_at": service.clock.in_seconds(60)});
    let expired = service.holder(&manager.post(&owner.keys(), body).await.created());
    service.clock.advance(60);
    manager
        .post(&rotate(&expired), json!({}))
        .await
        .assert_refused(409, "KEY_NOT_ACTIVE");
    assert_eq!(manager.get(&owner.keys()).await.ok()["total"], 1);
    assert_eq!(manager.get(&revoked.keys()).await.ok()["total"], 0);
}

async fn each_field_of_a_rotation_has_its_rule(service: &Service) {
    let manager = service.organization("acme").await.manager().await;
    let asked = |body: Value| manager.post(&rotate(&manager), body);
    for wrong in [
        json!("60"),
        json!(1.5),
        json!(null),
        json!([60]),
        json!(true),
    ] {
        asked(json!({"overlap_seconds": wrong}))
            .await
            .assert_refused(400, "WRONG_TYPE");
    }
    for far in [json!(604_801), json!(-1), json!(u64::MAX), json!(1e30)] {
        let asked = asked(json!({"overlap_seconds": far})).await;
        assert_eq!(asked.broken(), ["/overlap_seconds"]);
    }
    for wrong in [json!(1), json!([]), json!({}), json!(true)] {
        asked(json!({"expires_at": wrong}))
            .await
            .assert_refused(400, "WRONG_TYPE");
    }
    for past in [
        service.clock.in_seconds(0),
        service.clock.in_seconds(-1),
        "2025-09-30T12:00:00.999Z".to_owned(),
        "soon".to_owned(),
    ] {
        assert_eq!(
            asked(json!({"expires_at": past})).await.broken(),
            ["/expires_at"]
        );
    }
    for unknown in ["description", "ip_allowlist", "overlap", "id"] {
        asked(json!({ unknown: "x" }))
            .await
            .assert_refused(400, "UNKNOWN_FIELD");
    }
    assert_eq!(manager.get(&manager.keys()).await.ok()["total"], 1);
}
