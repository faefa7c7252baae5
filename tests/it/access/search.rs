//! Searches of the built-in domain: what evaluation allows, and nothing else.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use charter_domain::account::Account;
use charter_domain::id::ServiceAccountId;
use charter_domain::permission::Permission;
use charter_domain::text::Name;
use charter_store::NewAccount;
use proptest::prelude::*;
use proptest::strategy::ValueTree as _;
use proptest::test_runner::TestRunner;
use serde_json::{Value, json};
use test_support::service::{Grants, Persona, Service, TeamRole, Tenant};
use test_support::services::TestDatabase;

use super::{Asks, all_ids, decision, ids, question, service};

pub(super) const SUBJECT: &str = "/access/v1/search/subject";
pub(super) const RESOURCE: &str = "/access/v1/search/resource";
pub(super) const ACTION: &str = "/access/v1/search/action";

/// Some permissions, of which each service account has some.
const PERMISSIONS: [Permission; 5] = [
    Permission::GetOrganization,
    Permission::UpdateAccount,
    Permission::GetServiceAccount,
    Permission::RevokeKey,
    Permission::ListMembers,
];

pub(super) struct World {
    /// Type and id of each record, of both tenants.
    pub(super) things: Vec<(&'static str, String)>,
}

impl World {
    pub(super) fn of(&self, wanted: &str) -> impl Iterator<Item = &(&'static str, String)> {
        let wanted = wanted.to_owned();
        self.things.iter().filter(move |(of, _)| *of == wanted)
    }
}

async fn account(tenant: &Tenant<'_>) -> Account {
    let new = NewAccount {
        name: Name::parse("Another").expect("a name"),
        metadata: charter_domain::metadata::Metadata::default(),
    };
    let by = tenant.service.operator();
    let made = tenant.stored().by(&by).create_account(new).await;
    made.expect("an account")
}

/// Two tenants with random grants; some accounts and service accounts are inactive.
pub(super) async fn populate(service: &Service, runner: &mut TestRunner) -> World {
    let mut things = Vec::new();
    for slug in ["acme", "other"] {
        let tenant = service.organization(slug).await;
        let owner = tenant.person(TeamRole::Owner).await;
        let member = tenant.person(TeamRole::Member).await;
        let second = account(&tenant).await;
        things.push(("Organization", tenant.organization.id.to_string()));
        things.push(("Account", tenant.account.id.to_string()));
        things.push(("Account", second.id.to_string()));
        for person in [&owner, &member] {
            let id = charter_domain::id::UserId::from_uuid(person.id.parse().expect("a UUID"));
            things.push(("User", id.to_string()));
        }
        for at in 0..9 {
            let some = prop::sample::subsequence(PERMISSIONS.to_vec(), 0..=PERMISSIONS.len());
            let permissions = some.new_tree(runner).expect("a value").current();
            let roles: &[&str] = if at % 4 == 0 { &["admin"] } else { &[] };
            let account = if at % 2 == 0 {
                &tenant.account
            } else {
                &second
            };
            let signer = tenant
                .signer_in(
                    account,
                    Grants {
                        roles,
                        permissions: &permissions,
                        ..Grants::default()
                    },
                )
                .await;
            things.push(("ServiceAccount", signer.id.clone()));
            things.push(("AccessKey", signer.key_id.clone()));
            if at == 3 {
                let body = json!({"is_active": false});
                owner.patch(&signer.path(), body).await.ok();
            }
            if at == 5 {
                owner.delete(&signer.path()).await.no_content();
            }
        }
        if slug == "other" {
            let path = format!("/accounts/{}", second.id);
            owner.patch(&path, json!({"is_active": false})).await.ok();
        }
    }
    World { things }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_search_is_what_evaluation_allows() {
    Box::pin(equals_brute_force(TestDatabase::sqlite())).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_search_is_what_evaluation_allows_on_postgres() {
    if let Some(database) = TestDatabase::empty_postgres().await {
        Box::pin(equals_brute_force(database)).await;
    }
}

async fn equals_brute_force(database: TestDatabase) {
    let service = service(database).await;
    let mut runner = TestRunner::deterministic();
    let world = populate(&service, &mut runner).await;
    let mut found = 0;
    for (permission, of) in [
        (Permission::GetOrganization, "Organization"),
        (Permission::ListMembers, "Organization"),
        (Permission::UpdateAccount, "Account"),
        (Permission::GetServiceAccount, "ServiceAccount"),
        (Permission::RevokeKey, "AccessKey"),
        (Permission::ChangeRole, "User"),
    ] {
        let action = permission.as_str();
        for kind in ["ServiceAccount", "User"] {
            for (_, resource) in world.of(of) {
                let mut allowed = Vec::new();
                for (_, subject) in world.of(kind) {
                    let asked = question((kind, subject), action, (of, resource));
                    if decision(&service, &asked).await {
                        allowed.push(subject.clone());
                    }
                }
                let mut search = question((kind, "ignored"), action, (of, resource));
                search["page"] = json!({"limit": 3});
                allowed.sort();
                let searched = all_ids(&service, SUBJECT, &search).await;
                assert_eq!(searched, allowed, "{search}");
                found += searched.len();
            }
            for (_, subject) in world.of(kind).step_by(3) {
                let mut allowed = Vec::new();
                for (_, resource) in world.of(of) {
                    let asked = question((kind, subject), action, (of, resource));
                    if decision(&service, &asked).await {
                        allowed.push(resource.clone());
                    }
                }
                let mut search = question((kind, subject), action, (of, "ignored"));
                search["page"] = json!({"limit": 2});
                allowed.sort();
                let searched = all_ids(&service, RESOURCE, &search).await;
                assert_eq!(searched, allowed, "{search}");
                found += searched.len();
            }
        }
    }
    for (kind, subject) in [world.of("ServiceAccount").next(), world.of("User").next()]
        .into_iter()
        .flatten()
    {
        for (of, resource) in world.things.iter().step_by(5) {
            let mut allowed = Vec::new();
            for permission in Permission::ALL {
                let asked = question((kind, subject), permission.as_str(), (of, resource));
                if decision(&service, &asked).await {
                    allowed.push(permission.to_string());
                }
            }
            let mut search = question((kind, subject), "", (of, resource));
            search.as_object_mut().expect("an object").remove("action");
            search["page"] = json!({"limit": 4});
            allowed.sort();
            assert_eq!(
                all_ids(&service, ACTION, &search).await,
                allowed,
                "{search}"
            );
            found += allowed.len();
        }
    }
    assert!(found > 100, "{found} results say little");
    service.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_page_token_is_good_for_its_own_question_only() {
    let settings = format!(
        "[access]\ntokens = [\"gateway:{}\", \"other:{}\"]\n",
        super::TOKEN,
        super::TOKEN.replace('0', "x")
    );
    let service = Service::with(TestDatabase::sqlite(), &settings).await;
    let acme = service.organization("acme").await;
    for _ in 0..3 {
        acme.signer(&[Permission::GetOrganization]).await;
    }
    let organization = acme.organization.id.to_string();
    let mut search = json!({
        "subject": {"type": "ServiceAccount"},
        "action": {"name": "organizations:GetOrganization"},
        "resource": {"type": "Organization", "id": organization},
        "page": {"limit": 2},
    });
    let first_page = search.clone();
    let first = service.ask(SUBJECT, &search).await;
    assert_eq!(ids(&first).len(), 2);
    assert_eq!(first.ok()["page"]["count"], json!(2));
    let token = first.ok()["page"]["next_token"].clone();
    search["page"] = json!({"token": token});
    // The limit may be left out (certification, section 4.5.2).
    let second = service.ask(SUBJECT, &search).await;
    assert_eq!(ids(&second).len(), 1);
    assert_eq!(second.ok()["page"]["next_token"], json!(""));
    search["page"]["limit"] = json!(2);
    assert_eq!(ids(&service.ask(SUBJECT, &search).await).len(), 1);
    for (pointer, value) in [
        ("/subject/type", json!("User")),
        ("/action/name", json!("organizations:UpdateOrganization")),
        ("/resource/id", json!("org-x")),
        ("/page/limit", json!(3)),
        ("/page/token", json!("x")),
        ("/page/token", json!("")),
        ("/page/token", json!(7)),
        ("/page/limit", json!(-1)),
        ("/page/limit", json!("2")),
        ("/page", json!([])),
    ] {
        let mut changed = search.clone();
        *changed.pointer_mut(pointer).expect("it is there") = value;
        assert_eq!(
            service.ask(SUBJECT, &changed).await.status,
            400,
            "{changed}"
        );
    }
    let mut changed = search.clone();
    changed["context"] = json!({"time": "now"});
    service
        .ask(SUBJECT, &changed)
        .await
        .assert_refused(400, "BAD_PARAMETER");
    // Another search, and another client.
    let mut elsewhere = search.clone();
    elsewhere["subject"]["id"] = json!("sa-x");
    assert_eq!(service.ask(RESOURCE, &elsewhere).await.status, 400);
    let other = service
        .operator_side()
        .post(SUBJECT, search.clone())
        .header(
            "authorization",
            &format!("Bearer {}", super::TOKEN.replace('0', "x")),
        );
    other.await.assert_refused(400, "BAD_PARAMETER");
    // It is sealed: nothing can be read in it, and each is another.
    let again = service.ask(SUBJECT, &first_page).await.ok();
    assert_ne!(again["page"]["next_token"], token);
    let token = token.as_str().expect("a text");
    let decoded = URL_SAFE_NO_PAD.decode(token).expect("base64");
    let shown = String::from_utf8_lossy(&decoded);
    let last: ServiceAccountId = ids(&first)[1].parse().expect("an id");
    let last = last.uuid().to_string();
    assert!(!shown.contains(&last[..8]), "{shown}");
    service.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn searches_for_unknown_names_are_empty_and_without_a_part_are_a_400() {
    let service = service(TestDatabase::sqlite()).await;
    let acme = service.organization("acme").await;
    let reader = acme.signer(&[Permission::GetOrganization]).await;
    let organization = acme.organization.id.to_string();
    let good = question(
        ("ServiceAccount", &reader.id),
        "organizations:GetOrganization",
        ("Organization", &organization),
    );
    for path in [SUBJECT, RESOURCE, ACTION] {
        assert_eq!(ids(&service.ask(path, &good).await).len(), 1, "{path}");
    }
    for (path, pointer, value) in [
        (SUBJECT, "/subject/type", "spaceship"),
        (SUBJECT, "/action/name", "fly"),
        (SUBJECT, "/resource/type", "spaceship"),
        (SUBJECT, "/resource/id", "org-x"),
        (RESOURCE, "/subject/type", "spaceship"),
        (RESOURCE, "/subject/id", "sa-x"),
        (RESOURCE, "/action/name", "fly"),
        (RESOURCE, "/resource/type", "spaceship"),
        (ACTION, "/subject/id", "sa-x"),
        (ACTION, "/subject/type", "spaceship"),
        (ACTION, "/resource/id", "org-x"),
        (ACTION, "/resource/type", "spaceship"),
    ] {
        let mut unknown = good.clone();
        *unknown.pointer_mut(pointer).expect("it is there") = json!(value);
        let nothing = service.ask(path, &unknown).await.ok();
        assert_eq!(nothing["results"], json!([]), "{path} {unknown}");
        assert_eq!(nothing["page"]["next_token"], json!(""));
    }
    let without = |pointer: &str| {
        let mut missing = good.clone();
        let (parent, name) = pointer.rsplit_once('/').expect("a pointer");
        let part = missing.pointer_mut(parent).and_then(Value::as_object_mut);
        part.expect("an object").remove(name);
        missing
    };
    for (path, needed) in [
        (SUBJECT, ["/subject/type", "/action/name", "/resource/id"]),
        (RESOURCE, ["/subject/id", "/action/name", "/resource/type"]),
        (ACTION, ["/subject/id", "/resource/id", "/resource/type"]),
    ] {
        for pointer in needed {
            let refused = service.ask(path, &without(pointer)).await;
            refused.assert_refused(400, "MISSING_FIELD");
        }
    }
    for (path, pointer) in [
        (SUBJECT, "/subject/id"),
        (RESOURCE, "/resource/id"),
        (ACTION, "/action"),
    ] {
        assert_eq!(ids(&service.ask(path, &without(pointer)).await).len(), 1);
    }
    // A question that names no organization finds nobody.
    let role = question(("User", ""), "team:AssignRole", ("Role", "member"));
    assert!(ids(&service.ask(SUBJECT, &role).await).is_empty());
    // No results are asked for.
    let mut none = good.clone();
    none["page"] = json!({"limit": 0});
    let none = service.ask(SUBJECT, &none).await;
    assert!(ids(&none).is_empty());
    let token = none.ok()["page"]["next_token"].clone();
    for page in [json!({"token": token}), json!({"token": token, "limit": 1})] {
        let mut first = good.clone();
        first["page"] = page;
        assert_eq!(ids(&service.ask(SUBJECT, &first).await).len(), 1);
    }
    service.stop().await;
}
