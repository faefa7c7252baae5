//! `POST /service-accounts/{id}/keys`

use charter_domain::permission::Permission;
use serde_json::{Value, json};
use test_support::on_both_services;
use test_support::service::{Persona, Service, everything_but};

on_both_services!(
    a_key_is_made_and_its_secret_shown_once,
    a_key_says_what_it_is_for_and_from_where_until_when,
    a_key_ends_in_the_second_that_is_shown,
    allowlists_take_mapped_networks_and_name_the_fault,
    each_field_of_a_new_key_has_its_rule,
    five_keys_are_active_at_most,
    each_key_operation_takes_its_permission,
);

async fn a_key_is_made_and_its_secret_shown_once(service: &Service) {
    let acme = service.organization("acme").await;
    let manager = acme.manager().await;
    let other = acme.manager().await;
    service.clock.advance(1);
    // No body is an empty one.
    let requests = [
        manager.ask("POST", &other.keys()),
        manager.post(&other.keys(), json!({})),
    ];
    for request in requests {
        let answer = request.await;
        let made = answer.created();
        let id = made["id"].as_str().expect("an id").to_owned();
        assert!(id.len() == 30 && id.starts_with("key-"), "{id}");
        let location = format!("{}/{id}", other.keys());
        assert_eq!(answer.header("location"), Some(&*location));
        let (text, secret) = (made["access_key"].clone(), made["secret_key"].clone());
        let prefix = format!("sa_{}_{}_", acme.organization.code, acme.account.code);
        assert!(
            text.as_str().is_some_and(|it| it.starts_with(&prefix)),
            "{text}"
        );
        let random = secret
            .as_str()
            .and_then(|it| it.strip_prefix("charter_sk_"))
            .expect("a secret");
        let is_base64url = |b: u8| b.is_ascii_alphanumeric() || b"-_".contains(&b);
        assert!(random.len() == 43 + 6 && random.bytes().all(is_base64url));
        let mut shown = json!({
            "id": id,
            "access_key": text,
            "description": "",
            "service_account_id": other.id,
            "expires_at": null,
            "ip_allowlist": [],
            "is_active": true,
            "created_at": "2025-09-30T12:00:01Z",
            "last_used_at": null,
            "revoked_at": null,
        });
        let list = manager.get(&other.keys()).await;
        let results = list.ok()["results"].clone();
        let listed = results
            .as_array()
            .expect("an array")
            .iter()
            .find(|key| key["id"] == *id);
        assert_eq!(listed, Some(&shown));
        let body = String::from_utf8(list.body).expect("text");
        assert!(!body.contains(random) && !body.contains("secret"), "{body}");
        shown["secret_key"] = secret;
        assert_eq!(made, shown);
        service.holder(&made).get("/organizations/info").await.ok();
    }
}

async fn a_key_ends_in_the_second_that_is_shown(service: &Service) {
    let manager = service.organization("acme").await.manager().await;
    service.clock.advance_milliseconds(500);
    let until = |text: &str| manager.post(&manager.keys(), json!({"expires_at": text}));
    for now in ["2025-09-30T12:00:00.999999Z", "2025-09-30T12:00:00.5Z"] {
        assert_eq!(until(now).await.broken(), ["/expires_at"]);
    }
    let made = until("2025-09-30T12:00:01.9Z").await.created();
    assert_eq!(made["expires_at"], "2025-09-30T12:00:01Z");
    let brief = service.holder(&made);
    brief.get("/accounts").await.ok();
    service.clock.advance_milliseconds(500);
    brief
        .get("/accounts")
        .await
        .assert_refused(401, "KEY_EXPIRED");
}

