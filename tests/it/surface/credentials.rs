//! How credentials are carried (contract section 2, credentials).

use test_support::on_both_services;
use test_support::service::{Persona, Service};

const INFO: &str = "/organizations/info";

on_both_services!(
    no_authorization_is_missing_credentials,
    two_credentials_are_ambiguous,
    another_scheme_is_malformed,
    a_scheme_is_read_in_either_case_after_any_spaces,
    a_signed_only_route_takes_no_bearer_token,
    each_signing_header_is_there_once_and_well_formed,
    cookies_are_no_credentials,
);

async fn no_authorization_is_missing_credentials(service: &Service) {
    let manager = service.organization("acme").await.manager().await;
    for target in [
        INFO,
        "/accounts",
        "/service-accounts",
        "/service-accounts/x/keys",
    ] {
        let answer = service.anonymous().get(target).await;
        answer.assert_refused(401, "MISSING_CREDENTIALS");
        let challenge = answer.header("www-authenticate").expect("a challenge");
        let schemes = if target == INFO {
            "HMAC"
        } else {
            "HMAC, Bearer"
        };
        assert_eq!(challenge, schemes, "{target}");
    }
    let stripped = manager.get(INFO).write().without("authorization");
    stripped
        .send()
        .await
        .assert_refused(401, "MISSING_CREDENTIALS");
}

async fn two_credentials_are_ambiguous(service: &Service) {
    let manager = service.organization("acme").await.manager().await;
    let signed = manager.get(INFO).write();
    let own = signed.header("authorization").to_owned();
    for over_h2 in [false, true] {
        for second in [&own, "Bearer abc", "Basic YTpi"] {
            let doubled = signed.clone().with("authorization", second);
            let doubled = if over_h2 { doubled.over_h2() } else { doubled };
            doubled
                .send()
                .await
                .assert_refused(400, "AMBIGUOUS_CREDENTIALS");
        }
    }
    let mixed = signed
        .clone()
        .instead("authorization", &format!("{own}, Bearer abc"));
    mixed
        .send()
        .await
        .assert_refused(400, "AMBIGUOUS_CREDENTIALS");
    // Not even a nonce was spent.
    signed.send().await.ok();
}

async fn another_scheme_is_malformed(service: &Service) {
    let manager = service.organization("acme").await.manager().await;
    let signed = manager.get(INFO).write();
    for other in [
        "Basic YTpi",
        "Digest a",
        "AWS4-HMAC-SHA256 x",
        "HMACX a:b",
        "",
        "a:b",
        "é",
    ] {
        let answer = signed.clone().instead("authorization", other).send().await;
        answer.assert_refused(401, "MALFORMED_AUTHORIZATION");
    }
    signed.send().await.ok();
}

async fn a_scheme_is_read_in_either_case_after_any_spaces(service: &Service) {
    let acme = service.organization("acme").await;
    let manager = acme.manager().await;
    for scheme in ["hmac ", "Hmac   ", "HMAC  "] {
        let signed = manager.get(INFO).write();
        let spelled = signed.header("authorization").replacen("HMAC ", scheme, 1);
        signed.instead("authorization", &spelled).send().await.ok();
    }
    let person = acme.person("owner").await;
    for scheme in ["bearer ", "BEARER  "] {
        let asked = service.anonymous().get("/accounts");
        let authorization = format!("{scheme}{}", person.token);
        asked.header("authorization", &authorization).await.ok();
    }
}

async fn a_signed_only_route_takes_no_bearer_token(service: &Service) {
    let anyone = service.anonymous();
    for method in ["GET", "PATCH"] {
        let answer = anyone
            .ask(method, INFO)
            .header("authorization", "Bearer abc")
            .await;
        answer.assert_refused(401, "MALFORMED_AUTHORIZATION");
    }
    let answer = anyone
        .get("/accounts")
        .header("authorization", "Bearer abc")
        .await;
    answer.assert_refused(401, "INVALID_TOKEN");
    assert!(
        answer
            .header("www-authenticate")
            .expect("a challenge")
            .contains("Bearer")
    );
}

