//! What a gateway hands on of a request, and which requests have the form that it may ask about.

use test_support::service::{Grants, Persona as _, TeamRole};
use test_support::services::TestDatabase;

use super::domains::{Folder, started};
use super::forward_auth::{bearer_of, send, signed};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_hash_is_handed_on_and_only_a_well_formed_one() {
    let folder = Folder::with(&["gateway"]);
    let service = started(TestDatabase::sqlite(), &folder).await;
    let acme = service.organization("acme").await;
    let member = acme.person(TeamRole::Member).await;
    let bearer = bearer_of(&member);
    let hash = |text: &str| ("x-content-sha256".to_owned(), text.to_owned());
    let by = |hashes: &[(String, String)]| {
        let credential = ("authorization".to_owned(), bearer.clone());
        [&[credential][..], hashes].concat()
    };
    let (good, other) = ("ab".repeat(32), "cd".repeat(32));
    for (sent, told) in [
        (&[][..], None),
        (&[hash(&good)], Some(good.as_str())),
        (&[hash("zz")], None),
        (&[hash("")], None),
        (&[hash(&good.to_uppercase())], None),
        (&[hash(&format!("{good}, {other}"))], None),
    ] {
        let passed = send(&service, "GET", "/invoices", &by(sent)).await;
        assert_eq!(passed.status, 200, "{sent:?}");
        assert_eq!(passed.header("x-content-sha256"), told, "{sent:?}");
    }
    for twice in [[hash(&good), hash(&good)], [hash(&good), hash(&other)]] {
        send(&service, "GET", "/invoices", &by(&twice))
            .await
            .assert_refused(401, "MALFORMED_AUTHORIZATION");
    }
    service.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn escapes_of_reserved_characters_are_spellings_of_their_own() {
    let folder = Folder::with(&["gateway"]);
    let service = started(TestDatabase::sqlite(), &folder).await;
    let acme = service.organization("acme").await;
    let grants = Grants {
        roles: &["member"],
        ..Grants::default()
    };
    let reader = acme.signer_with(grants).await;
    for target in [
        "/invoices/a%3Ab",
        "/invoices/a:b",
        "/invoices/a%40b",
        "/invoices/%2B",
    ] {
        let headers = signed(&reader, "GET", target);
        assert_eq!(
            send(&service, "GET", target, &headers).await.status,
            200,
            "{target}"
        );
        // Charter's own API, too: there is no such object, but the path is one.
        let path = target.replace("/invoices", "/accounts");
        let missing = reader.ask("GET", &path).await;
        missing.assert_refused(404, "NOT_FOUND");
    }
    for target in ["/invoices/a%3ab", "/invoices/%41", "/invoices/%7E"] {
        let headers = signed(&reader, "GET", target);
        send(&service, "GET", target, &headers)
            .await
            .assert_refused(403, "NON_CANONICAL_TARGET");
    }
    service.stop().await;
}
