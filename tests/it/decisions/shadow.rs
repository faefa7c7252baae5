//! A shadow folder decides nothing, and says what it would decide.

use std::fs;

use charter_authz::snapshot::Snapshot;
use charter_domain::permission::Permission;
use test_support::policy_world::copy_of_shipped;
use test_support::service::{Persona, Service};
use test_support::services::TestDatabase;

use super::stand_alone::Bench;
use super::{Logged as _, WAIT_TIMEOUT, decisions};

const CLOSED: &str = "@id(\"closed\")\nforbid (principal, action == Action::\"organizations:GetOrganization\", resource);\n";
const OPEN: &str = "@id(\"open\")\npermit (principal, action == Action::\"organizations:GetOrganization\", resource is Organization);\n";

#[test]
fn differing_shadow_decisions_are_marked() {
    let bench = Bench::new();
    let folder = copy_of_shipped();
    fs::write(folder.path().join("more.cedar"), OPEN).expect("written");
    let shadow = Snapshot::load(folder.path()).expect("policies");
    let log = bench.open_with(Some(shadow));
    bench.fill(&log, 2);
    assert!(log.recorder().flush(WAIT_TIMEOUT));
    fs::write(folder.path().join("more.cedar"), CLOSED).expect("written");
    log.shadow()
        .replace(Some(Snapshot::load(folder.path()).expect("policies")));
    bench.fill(&log, 2);
    assert!(log.recorder().flush(WAIT_TIMEOUT));
    log.shadow().replace(None);
    bench.fill(&log, 2);
    log.close();
    let told: Vec<_> = decisions(&bench.dir())
        .iter()
        .map(|line| {
            let shadow = &line["shadow"];
            let text = |of: &serde_json::Value| of.as_str().unwrap_or("-").to_owned();
            (
                text(&line["decision"]),
                text(&shadow["decision"]),
                text(&shadow["determining"][0]),
            )
        })
        .collect();
    let row = |live: &str, shadow: &str, policy: &str| {
        (live.to_owned(), shadow.to_owned(), policy.to_owned())
    };
    assert_eq!(
        told,
        [
            row("allow", "-", "-"),
            row("deny", "allow", "open"),
            row("allow", "deny", "closed"),
            row("deny", "deny", "closed"),
            row("allow", "-", "-"),
            row("deny", "-", "-"),
        ]
    );
    bench.assert_intact();
}

#[test]
fn a_shadow_with_other_groups_of_actions_is_asked_by_its_own() {
    let bench = Bench::new();
    let folder = copy_of_shipped();
    let schema = folder.path().join("schema.cedarschema");
    let text = fs::read_to_string(&schema).expect("the schema");
    // There, reading the organization counts as a write.
    let other = text.replacen(
        "action \"organizations:GetOrganization\" in [\"reads\"]",
        "action \"organizations:GetOrganization\" in [\"writes\"]",
        1,
    );
    assert_ne!(text, other);
    fs::write(&schema, other).expect("written");
    let forbid =
        "@id(\"no-writes\")\nforbid (principal, action in Action::\"writes\", resource);\n";
    fs::write(folder.path().join("more.cedar"), forbid).expect("written");
    let shadow = Snapshot::load(folder.path()).expect("policies");
    let log = bench.open_with(Some(shadow));
    bench.fill(&log, 1);
    log.close();
    assert_eq!(
        decisions(&bench.dir())[0]["shadow"]["determining"][0],
        "no-writes"
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn differences_of_the_shadow_are_counted() {
    let folder = copy_of_shipped();
    fs::write(folder.path().join("more.cedar"), CLOSED).expect("written");
    let setting = format!("shadow = \"{}\"", folder.path().display());
    let service = Service::with(TestDatabase::sqlite(), &setting).await;
    let acme = service.organization("acme").await;
    let reader = acme.signer(&[Permission::GetOrganization]).await;
    let before = narrower(&service).await;
    for _ in 0..3 {
        // It decides nothing.
        reader.get("/organizations/info").await.ok();
    }
    assert_eq!(service.logged().len(), 3);
    // Other tests of this process may count, too.
    assert!(narrower(&service).await >= before + 3);
    service.stop().await;
}

/// How often the shadow denied what was allowed.
async fn narrower(service: &Service) -> u64 {
    let metrics = service.operator_side().get("/metrics").await;
    let metrics = String::from_utf8(metrics.body).expect("text");
    let is_it = |line: &&str| {
        line.starts_with("charter_shadow_differences_total{")
            && line.contains("permission=\"organizations:GetOrganization\"")
            && line.contains("direction=\"narrower\"")
    };
    let value = |line: &str| line.rsplit(' ').next()?.parse().ok();
    metrics.lines().find(is_it).and_then(value).unwrap_or(0)
}
