//! Searches of a domain among the store's records: what evaluation allows, within the organization that is named.

use proptest::test_runner::TestRunner;
use serde_json::{Value, json};
use test_support::service::Service;
use test_support::services::TestDatabase;

use super::domains::{Folder, path};
use super::search::{World, populate};
use super::{Asks as _, TOKEN, all_ids, ids, question};

const SCHEMA: &str = r#"
namespace Charter {
  entity Organization = { "slug": String };
  entity Account in [Organization] = { "organization": Organization, "is_active": Bool };
  entity ServiceAccount in [Account, Organization] = {
    "organization": Organization,
    "account": Account,
    "roles": Set<String>,
    "permissions": Set<String>,
  };
  entity User in [Organization] = { "organization": Organization, "role": String };
}
entity Invoice;
action "read" appliesTo {
  principal: [Charter::ServiceAccount, Charter::User],
  resource: [Invoice],
};
action "see" appliesTo {
  principal: [Charter::ServiceAccount, Charter::User],
  resource: [Charter::Organization, Charter::Account, Charter::ServiceAccount, Charter::User],
};
"#;

const POLICIES: &str = r#"
@id("granted")
permit (principal is Charter::ServiceAccount, action == Action::"read", resource)
when { principal.permissions.contains("accounts:UpdateAccount") };
@id("owner")
permit (principal is Charter::User, action == Action::"read", resource)
when { principal.role == "owner" };
@id("own-account")
permit (principal is Charter::ServiceAccount, action == Action::"see", resource is Charter::Account)
when { principal.account == resource || principal.roles.contains("admin") };
@id("any-organization")
permit (principal, action == Action::"see", resource is Charter::Organization)
when { resource.slug == "acme" };
@id("same-account")
permit (principal is Charter::ServiceAccount, action == Action::"see", resource is Charter::ServiceAccount)
when { principal.account == resource.account };
@id("admins")
permit (principal is Charter::User, action == Action::"see", resource is Charter::ServiceAccount)
when { resource.roles.contains("admin") };
@id("people")
permit (principal, action == Action::"see", resource is Charter::User)
when { principal.organization == resource.organization };
"#;

const SUBJECTS: [&str; 2] = ["ServiceAccount", "User"];
const RESOURCES: [&str; 4] = ["Organization", "Account", "ServiceAccount", "User"];

fn of_charter(of: &str) -> String {
    format!("Charter::{of}")
}

async fn started(database: TestDatabase) -> (Service, Folder) {
    let folder = Folder::with(&["gateway"]).without_rules("gateway");
    std::fs::remove_file(folder.domain("gateway").join("routes.toml")).expect("removed");
    folder.write("gateway", "schema.cedarschema", SCHEMA);
    folder.write("gateway", "billing.cedar", POLICIES);
    let policies = format!(
        "tests = \"off\"\nproofs = \"off\"\ndir = \"{}\"\n[access]\ntokens = [\"gateway:{TOKEN}\"]\n",
        folder.path().display()
    );
    (Service::with_policies(database, &policies).await, folder)
}

async fn is_allowed(service: &Service, asked: &Value) -> bool {
    let answer = service.ask(&path("gateway", "evaluation"), asked).await;
    answer.ok()["decision"] == true
}

/// Of each tenant: its organization, and its records of this type.
fn tenants<'w>(world: &'w World, of: &str) -> Vec<(&'w str, Vec<&'w str>)> {
    // Both have the same number of records, one after the other.
    let each = world.things.chunks(world.things.len() / 2);
    each.map(|things| {
        let ids = |of: &str| -> Vec<&'w str> {
            let found = things.iter().filter(|(kind, _)| *kind == of);
            found.map(|(_, id)| id.as_str()).collect()
        };
        (ids("Organization")[0], ids(of))
    })
    .collect()
}

