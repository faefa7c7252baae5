//! Tenants do not see each other: what is another's, what is missing and what is malformed are one
//! answer, byte for byte (contract section 2, `NOT_FOUND`).

use std::collections::BTreeSet;

use charter_domain::permission::Permission;
use serde_json::json;
use test_support::on_both_services;
use test_support::service::{Grants, Persona, Request, Service, Signer};

use super::documents::{document, operations};

on_both_services!(
    foreign_ids_are_404,
    a_key_is_found_under_its_owner_only,
    ones_own_that_policy_denies_is_forbidden,
    no_role_reaches_into_another_organization,
);

/// Every route with an id, as `(method, template)`.
const ROUTES: [(&str, &str); 9] = [
    ("GET", "/accounts/{account}"),
    ("PATCH", "/accounts/{account}"),
    ("GET", "/service-accounts/{sa}"),
    ("PATCH", "/service-accounts/{sa}"),
    ("DELETE", "/service-accounts/{sa}"),
    ("GET", "/service-accounts/{sa}/keys"),
    ("POST", "/service-accounts/{sa}/keys"),
    ("POST", "/service-accounts/{sa}/keys/{key}/rotate"),
    ("DELETE", "/service-accounts/{sa}/keys/{key}"),
];

/// No route with an id is missing above. A decision's id tells nothing: see `decisions/endpoint.rs`.
#[test]
fn every_route_with_an_id_is_asked_about() {
    let filled = |template: &str| {
        let path = template
            .replace("{account}", "{id}")
            .replace("{sa}", "{id}");
        path.replace("{key}", "{key_id}")
    };
    let asked = ROUTES.map(|(method, template)| (method.to_owned(), filled(template)));
    let routes = operations(&document()).into_keys().filter(|(_, path)| {
        path.contains('{') && !path.starts_with("/api/") && !path.starts_with("/decisions/")
    });
    assert_eq!(BTreeSet::from(asked), routes.collect::<BTreeSet<_>>());
}

struct Ids {
    account: String,
    sa: String,
    key: String,
}

impl Ids {
    fn all(id: &str) -> Self {
        Self {
            account: id.to_owned(),
            sa: id.to_owned(),
            key: id.to_owned(),
        }
    }

    fn of(account: &str, signer: &Signer) -> Self {
        Self {
            account: account.to_owned(),
            sa: signer.id.clone(),
            key: signer.key_id.clone(),
        }
    }

    fn request(&self, who: &Signer, (method, template): (&str, &str)) -> Request {
        let target = template
            .replace("{account}", &self.account)
            .replace("{sa}", &self.sa)
            .replace("{key}", &self.key);
        match method {
            "GET" | "DELETE" => who.ask(method, &target),
            _ => who.ask(method, &target).json(&json!({})),
        }
    }
}

/// Another id of the same form that nothing has.
fn missing(id: &str) -> String {
    let (rest, last) = id.split_at(id.len() - 1);
    format!("{rest}{}", if last == "0" { "1" } else { "0" })
}

async fn foreign_ids_are_404(service: &Service) {
    let acme = service.organization("acme").await;
    let asker = acme.manager().await;
    let other = service.organization("other").await;
    let (victim, account) = (other.manager().await, other.account.id.to_string());
    let nowhere = service.anonymous().get("/nowhere").await;
    let unknown = [
        Ids::of(&account, &victim),
        Ids {
            account: missing(&account),
            sa: missing(&victim.id),
            key: missing(&victim.key_id),
        },
        Ids {
            account: victim.id.clone(),
            sa: victim.key_id.clone(),
            key: account.clone(),
        },
        Ids {
            account: account.to_uppercase(),
            sa: victim.id.to_uppercase(),
            key: victim.key_id.to_uppercase(),
        },
        Ids::all("x"),
        Ids::all("acc-"),
        Ids::all("00000000-0000-0000-0000-000000000000"),
        Ids::all("a~b"),
        Ids::all("*"),
    ];
    for route in ROUTES {
        for ids in &unknown {
            for over_h2 in [false, true] {
                let request = ids.request(&asker, route);
                let answer = if over_h2 {
                    request.over_h2().await
                } else {
                    request.await
                };
                answer.assert_refused(404, "NOT_FOUND");
                assert_eq!(answer.body.len(), nowhere.body.len(), "{route:?}");
                if !over_h2 {
                    assert_eq!(
                        answer.without_request_id(),
                        nowhere.without_request_id(),
                        "{route:?}"
                    );
                }
            }
        }
    }
    // Nothing happened to the other.
    victim.get("/organizations/info").await.ok();
    assert_eq!(victim.get(&victim.keys()).await.ok()["total"], 1);
    // What one may not is asked after what is not there.
    let nobody = acme.signer(&[]).await;
    for route in ROUTES {
        let answer = unknown[0].request(&nobody, route).await;
        assert_eq!(
            answer.without_request_id(),
            nowhere.without_request_id(),
            "{route:?}"
        );
    }
}

async fn a_key_is_found_under_its_owner_only(service: &Service) {
    let acme = service.organization("acme").await;
    let (manager, one, two) = (
        acme.manager().await,
        acme.signer(&[]).await,
        acme.signer(&[]).await,
    );
    let other = service.organization("other").await.manager().await;
    let nowhere = service.anonymous().get("/nowhere").await;
    for (owner, key) in [
        (&one, &two.key_id),
        (&one, &other.key_id),
        (&other, &one.key_id),
    ] {
        let path = format!("{}/{key}", owner.keys());
        for answer in [
            manager.delete(&path).await,
            manager.post(&format!("{path}/rotate"), json!({})).await,
        ] {
            assert_eq!(answer.without_request_id(), nowhere.without_request_id());
        }
    }
    assert_eq!(manager.get(&two.keys()).await.ok()["total"], 1);
}

async fn ones_own_that_policy_denies_is_forbidden(service: &Service) {
    let acme = service.organization("acme").await;
    let (nobody, target) = (acme.signer(&[]).await, acme.signer(&[]).await);
    let ids = Ids::of(&acme.account.id.to_string(), &target);
    for route in ROUTES {
        let answer = ids.request(&nobody, route).await;
        assert_eq!(
            (answer.status, answer.code()),
            (403, "NOT_PERMITTED".to_owned()),
            "{route:?}"
        );
    }
}

async fn no_role_reaches_into_another_organization(service: &Service) {
    let acme = service.organization("acme").await;
    let owner = acme
        .signer_with(Grants {
            roles: &["owner"],
            permissions: Permission::ALL,
            ..Grants::default()
        })
        .await;
    let other = service.organization("other").await;
    let victim = other.manager().await;
    let ids = Ids::of(&other.account.id.to_string(), &victim);
    for route in ROUTES {
        ids.request(&owner, route)
            .await
            .assert_refused(404, "NOT_FOUND");
    }
    for list in ["/accounts", "/service-accounts"] {
        let listed = owner
            .get(&format!("{list}?quantity=100&include_inactive=true"))
            .await;
        let text = String::from_utf8(listed.body).expect("text");
        assert!(!text.contains(&other.organization.id.to_string()), "{text}");
    }
}
