//! Access tokens that are not exactly as we write them (hazards of JWTs: RFC 8725): each is refused,
//! and each is one change away from a token that is taken.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use hmac::{Hmac, KeyInit as _, Mac as _};
use jsonwebtoken::{Algorithm, EncodingKey};
use serde_json::{Value, json};
use sha2::Sha256;
use test_support::on_both_services;
use test_support::service::{PASSWORD, Person, Persona, Service, TeamRole, claims};

use super::ORGANIZATION;

on_both_services!(
    anything_but_an_own_token_is_refused,
    the_header_is_as_strict_as_the_token,
    expiry_is_told_only_of_good_tokens,
    a_remembered_token_points_to_what_is_there_now,
);

/// What the service signs with in these tests.
struct Forge {
    seed: [u8; 32],
    kid: String,
    person: Person,
}

impl Forge {
    fn of(service: &Service, person: Person) -> Self {
        let (kid, seed) = service.token_key();
        Self { seed, kid, person }
    }

    fn key(&self) -> EncodingKey {
        let head = [
            0x30, 0x2e, 0x02, 0x01, 0x00, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70, 0x04, 0x22,
            0x04, 0x20,
        ];
        EncodingKey::from_ed_der(&[&head[..], &self.seed[..]].concat())
    }

    fn header(&self) -> Value {
        json!({"alg": "EdDSA", "typ": "at+jwt", "kid": self.kid})
    }

    /// When the person's own token was issued.
    fn now(&self) -> i64 {
        self.claims()["iat"].as_i64().expect("a time")
    }

    fn claims(&self) -> Value {
        claims(&self.person.token)
    }

    /// Really signed, whatever it says.
    fn sign(&self, header: &str, claims: &str) -> String {
        let (header, claims) = (
            URL_SAFE_NO_PAD.encode(header),
            URL_SAFE_NO_PAD.encode(claims),
        );
        let message = format!("{header}.{claims}");
        let signature =
            jsonwebtoken::crypto::sign(message.as_bytes(), &self.key(), Algorithm::EdDSA);
        format!("{message}.{}", signature.expect("signed"))
    }

    fn with_header(&self, change: impl FnOnce(&mut Value)) -> String {
        let mut header = self.header();
        change(&mut header);
        self.sign(&header.to_string(), &self.claims().to_string())
    }

    fn with_claims(&self, change: impl FnOnce(&mut Value)) -> String {
        let mut claims = self.claims();
        change(&mut claims);
        self.sign(&self.header().to_string(), &claims.to_string())
    }
}

fn without(name: &str) -> impl FnOnce(&mut Value) {
    let name = name.to_owned();
    move |value| {
        value
            .as_object_mut()
            .expect("an object")
            .remove(&name)
            .expect("it was there");
    }
}

fn setting(name: &str, to: Value) -> impl FnOnce(&mut Value) {
    let name = name.to_owned();
    move |value| value[name] = to
}