async fn allowlists_take_mapped_networks_and_name_the_fault(service: &Service) {
    let manager = service.organization("acme").await.manager().await;
    let from = |places: Value| manager.post(&manager.keys(), json!({"ip_allowlist": places}));
    let mapped = from(json!(["::ffff:1.2.3.0/120"])).await.created();
    assert_eq!(mapped["ip_allowlist"], json!(["1.2.3.0/24"]));
    let wide = from(json!(["::1", "::ffff:0.0.0.0/95"])).await;
    assert_eq!(wide.broken(), ["/ip_allowlist/1"]);
    let many: Vec<_> = (0..51).map(|host| format!("10.0.0.{host}")).collect();
    assert_eq!(from(json!(many)).await.broken(), ["/ip_allowlist"]);
}

async fn a_key_says_what_it_is_for_and_from_where_until_when(service: &Service) {
    let manager = service.organization("acme").await.manager().await;
    let body = json!({
        "description": " deploys ", "expires_at": "2025-10-01T00:00:00.999999999Z",
        "ip_allowlist": ["127.0.0.0/8", "192.0.2.7", "2001:db8::/32", "::1", "::ffff:10.0.0.1", "192.0.2.8/32"],
    });
    let made = manager.post(&manager.keys(), body).await.created();
    assert_eq!(made["description"], "deploys");
    assert_eq!(made["expires_at"], "2025-10-01T00:00:00Z");
    assert_eq!(
        made["ip_allowlist"],
        json!([
            "127.0.0.0/8",
            "192.0.2.7",
            "2001:db8::/32",
            "::1",
            "10.0.0.1",
            "192.0.2.8"
        ])
    );
    service.holder(&made).get("/accounts").await.ok();
    let never = json!({"expires_at": null, "ip_allowlist": [], "description": ""});
    let never = manager.post(&manager.keys(), never).await.created();
    assert_eq!(
        (&never["expires_at"], &never["ip_allowlist"]),
        (&json!(null), &json!([]))
    );
    let elsewhere = json!({"ip_allowlist": ["192.0.2.7"]});
    let elsewhere = manager.post(&manager.keys(), elsewhere).await.created();
    let elsewhere = service.holder(&elsewhere);
    elsewhere
        .get("/accounts")
        .await
        .assert_refused(401, "IP_NOT_ALLOWED");
}

async fn each_field_of_a_new_key_has_its_rule(service: &Service) {
    let manager = service.organization("acme").await.manager().await;
    let keys = manager.keys();
    for (field, wrong) in [
        ("description", json!(null)),
        ("description", json!(1)),
        ("description", json!(["x"])),
        ("expires_at", json!(1_759_233_600)),
        ("expires_at", json!({})),
        ("expires_at", json!(false)),
        ("ip_allowlist", json!(null)),
        ("ip_allowlist", json!("127.0.0.1")),
        ("ip_allowlist", json!([1])),
        ("ip_allowlist", json!([null])),
        ("ip_allowlist", json!({})),
    ] {
        let answer = manager.post(&keys, json!({ field: wrong })).await;
        assert_eq!(
            (answer.status, answer.code()),
            (400, "WRONG_TYPE".to_owned()),
            "{field}: {wrong}"
        );
    }
    for unknown in [
        "id",
        "access_key",
        "secret_key",
        "is_active",
        "created_at",
        "overlap_seconds",
        "roles",
    ] {
        let answer = manager.post(&keys, json!({ unknown: "x" })).await;
        answer.assert_refused(400, "UNKNOWN_FIELD");
    }
    let now = service.clock.in_seconds(0);
    for past in [
        &*now,
        "2025-09-30T11:59:59Z",
        "1970-01-01T00:00:00Z",
        "0000-01-01T00:00:00Z",
    ] {
        let answer = manager.post(&keys, json!({"expires_at": past})).await;
        assert_eq!(answer.broken(), ["/expires_at"], "{past}");
    }
    for malformed in [
        "",
        "2025-10-01",
        "2025-10-01T00:00:00",
        "2025-10-01T00:00:00+00:00",
        "2025-10-01 00:00:00Z",
        "tomorrow",
        "2025-02-29T00:00:00Z",
        "10000-01-01T00:00:00Z",
    ] {
        let answer = manager.post(&keys, json!({"expires_at": malformed})).await;
        assert_eq!(answer.broken(), ["/expires_at"], "{malformed}");
    }
    for network in [
        "127.0.0.1/8",
        "10.0.0.1/31",
        "2001:db8::1/32",
        "10.0.0.0/33",
        "::/129",
        "10.0.0",
        "10.0.0.0/",
        "010.0.0.1",
        "1.2.3.4.5",
        "localhost",
        "",
        "*",
        "127.0.0.1:80",
        "[::1]",
        "fe80::1%eth0",
        "10.0.0.0/-1",
    ] {
        let answer = manager
            .post(&keys, json!({"ip_allowlist": ["127.0.0.1", network]}))
            .await;
        assert_eq!(answer.broken(), ["/ip_allowlist/1"], "{network}");
    }
    let many = |count: usize| json!({"ip_allowlist": vec!["127.0.0.1"; count]});
    assert_eq!(manager.post(&keys, many(51)).await.broken().len(), 1);
    let long = json!({"description": "x".repeat(1_001)});
    assert_eq!(manager.post(&keys, long).await.broken(), ["/description"]);
    assert_eq!(manager.get(&keys).await.ok()["total"], 1);
    manager.post(&keys, many(50)).await.created();
    let soon = json!({"expires_at": service.clock.in_seconds(1)});
    manager.post(&keys, soon).await.created();
    let far = json!({"expires_at": "9999-12-31T23:59:59Z"});
    assert_eq!(
        manager.post(&keys, far).await.created()["expires_at"],
        "9999-12-31T23:59:59Z"
    );
}