fn named(organization: &str) -> Value {
    json!({"organization": {"type": "Charter::Organization", "id": organization}})
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_search_among_records_is_what_evaluation_allows() {
    Box::pin(equals_brute_force(TestDatabase::sqlite())).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_search_among_records_is_what_evaluation_allows_on_postgres() {
    if let Some(database) = TestDatabase::empty_postgres().await {
        Box::pin(equals_brute_force(database)).await;
    }
}

async fn equals_brute_force(database: TestDatabase) {
    let (service, _folder) = started(database).await;
    let world = populate(&service, &mut TestRunner::deterministic()).await;
    let mut found = 0;
    for kind in SUBJECTS {
        // Who may, of each organization: about an invoice, and about a record of either organization.
        for (organization, subjects) in tenants(&world, kind) {
            let mut resources = vec![("Invoice".to_owned(), "7", "read")];
            for of in RESOURCES {
                let all = world.of(of).step_by(4);
                resources.extend(all.map(|(of, id)| (of_charter(of), id.as_str(), "see")));
            }
            for (of, resource, action) in resources {
                let about = (of.as_str(), resource);
                let mut allowed = Vec::new();
                for subject in &subjects {
                    let asked = question((&of_charter(kind), subject), action, about);
                    if is_allowed(&service, &asked).await {
                        allowed.push((*subject).to_owned());
                    }
                }
                allowed.sort();
                let mut search = question((&of_charter(kind), ""), action, about);
                search["subject"]["properties"] = named(organization);
                search["page"] = json!({"limit": 3});
                let searched = all_ids(&service, &path("gateway", "search/subject"), &search).await;
                assert_eq!(searched, allowed, "{search}");
                found += searched.len();
            }
        }
        for of in RESOURCES {
            for (organization, resources) in tenants(&world, of) {
                for (_, subject) in world.of(kind).step_by(3) {
                    let who = of_charter(kind);
                    let mut allowed = Vec::new();
                    for resource in &resources {
                        let asked = question((&who, subject), "see", (&of_charter(of), resource));
                        if is_allowed(&service, &asked).await {
                            allowed.push((*resource).to_owned());
                        }
                    }
                    allowed.sort();
                    let mut search = question((&who, subject), "see", (&of_charter(of), ""));
                    search["resource"]["properties"] = named(organization);
                    search["page"] = json!({"limit": 2});
                    let path = path("gateway", "search/resource");
                    let searched = all_ids(&service, &path, &search).await;
                    assert_eq!(searched, allowed, "{search}");
                    found += searched.len();
                }
            }
        }
    }
    assert!(found > 100, "{found} results say little");
    service.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_search_among_records_stays_in_the_organization_that_its_question_names() {
    let (service, _folder) = started(TestDatabase::sqlite()).await;
    let world = populate(&service, &mut TestRunner::deterministic()).await;
    let owners: Vec<(&str, &str)> = tenants(&world, "User")
        .into_iter()
        .map(|(organization, users)| (organization, users[0]))
        .collect();
    let subjects = path("gateway", "search/subject");
    let user = ("Charter::User", "");
    let mut search = question(user, "read", ("Invoice", "7"));
    // Nobody is found whose organization is not named.
    for properties in [
        json!({}),
        json!({"organization": "acme"}),
        json!({"organization": {"type": "Charter::Organization", "id": "acme"}}),
        json!({"organization": {"type": "Charter::User", "id": owners[0].1}}),
        json!({"organization": {"type": "Organization", "id": owners[0].0}}),
    ] {
        search["subject"]["properties"] = properties;
        let answer = service.ask(&subjects, &search).await;
        assert!(ids(&answer).is_empty(), "{search}");
        assert_eq!(answer.ok()["page"]["next_token"], "");
    }
    for (organization, owner) in &owners {
        search["subject"]["properties"] = named(organization);
        assert_eq!(ids(&service.ask(&subjects, &search).await), [*owner]);
        search["subject"]["properties"] =
            json!({"organization": {"__entity": named(organization)["organization"]}});
        assert_eq!(ids(&service.ask(&subjects, &search).await), [*owner]);
        // A record that is asked about names its own.
        let about = question(user, "see", ("Charter::User", owner));
        let found = all_ids(&service, &subjects, &about).await;
        let own = tenants(&world, "User");
        let own = own.iter().find(|(of, _)| of == organization);
        let mut own = own.expect("a tenant").1.clone();
        own.sort_unstable();
        assert_eq!(found, own);
    }
    // What does nothing is no subject, and what may not be asked has no results.
    for (of, action) in [("Account", "see"), ("Organization", "see"), ("User", "fly")] {
        let mut search = question((&of_charter(of), ""), action, ("Invoice", "7"));
        search["subject"]["properties"] = named(owners[0].0);
        assert!(ids(&service.ask(&subjects, &search).await).is_empty());
    }
    service.stop().await;
}