/// Why a token is bad, and the token.
type Bad = Vec<(&'static str, String)>;

async fn anything_but_an_own_token_is_refused(service: &Service) {
    let acme = service.organization("acme").await;
    let other = service.organization("other").await;
    let stranger = other.person(TeamRole::Owner).await;
    let forge = Forge::of(service, acme.person(TeamRole::Owner).await);
    let show = |token: &str| {
        service
            .anonymous()
            .get(ORGANIZATION)
            .header("authorization", &format!("Bearer {token}"))
    };
    show(&forge.with_claims(|_| {})).await.ok();
    let now = forge.now();
    let ahead = forge.with_claims(setting("iat", json!(now + 30)));
    show(&ahead).await.ok();
    let jwks = service
        .anonymous()
        .get("/.well-known/jwks.json")
        .await
        .json();
    let public = jwks["keys"][0]["x"].as_str().expect("a key");
    let mut bad = bad_shapes(&forge, public, &stranger);
    bad.extend(bad_headers(&forge, public));
    bad.extend(bad_claims(&forge, &stranger));
    let mut another = Forge::of(service, forge.person.clone());
    another.seed = [7; 32];
    bad.push(("another key", another.with_claims(|_| {})));
    let mut flipped = forge.person.token.clone().into_bytes();
    let at = flipped.len() - 20;
    flipped[at] = if flipped[at] == b'A' { b'B' } else { b'A' };
    bad.push(("flipped bit", String::from_utf8(flipped).expect("text")));
    bad.push((
        "too long",
        forge.with_header(setting("kid", json!("x".repeat(5_000)))),
    ));
    assert!(bad.len() > 70);
    for (why, token) in bad {
        let answer = show(&token).await;
        assert_eq!(answer.status, 401, "{why}: {token}");
        let code = answer.json()["error"]["code"].clone();
        assert!(
            code == "INVALID_TOKEN" || code == "MALFORMED_AUTHORIZATION",
            "{why}: {code}"
        );
    }
    show(&forge.person.token).await.ok();
}

fn bad_shapes(forge: &Forge, public: &str, stranger: &Person) -> Bad {
    let (header, claims) = (forge.header().to_string(), forge.claims().to_string());
    let parts: Vec<_> = forge.person.token.split('.').collect();
    let unsigned = |header: Value| {
        format!(
            "{}.{}.",
            URL_SAFE_NO_PAD.encode(header.to_string()),
            parts[1]
        )
    };
    let hmac = |secret: &[u8]| {
        let header = json!({"alg": "HS256", "typ": "at+jwt", "kid": forge.kid}).to_string();
        let message = format!("{}.{}", URL_SAFE_NO_PAD.encode(header), parts[1]);
        let mut mac = Hmac::<Sha256>::new_from_slice(secret).expect("any length");
        mac.update(message.as_bytes());
        let code = URL_SAFE_NO_PAD.encode(mac.finalize().into_bytes());
        format!("{message}.{code}")
    };
    vec![
        // alg
        (
            "alg none",
            unsigned(json!({"alg": "none", "typ": "at+jwt", "kid": forge.kid})),
        ),
        (
            "alg None",
            unsigned(json!({"alg": "None", "typ": "at+jwt", "kid": forge.kid})),
        ),
        ("no signature", format!("{}.{}.", parts[0], parts[1])),
        ("public key as secret", hmac(public.as_bytes())),
        (
            "public key bytes as secret",
            hmac(&URL_SAFE_NO_PAD.decode(public).expect("bytes")),
        ),
        ("empty secret", hmac(b"")),
        // shape
        ("two parts", format!("{}.{}", parts[0], parts[1])),
        ("four parts", format!("{}.x", forge.person.token)),
        ("empty parts", "..".to_owned()),
        ("padded", format!("{}=", forge.person.token)),
        ("no JSON", forge.sign("{", &claims)),
        ("header array", forge.sign("[]", &claims)),
        ("claims array", forge.sign(&header, "[1,2]")),
        (
            "doubled claim",
            forge.sign(&header, &claims.replacen('{', "{\"iat\":0,", 1)),
        ),
        (
            "doubled header",
            forge.sign(&header.replacen('{', "{\"kid\":\"x\",", 1), &claims),
        ),
        (
            "other person's claims",
            format!(
                "{}.{}.{}",
                parts[0],
                stranger.token.split('.').nth(1).expect("claims"),
                parts[2]
            ),
        ),
    ]
}

fn bad_headers(forge: &Forge, public: &str) -> Bad {
    let mut bad = Bad::new();
    for alg in [
        "ES256", "RS256", "HS256", "Ed25519", "eddsa", "EDDSA", "PS256", "",
    ] {
        bad.push(("other alg", forge.with_header(setting("alg", json!(alg)))));
    }
    for typ in [
        json!("JWT"),
        json!("refresh+jwt"),
        json!("AT+JWT"),
        json!("application/at+jwt"),
        json!(null),
    ] {
        bad.push(("other typ", forge.with_header(setting("typ", typ))));
    }
    for kid in [
        json!("unknown"),
        json!("../../dev/null"),
        json!("' OR 1=1 --"),
        json!(""),
        json!(null),
        json!(["x"]),
    ] {
        bad.push(("other kid", forge.with_header(setting("kid", kid))));
    }
    for name in ["alg", "typ", "kid"] {
        bad.push(("header missing", forge.with_header(without(name))));
    }
    for (name, value) in [
        ("crit", json!(["exp"])),
        ("crit", json!([])),
        ("jku", json!("https://evil.example/jwks.json")),
        ("jwk", json!({"kty": "OKP", "crv": "Ed25519", "x": public})),
        ("x5u", json!("https://evil.example/x")),
        ("b64", json!(false)),
        ("zip", json!("DEF")),
        ("cty", json!("JWT")),
    ] {
        bad.push(("header added", forge.with_header(setting(name, value))));
    }
    bad
}

fn bad_claims(forge: &Forge, stranger: &Person) -> Bad {
    let now = forge.now();
    let mut bad = Bad::new();
    for name in ["iss", "aud", "sub", "org", "iat", "exp", "jti", "sid"] {
        bad.push(("claim missing", forge.with_claims(without(name))));
        bad.push(("claim null", forge.with_claims(setting(name, json!(null)))));
        let listed = json!([forge.claims()[name]]);
        bad.push(("claim listed", forge.with_claims(setting(name, listed))));
    }
    for (name, value) in [
        ("iss", json!("https://evil.example")),
        ("aud", json!("https://evil.example")),
        ("exp", json!(now + 100 * 365 * 86_400)),
        ("exp", json!(now + 901)),
        ("exp", json!((now + 900).to_string())),
        ("exp", json!(1_759_234_500.5)),
        ("exp", json!(1e308)),
        ("exp", json!(-1)),
        ("exp", json!(now)),
        ("iat", json!(now + 31)),
        ("iat", json!(now - 1)),
        ("nbf", json!(now)),
        ("role", json!("owner")),
        ("sub", json!("nobody")),
        ("sub", json!(stranger.id)),
        ("org", claims_of(stranger, "org")),
        ("sid", json!(uuid::Uuid::from_u128(7))),
        ("sid", claims_of(stranger, "sid")),
    ] {
        bad.push(("claim changed", forge.with_claims(setting(name, value))));
    }
    bad
}

fn claims_of(person: &Person, name: &str) -> Value {
    claims(&person.token)[name].clone()
}

async fn the_header_is_as_strict_as_the_token(service: &Service) {
    let acme = service.organization("acme").await;
    let person = acme.person(TeamRole::Owner).await;
    let token = &person.token;
    let ask = |value: &str| {
        service
            .anonymous()
            .get(ORGANIZATION)
            .header("authorization", value)
    };
    ask(&format!("bearer {token}")).await.ok();
    ask(&format!("Bearer  {token}")).await.ok();
    for bad in [
        "Bearer".to_owned(),
        "Bearer ".to_owned(),
        format!("Bearer {token} {token}"),
        format!("Bearer {token},"),
        format!("Bearer \"{token}\""),
        format!("Bearer token={token}"),
        format!("Basic {token}"),
        token.clone(),
    ] {
        let answer = ask(&bad).await;
        assert_eq!(answer.status, 401, "{bad}");
    }
    let twice = ask(&format!("Bearer {token}")).header("authorization", &format!("Bearer {token}"));
    twice.await.assert_refused(400, "AMBIGUOUS_CREDENTIALS");
    let both = ask(&format!("Bearer {token}, HMAC a:b"));
    both.await.assert_refused(400, "AMBIGUOUS_CREDENTIALS");
    ask(&format!("Bearer {token}")).over_h2().await.ok();
}

async fn expiry_is_told_only_of_good_tokens(service: &Service) {
    let acme = service.organization("acme").await;
    let forge = Forge::of(service, acme.person(TeamRole::Owner).await);
    let wrong = forge.with_claims(setting("iss", json!("https://evil.example")));
    let never_seen = forge.with_claims(setting("jti", json!(uuid::Uuid::from_u128(1))));
    let ask = |token: &str| {
        service
            .anonymous()
            .get(ORGANIZATION)
            .header("authorization", &format!("Bearer {token}"))
    };
    ask(&forge.person.token).await.ok();
    service.clock.advance(899);
    ask(&forge.person.token).await.ok();
    service.clock.advance(1);
    ask(&forge.person.token)
        .await
        .assert_refused(401, "TOKEN_EXPIRED");
    ask(&never_seen).await.assert_refused(401, "TOKEN_EXPIRED");
    ask(&wrong).await.assert_refused(401, "INVALID_TOKEN");
}

async fn a_remembered_token_points_to_what_is_there_now(service: &Service) {
    let acme = service.organization("acme").await;
    let email = acme.person(TeamRole::Owner).await.email;
    for _ in 0..20 {
        let owner = service.sign_in(&email, PASSWORD).await;
        owner.get(ORGANIZATION).await.ok();
        owner.log_out().await.ok();
        owner
            .get(ORGANIZATION)
            .await
            .assert_refused(401, "INVALID_TOKEN");
    }
}