async fn five_keys_are_active_at_most(service: &Service) {
    let acme = service.organization("acme").await;
    let (manager, other) = (acme.manager().await, acme.manager().await);
    let make = |body: Value| manager.post(&other.keys(), body);
    let mut keys = Vec::new();
    for _ in 0..3 {
        keys.push(make(json!({})).await.created());
    }
    make(json!({"expires_at": service.clock.in_seconds(60)}))
        .await
        .created();
    assert_eq!(make(json!({})).await.broken().len(), 1);
    // An expired one and a revoked one make room.
    service.clock.advance(60);
    make(json!({})).await.created();
    assert_eq!(make(json!({})).await.broken().len(), 1);
    manager
        .delete(&service.holder(&keys[0]).key())
        .await
        .no_content();
    let sixth = make(json!({})).await.created();
    assert_eq!(make(json!({})).await.broken().len(), 1);
    // One in overlap is not counted, its successor takes its place.
    let rotate = |key: &Value| format!("{}/rotate", service.holder(key).key());
    manager.post(&rotate(&sixth), json!({})).await.created();
    service.holder(&sixth).get("/accounts").await.ok();
    assert_eq!(make(json!({})).await.broken().len(), 1);
    // Rotated once more, it would bring a sixth.
    let again = manager.post(&rotate(&sixth), json!({})).await;
    assert_eq!(again.broken().len(), 1);
}

async fn each_key_operation_takes_its_permission(service: &Service) {
    let acme = service.organization("acme").await;
    let (one, two) = (acme.signer(&[]).await, acme.signer(&[]).await);
    let rotate = format!("{}/rotate", one.key());
    for (permission, method, target) in [
        (Permission::ListKeys, "GET", one.keys()),
        (Permission::CreateKey, "POST", one.keys()),
        (Permission::RotateKey, "POST", rotate),
        (Permission::RevokeKey, "DELETE", two.key()),
    ] {
        let all_but = acme.signer(&everything_but(&[permission])).await;
        all_but
            .ask(method, &target)
            .await
            .assert_refused(403, "NOT_PERMITTED");
        let just = acme.signer(&[permission]).await;
        let status = just.ask(method, &target).await.status;
        assert!(matches!(status, 200 | 201 | 204), "{permission}: {status}");
    }
}
