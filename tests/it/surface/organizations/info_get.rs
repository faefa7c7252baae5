//! `GET /organizations/info`

use charter_domain::permission::Permission;
use serde_json::json;
use test_support::on_both_services;
use test_support::service::{Persona, Service};

use super::INFO;

on_both_services!(
    the_organization_is_shown_as_published,
    a_get_names_its_version_and_spares_who_has_it,
    reading_takes_its_permission_and_nothing_else,
);

async fn the_organization_is_shown_as_published(service: &Service) {
    let acme = service.organization("acme").await;
    let reader = acme.signer(&[Permission::GetOrganization]).await;
    let answer = reader.get(INFO).await;
    let shown = answer.ok();
    assert_eq!(
        shown,
        json!({
            "id": acme.organization.id.to_string(),
            "name": "Acme Corporation",
            "slug": acme.organization.code.to_string(),
            "is_active": true,
            "metadata": {},
            "created_at": "2025-09-30T12:00:00Z",
            "updated_at": "2025-09-30T12:00:00Z",
        })
    );
    let id = shown["id"].as_str().expect("an id");
    let (prefix, rest) = id.split_once('-').expect("a typed id");
    assert_eq!((prefix, rest.len()), ("org", 26));
    let code = shown["slug"].as_str().expect("a code");
    assert!(
        code.len() == 6
            && code
                .bytes()
                .all(|b| b.is_ascii_digit() || b.is_ascii_lowercase())
    );
    assert!(
        answer
            .header("content-type")
            .is_some_and(|it| it.starts_with("application/json")),
        "{answer:?}"
    );
    // The same over HTTP/2.
    assert_eq!(reader.get(INFO).over_h2().await.ok(), shown);
}

async fn a_get_names_its_version_and_spares_who_has_it(service: &Service) {
    let acme = service.organization("acme").await;
    let reader = acme.signer(&[Permission::GetOrganization]).await;
    let etag = reader.get(INFO).await.etag();
    assert!(etag.starts_with('"') && etag.ends_with('"'), "{etag}");
    for known in [
        etag.clone(),
        format!("W/{etag}"),
        format!("\"x\", {etag}"),
        "*".to_owned(),
    ] {
        let answer = reader.get(INFO).header("if-none-match", &known).await;
        assert_eq!((answer.status, answer.body.len()), (304, 0), "{known}");
        assert_eq!(answer.etag(), etag);
        assert_eq!(answer.header("cache-control"), Some("no-store"));
    }
    for other in ["\"x\"", "W/\"x\""] {
        reader.get(INFO).header("if-none-match", other).await.ok();
    }
    let malformed = reader.get(INFO).header("if-none-match", "x").await;
    malformed.assert_refused(400, "BAD_PARAMETER");
}

async fn reading_takes_its_permission_and_nothing_else(service: &Service) {
    let acme = service.organization("acme").await;
    let writer = acme.signer(&[Permission::UpdateOrganization]).await;
    writer.get(INFO).await.assert_refused(403, "NOT_PERMITTED");
    let nobody = acme.signer(&[]).await;
    nobody.get(INFO).await.assert_refused(403, "NOT_PERMITTED");
}
