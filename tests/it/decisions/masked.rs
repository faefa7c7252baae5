//! Masked values appear nowhere in a line, nor in the service's own log.

use std::fs;

use charter_authz::snapshot::Snapshot;
use charter_decision_log::{Mask, MaskStyle};
use charter_domain::permission::Permission;
use test_support::policy_world::{Tenant, copy_of_shipped, shipped};
use test_support::process::Home;
use test_support::signed_client::Client;

use super::stand_alone::Bench;
use super::{decisions, files};

/// Its error cites what it made of the context.
const OVERFLOWING: &str = "@id(\"overflowing\")\nforbid (principal, action, resource)\n\
    when { context.now.toTime().toMilliseconds() + 9223372036854775807 < 0 };\n";
const CLOSED: &str = "@id(\"closed\")\nforbid (principal, action == Action::\"organizations:GetOrganization\", resource);\n";
const ADDRESS: &str = "203.0.113.199";
const REQUEST: &str = "r-marker-4711";
/// Noon, the test clock's time of day.
const TIME: &str = "43200000";

/// The parts that can be masked, and what of each must not be read.
fn markers(principal: &str) -> Vec<(&'static str, Vec<&str>)> {
    vec![
        // It asks about itself.
        ("principal", vec![principal]),
        ("resource", vec![principal]),
        ("request_id", vec![REQUEST]),
        ("context", vec![ADDRESS, TIME]),
        ("context.source_ip", vec![ADDRESS]),
        ("context.now", vec![TIME]),
        ("entities", vec!["is_active"]),
        ("entities.Organization.plan_tier", vec!["\"free\""]),
    ]
}

#[test]
fn no_masked_value_is_anywhere_in_a_line() {
    let folder = copy_of_shipped();
    fs::write(folder.path().join("more.cedar"), OVERFLOWING).expect("written");
    let acme = Tenant::new(1);
    let own = acme.program_from(acme.service_account.clone());
    let id = own.principal_id();
    let parts = markers(&id);
    let mut masks: Vec<Vec<_>> = parts.iter().map(|part| vec![part.clone()]).collect();
    masks.push(parts);
    for (style, mask) in [MaskStyle::Hash, MaskStyle::Stars]
        .into_iter()
        .flat_map(|style| masks.iter().map(move |mask| (style, mask)))
    {
        let mut bench = Bench::new();
        bench.snapshot = Snapshot::load(folder.path()).expect("policies");
        let names: Vec<String> = mask.iter().map(|(name, _)| (*name).to_owned()).collect();
        bench.mask = Mask::parse(&names, style).expect("known");
        bench.source_ip = ADDRESS.parse().expect("an address");
        bench.request_id = REQUEST;
        let log = bench.open_with(Some(Snapshot::load(&shipped()).expect("policies")));
        bench
            .decide_about(
                &log,
                &own,
                Permission::GetServiceAccount,
                acme.service_account(),
            )
            .expect("on record");
        log.close();
        bench.assert_intact();
        let line = decisions(&bench.dir()).pop().expect("a line");
        assert_eq!(line["errors"][0]["policy"], "overflowing", "{line}");
        let text = line.to_string();
        // Nor is it in what the line refers to.
        let file = fs::read_to_string(&files(&bench.dir())[0]).expect("a file");
        for hidden in mask.iter().flat_map(|(_, hidden)| hidden) {
            assert!(!text.contains(hidden), "{names:?}: `{hidden}` in {text}");
            assert!(!file.contains(hidden), "{names:?}: `{hidden}` in {file}");
        }
        // Nothing that was asked is masked: the message may be read.
        let is_plain = text.contains("overflow while");
        assert_eq!(is_plain, names == ["request_id"], "{text}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_differences_of_a_shadow_do_not_name_who_is_masked() {
    for (mask, is_named) in [("", true), ("principal", false)] {
        let folder = copy_of_shipped();
        fs::write(folder.path().join("more.cedar"), CLOSED).expect("written");
        let home = Home::new()
            .with(
                "CHARTER__POLICIES__SHADOW",
                &folder.path().display().to_string(),
            )
            .with("CHARTER__DECISIONS__MASK", mask);
        let charter = home.serve();
        let reader = charter.reader();
        let request = reader.sign("GET", "/organizations/info", "");
        let answer = Client::http1(charter.main).try_send(&request).await;
        assert!(answer.is_some(), "{}", home.log());
        charter.stop();
        let line = decisions(&home.data().join("decisions"))
            .pop()
            .expect("a line");
        let id = line["principal"]["id"].as_str().expect("an id");
        assert_eq!(id.starts_with("sa-"), is_named, "{line}");
        let log = home.log();
        let told = log
            .lines()
            .find(|line| line.contains("decide differently"))
            .expect("the difference");
        assert!(told.contains(id), "{told}");
        assert_eq!(told.contains("sa-"), is_named, "{told}");
    }
}

#[test]
fn masked_fields_are_unreadable_and_named() {
    for (style, shows) in [(MaskStyle::Hash, "masked:"), (MaskStyle::Stars, "***")] {
        let mut bench = Bench::new();
        let names = [
            "principal",
            "context.source_ip",
            "request_id",
            "entities.Organization.plan_tier",
        ];
        let names = names.map(str::to_owned);
        bench.mask = Mask::parse(&names, style).expect("known");
        let log = bench.open();
        let reader = bench.acme.program(&[], &["organizations:GetOrganization"]);
        let id = reader.principal_id();
        let about = bench.acme.account();
        bench
            .decide_about(&log, &reader, Permission::GetAccount, about)
            .expect("on record");
        bench.fill(&log, 1);
        log.close();
        bench.assert_intact();
        let records = decisions(&bench.dir());
        for record in &records {
            let text = record.to_string();
            for hidden in [id.as_str(), "192.0.2.7", "r-1", "\"free\""] {
                assert!(!text.contains(hidden), "{hidden}: {text}");
            }
            assert_eq!(record["masked"], serde_json::json!(names));
            let shown = record["principal"]["id"].as_str().expect("text");
            assert!(shown.starts_with(shows), "{shown}");
            // Equal values stay equal, within a record as well.
            assert!(record["entities"].to_string().contains(shown));
        }
        assert_eq!(records[0]["principal"], records[1]["principal"]);
    }
}
