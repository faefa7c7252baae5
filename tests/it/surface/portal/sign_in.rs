//! `/api/auth/login` and `/api/auth/logout`

use serde_json::{Value, json};
use test_support::on_both_services;
use test_support::service::{PASSWORD, Persona, Service, TeamRole, claims, members};

use super::{ORGANIZATION, TEAM};

on_both_services!(
    a_token_says_what_it_should,
    an_address_has_one_form_at_the_door_too,
    unknown_disabled_and_wrong_are_one_answer,
    a_broken_sign_in_is_named,
    logout_ends_the_session_at_once,
    logout_ends_the_cookies_session_too,
    a_weak_hash_is_made_anew,
    conditions_hold_where_no_policy_decides,
);

async fn a_token_says_what_it_should(service: &Service) {
    let acme = service.organization("acme").await;
    let owner = acme.person(TeamRole::Owner).await;
    let header = owner.token.split('.').next().expect("a header");
    let header: Value = {
        use base64::Engine as _;
        let engine = base64::engine::general_purpose::URL_SAFE_NO_PAD;
        serde_json::from_slice(&engine.decode(header).expect("base64url")).expect("JSON")
    };
    assert_eq!(
        members(header.as_object().expect("an object")),
        ["alg", "kid", "typ"]
    );
    assert_eq!(
        (&header["alg"], &header["typ"]),
        (&json!("EdDSA"), &json!("at+jwt"))
    );
    let jwks = service.anonymous().get("/.well-known/jwks.json").await;
    assert_eq!(jwks.header("cache-control"), Some("public, max-age=300"));
    let jwks = jwks.json();
    let key = &jwks["keys"][0];
    assert_eq!(
        (&key["kid"], &key["kty"], &key["crv"]),
        (&header["kid"], &json!("OKP"), &json!("Ed25519"))
    );
    assert!(key.get("d").is_none(), "{jwks}");
    let claims = claims(&owner.token);
    let names = ["aud", "exp", "iat", "iss", "jti", "org", "sid", "sub"];
    assert_eq!(members(claims.as_object().expect("an object")), names);
    assert_eq!(claims["iss"], format!("http://{}", service.address()));
    assert_eq!(claims["aud"], claims["iss"]);
    assert_eq!(claims["org"], json!(acme.organization.id.uuid()));
    assert_eq!(
        claims["exp"].as_i64(),
        claims["iat"].as_i64().map(|iat| iat + 900)
    );
}

async fn an_address_has_one_form_at_the_door_too(service: &Service) {
    let acme = service.organization("acme").await;
    let owner = acme.person(TeamRole::Owner).await;
    let shouted = format!(" {} ", owner.email.to_uppercase());
    service
        .sign_in(&shouted, PASSWORD)
        .await
        .get(ORGANIZATION)
        .await
        .ok();
    let decomposed = "caf\u{e9} cr\u{e8}me";
    let body = json!({"orgName": "Z", "orgSlug": "zoo", "ownerEmail": "z@zoo.example", "ownerPassword": decomposed});
    service
        .anonymous()
        .post("/api/auth/register", body)
        .await
        .ok();
    service
        .sign_in("z@zoo.example", "cafe\u{301} cre\u{300}me")
        .await;
}

async fn unknown_disabled_and_wrong_are_one_answer(service: &Service) {
    let acme = service.organization("acme").await;
    let owner = acme.person(TeamRole::Owner).await;
    let disabled = acme.person(TeamRole::Member).await;
    let id = disabled
        .id
        .parse()
        .map(charter_domain::id::UserId::from_uuid)
        .expect("an id");
    let by = service.operator();
    acme.stored()
        .by(&by)
        .set_member_active(id, false)
        .await
        .expect("disabled");
    let mut answers = Vec::new();
    for (email, password) in [
        (owner.email.as_str(), "wrong password"),
        (&disabled.email, PASSWORD),
        ("nobody@acme.example", PASSWORD),
        ("no address\0 at all", PASSWORD),
    ] {
        let answer = service.anonymous().log_in(email, password).await;
        answer.assert_refused(401, "INVALID_LOGIN");
        assert!(answer.header("set-cookie").is_none());
        answers.push(answer.without_request_id());
    }
    assert!(
        answers.iter().all(|answer| *answer == answers[0]),
        "{answers:?}"
    );
}

async fn a_broken_sign_in_is_named(service: &Service) {
    let login = |body: Value| service.anonymous().post("/api/auth/login", body);
    login(json!({"email": "a@example.com"}))
        .await
        .assert_refused(400, "MISSING_FIELD");
    login(json!({"email": "a@example.com", "password": 7}))
        .await
        .assert_refused(400, "WRONG_TYPE");
    login(json!({"email": "a@example.com", "password": "x", "org": "y"}))
        .await
        .assert_refused(400, "UNKNOWN_FIELD");
    login(json!([])).await.assert_refused(400, "WRONG_TYPE");
    let text = |kind: &str, body: &str| {
        service
            .anonymous()
            .ask("POST", "/api/auth/login")
            .typed(kind, body)
    };
    text(
        "application/json",
        "{\"email\":\"a\",\"email\":\"b\",\"password\":\"c\"}",
    )
    .await
    .assert_refused(400, "MALFORMED_JSON");
    for kind in [
        "text/plain",
        "application/x-www-form-urlencoded",
        "multipart/form-data; boundary=x",
    ] {
        text(kind, "email=a&password=b")
            .await
            .assert_refused(415, "UNSUPPORTED_MEDIA_TYPE");
    }
    service
        .anonymous()
        .get("/api/auth/login")
        .await
        .assert_refused(405, "METHOD_NOT_ALLOWED");
}