async fn each_signing_header_is_there_once_and_well_formed(service: &Service) {
    let manager = service.organization("acme").await.manager().await;
    let signed = manager.get(INFO).write();
    let own = signed.header("authorization").to_owned();
    let of = |name: &'static str, values: &[&str]| -> Vec<(&'static str, String)> {
        values
            .iter()
            .map(|value| (name, (*value).to_owned()))
            .collect()
    };
    let authorizations = malformed_authorizations(&own).into_iter();
    let mut faults: Vec<_> = authorizations
        .map(|value| ("authorization", value))
        .collect();
    faults.extend(of(
        "x-date",
        &[
            "",
            "2025-09-30",
            "2025-09-30T12:00:00",
            "2025-09-30T12:00:00z",
            "2025-09-30t12:00:00Z",
            "2025-09-30 12:00:00Z",
            "2025-09-30T12:00:00+00:00",
            "2025-09-30T12:00:00.Z",
            "2025-09-30T12:00:00.1234567890Z",
            "2025-09-30T12:00:60Z",
            "2025-02-30T12:00:00Z",
            "2025-09-30T24:00:00Z",
            "Tue, 30 Sep 2025 12:00:00 GMT",
            "1759233600",
            "2025-09-30T12:00:00Z, 2025-09-30T12:00:00Z",
            "é",
        ],
    ));
    let (longest, uneven) = ("n".repeat(129), "a".repeat(63));
    let nonces = [
        "",
        "1234567",
        &longest,
        "12345678 ",
        "1234 678",
        "1234/678",
        "1234+678",
        "1234:678",
        "1234567é",
    ];
    // White space around a value is no part of it (RFC 9110 section 5.5).
    faults.extend(
        of("x-nonce", &nonces)
            .into_iter()
            .filter(|(_, value)| value.trim() == value),
    );
    let hash = signed.header("x-content-sha256");
    faults.extend(of(
        "x-content-sha256",
        &[
            "",
            &hash.to_uppercase(),
            &uneven,
            &format!("{hash}0"),
            "UNSIGNED-PAYLOAD",
            &"g".repeat(64),
        ],
    ));
    for (name, value) in faults {
        let answer = signed.clone().instead(name, &value).send().await;
        assert_eq!(
            (answer.status, answer.code()),
            (401, "MALFORMED_AUTHORIZATION".to_owned()),
            "`{name}: {value}`"
        );
    }
    for name in ["x-date", "x-nonce", "x-content-sha256"] {
        let missing = signed.clone().without(name);
        let same = signed.header(name).to_owned();
        let doubled = signed.clone().with(name, &same);
        for written in [missing, doubled] {
            written
                .send()
                .await
                .assert_refused(401, "MALFORMED_AUTHORIZATION");
            written
                .over_h2()
                .send()
                .await
                .assert_refused(401, "MALFORMED_AUTHORIZATION");
        }
    }
    signed.send().await.ok();
}

fn malformed_authorizations(own: &str) -> Vec<String> {
    let (scheme_and_key, signature) = own.rsplit_once(':').expect("a signature");
    let unpadded = signature.trim_end_matches('=');
    vec![
        "HMAC".to_owned(),
        "HMAC ".to_owned(),
        own.replacen(' ', "\t", 1),
        own.replacen(' ', " \t", 1),
        scheme_and_key.to_owned(),
        format!("{scheme_and_key}:"),
        format!("HMAC :{signature}"),
        format!("{scheme_and_key}:{unpadded}"),
        format!("{scheme_and_key}:{unpadded}=="),
        format!("{scheme_and_key}:{}!=", &unpadded[..42]),
        format!("{scheme_and_key}: {signature}"),
        format!("{own}:{signature}"),
        format!("{own} x"),
        format!("{own},"),
        format!("{scheme_and_key}é:{signature}"),
        // The same bytes, spelled with stray bits.
        format!("{scheme_and_key}:{}", stray_bits(signature)),
    ]
}

/// The signature with a bit set that its last character has no use for.
fn stray_bits(signature: &str) -> String {
    const ALPHABET: &str = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let last = signature.chars().nth(42).expect("44 characters");
    let next = ALPHABET.find(last).expect("base64") + 1;
    format!("{}{}=", &signature[..42], &ALPHABET[next..=next])
}

async fn cookies_are_no_credentials(service: &Service) {
    let manager = service.organization("acme").await.manager().await;
    manager
        .get(INFO)
        .header("cookie", "refresh_token=abc")
        .await
        .ok();
    let answer = service
        .anonymous()
        .get(INFO)
        .header("cookie", "refresh_token=abc")
        .await;
    answer.assert_refused(401, "MISSING_CREDENTIALS");
}
