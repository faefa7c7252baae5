//! `/api/auth/register`

use std::time::Duration;

use charter_domain::email::EmailAddress;
use charter_domain::entropy::OsEntropy;
use charter_domain::id::UserId;
use charter_domain::progress::Progress;
use charter_store::NewUser;
use serde_json::{Value, json};
use test_support::on_both_services;
use test_support::service::{PASSWORD, Persona, Request, Service, all_at_once, members};
use test_support::stored_tenant::StoredTenant;

use super::{ORGANIZATION, SETTINGS, TEAM};

on_both_services!(
    a_new_organization_has_its_defaults,
    a_broken_registration_is_named_and_costs_nothing,
    taken_slugs_and_addresses_are_named,
    an_unverified_person_reads_but_does_not_write,
    one_of_many_gets_slug_and_address,
    unverified_registrations_free_address_and_slug,
);

fn registration() -> Value {
    json!({
        "orgName": "Zoo",
        "orgSlug": "zoo",
        "ownerEmail": "ada@zoo.example",
        "ownerPassword": PASSWORD,
        "captchaToken": "unused",
    })
}

fn with(name: &str, value: Value) -> Value {
    let mut body = registration();
    body[name] = value;
    body
}

fn register(service: &Service, body: Value) -> Request {
    service.anonymous().post("/api/auth/register", body)
}

async fn a_new_organization_has_its_defaults(service: &Service) {
    let made = register(service, registration()).await.ok();
    assert_eq!(
        members(made.as_object().expect("an object")),
        ["organizationId", "userId"]
    );
    let ada = service.sign_in("ada@zoo.example", PASSWORD).await;
    assert_eq!(made["userId"], ada.id.as_str());
    let organization = ada.get(ORGANIZATION).await.ok();
    assert_eq!(organization["id"], made["organizationId"]);
    assert_eq!(organization["planTier"], "free");
    assert_eq!(organization["defaultRegion"], Value::Null);
    assert_eq!(
        organization["allowedRegions"].as_array().map(Vec::len),
        Some(3)
    );
    assert_eq!(
        ada.get("/accounts").await.ok()["results"][0]["is_default"],
        true
    );
    assert_eq!(ada.get(TEAM).await.ok()[0]["role"], "owner");
    assert_eq!(service.mails().len(), 1);
}

async fn a_broken_registration_is_named_and_costs_nothing(service: &Service) {
    for (body, field) in [
        (with("ownerEmail", json!("nobody")), "/ownerEmail"),
        (with("ownerPassword", json!("1234567")), "/ownerPassword"),
        (
            with("ownerPassword", json!("password123")),
            "/ownerPassword",
        ),
        (
            with("ownerPassword", json!("x".repeat(257))),
            "/ownerPassword",
        ),
        (with("orgSlug", json!("Zoo")), "/orgSlug"),
        (with("orgSlug", json!("admin")), "/orgSlug"),
        (with("orgName", json!("  ")), "/orgName"),
        (with("orgName", json!("a\u{202e}b")), "/orgName"),
    ] {
        assert_eq!(register(service, body).await.broken_on_portal(), [field]);
    }
    let reserved = register(service, with("orgSlug", json!("admin"))).await;
    let told = &reserved.json()["error"]["details"][0]["message"];
    assert_eq!(told, "is reserved, choose another");
    for (body, code) in [
        (with("ownerEmail", json!(null)), "WRONG_TYPE"),
        (with("role", json!("owner")), "UNKNOWN_FIELD"),
        (with("planTier", json!("pro")), "UNKNOWN_FIELD"),
        (json!({"orgName": "Zoo"}), "MISSING_FIELD"),
    ] {
        register(service, body).await.assert_refused(400, code);
    }
    // None of these counted.
    register(service, registration()).await.ok();
}

async fn taken_slugs_and_addresses_are_named(service: &Service) {
    register(service, registration()).await.ok();
    let taken = register(service, with("ownerEmail", json!("other@zoo.example"))).await;
    taken.assert_refused(400, "SLUG_TAKEN");
    let told = taken.json()["error"]["message"].to_string();
    assert!(told.contains("reserved for 30 days"), "{told}");
    let mut same_address = with("orgSlug", json!("zoo-two"));
    same_address["ownerEmail"] = json!("ADA@zoo.example");
    register(service, same_address)
        .await
        .assert_refused(400, "EMAIL_TAKEN");
    service
        .anonymous()
        .log_in("other@zoo.example", PASSWORD)
        .await
        .assert_refused(401, "INVALID_LOGIN");
}