async fn logout_ends_the_session_at_once(service: &Service) {
    let acme = service.organization("acme").await;
    let owner = acme.person(TeamRole::Owner).await;
    let elsewhere = service.sign_in(&owner.email, PASSWORD).await;
    service
        .anonymous()
        .ask("POST", "/api/auth/logout")
        .await
        .assert_refused(401, "MISSING_CREDENTIALS");
    let out = owner.log_out().await;
    assert_eq!(out.ok(), json!({}));
    let cleared = out.header("set-cookie").expect("a cookie");
    assert!(
        cleared.starts_with("refresh_token=;") && cleared.contains("Max-Age=0"),
        "{cleared}"
    );
    owner
        .get(ORGANIZATION)
        .await
        .assert_refused(401, "INVALID_TOKEN");
    owner.refresh().await.assert_refused(401, "INVALID_TOKEN");
    owner.log_out().await.assert_refused(401, "INVALID_TOKEN");
    elsewhere.get(TEAM).await.ok();
    elsewhere.refresh().await.ok();
}

async fn logout_ends_the_cookies_session_too(service: &Service) {
    let acme = service.organization("acme").await;
    let owner = acme.person(TeamRole::Owner).await;
    let other_session = service.sign_in(&owner.email, PASSWORD).await;
    let somebody = acme.person(TeamRole::Member).await;
    let logout = |cookie: &str| {
        owner
            .ask("POST", "/api/auth/logout")
            .header("cookie", &format!("refresh_token={cookie}"))
    };
    // Of too many, what is left out could be the real one: nobody is told that it has ended.
    let nobodys = "A".repeat(43);
    let crowd = format!("{nobodys}; refresh_token=").repeat(8) + &other_session.cookie;
    logout(&crowd).await.assert_refused(400, "INVALID_REQUEST");
    owner.get(ORGANIZATION).await.ok();
    logout(&other_session.cookie).await.ok();
    other_session
        .get(ORGANIZATION)
        .await
        .assert_refused(401, "INVALID_TOKEN");
    // Another person's cookie is not touched.
    let owner = service.sign_in(&owner.email, PASSWORD).await;
    let cookie = format!("refresh_token={}", somebody.cookie);
    owner
        .ask("POST", "/api/auth/logout")
        .header("cookie", &cookie)
        .await
        .ok();
    somebody.get(ORGANIZATION).await.ok();
    somebody.refresh().await.ok();
}

async fn a_weak_hash_is_made_anew(service: &Service) {
    use argon2::password_hash::PasswordHasher as _;
    let weak = argon2::Params::new(8_192, 1, 1, None).expect("parameters");
    let weak = argon2::Argon2::new(argon2::Algorithm::Argon2id, argon2::Version::V0x13, weak)
        .hash_password_with_salt(PASSWORD.as_bytes(), &[7; 16])
        .expect("hashed")
        .to_string();
    let acme = service.organization("acme").await;
    let email = charter_domain::email::EmailAddress::parse("old@acme.example").expect("an address");
    let by = service.operator();
    let new = charter_store::NewUser {
        id: charter_domain::id::UserId::generate(by.at, &charter_domain::entropy::OsEntropy),
        email: email.clone(),
        password_hash: weak.clone(),
        role: "member".to_owned(),
        email_verified_at: Some(by.at),
    };
    acme.stored()
        .by(&by)
        .create_user(new)
        .await
        .expect("a user");
    let stored = async || {
        let login = service.store().find_login(&email).await.expect("an answer");
        login.expect("a person").password_hash
    };
    service
        .anonymous()
        .log_in("old@acme.example", "wrong")
        .await
        .assert_refused(401, "INVALID_LOGIN");
    assert_eq!(stored().await, weak);
    service.sign_in("old@acme.example", PASSWORD).await;
    let strong = stored().await;
    assert!(strong.contains("m=19456,t=2,p=1"), "{strong}");
    service.sign_in("old@acme.example", PASSWORD).await;
    assert_eq!(stored().await, strong);
}

async fn conditions_hold_where_no_policy_decides(service: &Service) {
    let acme = service.organization("acme").await;
    let owner = acme.person(TeamRole::Owner).await;
    let requests = || {
        [
            service.anonymous().log_in(&owner.email, PASSWORD),
            owner.refresh(),
            owner.ask("POST", "/api/auth/logout"),
            owner.ask("POST", "/api/auth/resend-verification"),
        ]
    };
    for (name, value) in [("if-none-match", "*"), ("if-match", "\"stale\"")] {
        for request in requests() {
            let refused = request.header(name, value).await;
            refused.assert_refused(412, "PRECONDITION_FAILED");
            assert!(refused.header("set-cookie").is_none(), "{refused:?}");
        }
    }
    let malformed = owner.refresh().header("if-match", "stale").await;
    malformed.assert_refused(400, "BAD_PARAMETER");
    // Nothing was done, and what holds changes nothing.
    let holds = owner.refresh().header("if-match", "*");
    let owner = service.person(&owner.email, &holds.await);
    for own in ["/api/portal/me", "/api/portal/sessions"] {
        let stale = owner.get(own).header("if-match", "\"stale\"").await;
        stale.assert_refused(412, "PRECONDITION_FAILED");
        let known = owner.get(own).header("if-none-match", "*").await;
        assert_eq!((known.status, known.body.len()), (304, 0));
    }
}