async fn an_unverified_person_reads_but_does_not_write(service: &Service) {
    let owner = service.register("zoo").await;
    for target in [ORGANIZATION, TEAM, "/accounts", "/service-accounts"] {
        owner.get(target).await.ok();
    }
    let name = json!({"name": "x"});
    for request in [
        owner.put(SETTINGS, json!({})),
        owner.put(ORGANIZATION, json!({"name": "Z", "slug": "zoo"})),
        owner.ask("POST", "/api/portal/organization/deactivate"),
        owner.post(
            "/api/portal/team/invite",
            json!({"email": "a@b.example", "role": "member"}),
        ),
        owner.post("/service-accounts", name.clone()),
        owner.post("/accounts", name),
    ] {
        let refused = request.await;
        refused.assert_refused(403, "EMAIL_NOT_VERIFIED");
        assert!(refused.json()["error"]["decision_id"].is_string());
    }
    owner
        .put(SETTINGS, json!({"x": 1}))
        .await
        .assert_refused(400, "UNKNOWN_FIELD");
    let owner = service.verify(&owner).await;
    owner.put(SETTINGS, json!({})).await.ok();
}

async fn one_of_many_gets_slug_and_address(service: &Service) {
    let race = async |bodies: Vec<Value>| {
        let requests = bodies
            .into_iter()
            .map(|body| register(service, body).write());
        let mut answers = all_at_once(requests).await;
        answers.sort_by_key(|answer| answer.status);
        answers
    };
    let slugs = (0..3)
        .map(|n| with("ownerEmail", json!(format!("n{n}@zoo.example"))))
        .collect();
    let answers = race(slugs).await;
    answers[0].ok();
    for answer in &answers[1..] {
        answer.assert_refused(400, "SLUG_TAKEN");
    }
    service.clock.advance(3_600);
    let addresses = (0..3).map(|n| {
        let mut body = with("orgSlug", json!(format!("other-{n}")));
        body["ownerEmail"] = json!("same@zoo.example");
        body
    });
    let answers = race(addresses.collect()).await;
    answers[0].ok();
    for answer in &answers[1..] {
        answer.assert_refused(400, "EMAIL_TAKEN");
    }
}

async fn unverified_registrations_free_address_and_slug(service: &Service) {
    const WEEK: u64 = 7 * 24 * 3_600;
    let kept = service.register("kept").await;
    let kept = service.verify(&kept).await;
    let gone = service.register("zoo").await;
    gone.refresh().await.ok();
    let joined = service.register("joined").await;
    let store = service.store();
    let organization = store
        .find_organization("joined")
        .await
        .expect("it is there");
    let by = service.operator();
    let colleague = NewUser {
        id: UserId::generate(by.at, &OsEntropy),
        email: EmailAddress::parse("colleague@joined.example").expect("an address"),
        password_hash: "$argon2id$".to_owned(),
        role: "admin".to_owned(),
        email_verified_at: Some(by.at),
    };
    let tenant = StoredTenant::of(store, &organization);
    tenant
        .by(&by)
        .create_user(colleague)
        .await
        .expect("a colleague");
    service.clock.advance(WEEK.cast_signed());
    let by = charter::app::provision::system(&*service.clock);
    let expire = async |seconds: u64| {
        let before = by.at - Duration::from_secs(WEEK) + Duration::from_secs(seconds);
        let expired = store.expire_registrations_before(before, &by).await;
        expired.expect("an answer")
    };
    assert_eq!(expire(0).await, 0);
    assert_eq!(expire(1).await, 1);
    assert_eq!(expire(1).await, 0);
    let login = service.anonymous().log_in(&gone.email, PASSWORD).await;
    login.assert_refused(401, "INVALID_LOGIN");
    gone.refresh().await.assert_refused(401, "INVALID_TOKEN");
    for person in [&kept, &joined] {
        let person = service.sign_in(&person.email, PASSWORD).await;
        person.get(TEAM).await.ok();
    }
    // Its slug is free at once, unlike that of an organization that was in use.
    let again = service.register("zoo").await;
    assert_ne!(again.id, gone.id);
    let report = store
        .verify_audit(None, &Progress::default())
        .await
        .expect("a report");
    assert_eq!(report.findings, []);
    assert_eq!(service.audited("system.ExpireRegistration").await.len(), 2);
}
