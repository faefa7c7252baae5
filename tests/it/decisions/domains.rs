//! Lines of decisions that domains of one's own took.

use std::sync::Arc;
use std::time::Duration;

use charter_authz::custom_domain::CustomDomain;
use charter_authz::folder::Folder as AuthzFolder;
use charter_authz::snapshot::Snapshot;
use charter_budgets::{Budgets, Resource, Share};
use charter_decision_log::{
    DecisionFilter, DecisionLookup as _, DecisionQuery, LogDirectory, Mask, MaskStyle, Overflow,
    RecordFilter, ShadowDomain, Via,
};
use charter_domain::progress::Progress;
use charter_policy::replay::{EarlierSnapshots, ReplayMode, ReplayPolicies, replay};
use serde_json::{Value, json};

use super::domain_questions::{Domain, EXAMPLES, Question, allowed_and_denied, members};
use super::stand_alone::Bench;
use super::{WAIT_TIMEOUT, decisions, files, lines};
use crate::access::domains::Folder;

/// What a writer may delete if it can be restored.
fn delete(record: &str, soft: bool, note: &str) -> Question {
    let (mut asked, _) = allowed_and_denied("records");
    asked.action = ("delete", json!({"soft": soft}));
    asked.resource.1 = record.to_owned();
    asked.resource.2 = json!({"status": note});
    asked
}

#[test]
fn a_line_says_which_domain_decided_about_what_and_by_which_policies() {
    let bench = Bench::new();
    let domain = Domain::load("records");
    let log = bench.open();
    let id = domain
        .ask(&bench, &log, &delete("new", true, "active"))
        .expect("on record");
    log.close();
    let report = bench.assert_intact();
    assert_eq!(report.of_domains.get("records"), Some(&1));
    let all = decisions(&bench.dir());
    let [record] = all.as_slice() else {
        panic!("{all:?}")
    };
    assert_eq!(record["id"], json!(id.to_string()));
    assert_eq!(record["domain"], "records");
    assert_eq!(record.get("organization"), None);
    assert_eq!(record["via"], "evaluation");
    assert_eq!(
        record["policy_digest"],
        json!(**domain.policies.snapshot().digest())
    );
    assert_eq!(record["principal"], json!({"type": "user", "id": "alice"}));
    assert_eq!(record["action"], json!({"type": "Action", "id": "delete"}));
    assert_eq!(record["resource"], json!({"type": "record", "id": "new"}));
    // The action's properties fill the context; there is no clock that nobody asked for.
    assert_eq!(record["context"], json!({"soft": true}));
    assert_eq!(record["determining"], json!(["records:soft-delete"]));
    let entities = record["entities"].as_array().expect("entities");
    let of = |of: &str| -> Vec<&Value> {
        let found = entities.iter().filter(|it| it["uid"]["type"] == of);
        found.collect()
    };
    assert_eq!((of("user").len(), of("group").len()), (1, 2));
    assert_eq!(of("record")[0]["attrs"], json!({"status": "active"}));
    assert!(of("Action").is_empty());
}

#[test]
fn lines_of_the_built_in_domain_name_no_domain() {
    let bench = Bench::new();
    let log = bench.open();
    bench.fill(&log, 2);
    log.close();
    let case = lines(&bench.dir())
        .into_iter()
        .find(|line| line["kind"] == "case");
    let case = case.expect("a case");
    let names: Vec<&str> = members(&case).keys().map(String::as_str).collect();
    for name in ["domain", "via"] {
        assert!(!names.contains(&name), "{names:?}");
    }
    assert!(case["organization"].is_string());
}

#[test]
fn no_organization_is_shown_what_a_domain_decided() {
    let bench = Bench::new();
    let domain = Domain::load("gateway");
    let log = bench.open();
    let (allowed, denied) = allowed_and_denied("gateway");
    bench.fill(&log, 2);
    for question in [&allowed, &denied] {
        domain
            .ask_for(&bench, &log, question, (Via::ForwardAuth, true))
            .expect("on record");
    }
    assert!(log.recorder().flush(WAIT_TIMEOUT));
    let directory = LogDirectory::new(bench.dir());
    for organization in ["", "org-1", &bench.acme.organization.id.to_string()] {
        let listed = directory.list(&DecisionQuery {
            filter: DecisionFilter {
                organization: organization.to_owned(),
                ..DecisionFilter::default()
            },
            oldest_first: false,
            from: None,
            limit: 100,
            max_bytes: u64::MAX,
        });
        let listed = listed.expect("readable").decisions;
        assert!(
            listed
                .iter()
                .all(|it| it.permission == "organizations:GetOrganization"),
            "{listed:?}"
        );
    }
    // Operators choose.
    let of = |domain: Option<&str>| {
        let filter = RecordFilter {
            domain: domain.map(str::to_owned),
            ..RecordFilter::default()
        };
        let page = log.recorder().logged_records(&filter, None, 100);
        page.expect("readable").decisions.len()
    };
    assert_eq!((of(None), of(Some("gateway")), of(Some("todo"))), (4, 2, 0));
    let record = directory.find(
        log.recorder()
            .logged_records(&RecordFilter::default(), None, 1)
            .expect("readable")
            .decisions[0]
            .0
            .id
            .parse()
            .expect("an id"),
    );
    let record = record.expect("readable").expect("there");
    assert_eq!(record.via.as_deref(), Some("forward_auth"));
    assert!(!record.belongs_to("") && !record.belongs_to("org-1"));
    log.close();
}

#[test]
fn equal_allowed_decisions_are_sampled_and_told_ones_are_not() {
    let mut bench = Bench::new();
    bench.allowed_per_second = 1;
    let (records, todo) = (Domain::load("records"), Domain::load("todo"));
    let log = bench.open();
    let (read, denied) = allowed_and_denied("records");
    let (update, _) = allowed_and_denied("todo");
    for _ in 0..10 {
        for (domain, question) in [(&records, &read), (&records, &denied), (&todo, &update)] {
            domain.ask(&bench, &log, question).expect("counted");
        }
        records
            .ask_for(&bench, &log, &read, (Via::Evaluation, true))
            .expect("on record");
    }
    log.close();
    let report = bench.assert_intact();
    // One of each kind of allowed ones, all denials, all whose id is told.
    assert_eq!((report.decisions, report.counted), (1 + 10 + 1 + 10, 18));
    assert_eq!(report.of_domains["records"], 21);
    assert_eq!(report.of_domains["todo"], 1);
}

#[test]
fn masks_hide_what_they_name_in_lines_of_domains_too() {
    for (mask, hidden) in [
        ("principal", "alice-4711"),
        ("resource", "record-4711"),
        ("context.soft", "true}"),
        ("entities.record.status", "status-4711"),
        ("entities", "status-4711"),
        ("request_id", "r-marker-4711"),
    ] {
        let mut bench = Bench::new();
        bench.request_id = "r-marker-4711";
        bench.mask = Mask::parse(&[mask.to_owned()], MaskStyle::Hash).expect("known");
        let domain = Domain::load("records");
        let log = bench.open();
        let mut asked = delete("record-4711", true, "status-4711");
        asked.subject.1 = "alice-4711".to_owned();
        domain.ask(&bench, &log, &asked).expect("on record");
        log.close();
        bench.assert_intact();
        let file = std::fs::read_to_string(&files(&bench.dir())[0]).expect("a file");
        assert!(!file.contains(hidden), "{mask}: {file}");
        let record = decisions(&bench.dir()).pop().expect("a line");
        assert_eq!(record["masked"], json!([mask]));
        assert_eq!(record["domain"], "records");
    }
}

#[test]
fn askers_cannot_make_lines_or_the_queue_grow_without_bound() {
    let mut bench = Bench::new();
    bench.overflow = Overflow::Count;
    let domain = Domain::load("records");
    let log = bench.open();
    // Repeated ones are written once.
    let large = "x".repeat(60 * 1024);
    for text in [&large, &large, &large] {
        domain
            .ask(&bench, &log, &delete("new", false, text))
            .expect("on record");
    }
    assert!(log.recorder().flush(WAIT_TIMEOUT));
    log.close();
    bench.assert_intact();
    let bytes = std::fs::metadata(&files(&bench.dir())[0])
        .expect("a file")
        .len();
    assert!(bytes < 80 * 1024, "{bytes}");
    assert_eq!(decisions(&bench.dir()).len(), 3);
    // While the writer is away, what waits is bounded by its size, too.
    let mut bench = Bench::new();
    bench.limits.rotate_bytes = 1;
    bench.limits.keep_files = 10_000;
    bench.queue = 1_000_000;
    let log = bench.open();
    let away = bench.home.path().join("away");
    let out_of_reach = super::OutOfReach::put(bench.dir(), &away);
    let question = delete("new", false, &large);
    let mut queued = 0;
    while domain.ask(&bench, &log, &question).is_ok() {
        queued += 1;
        assert!(queued < 2_000, "nothing stops it");
    }
    assert!(!log.recorder().has_room_for_domain());
    // The queue takes the service's own, though no request begins while nothing can be written.
    assert!(!log.recorder().has_room());
    bench.fill(&log, 1);
    out_of_reach.back();
    assert!(log.recorder().flush(WAIT_TIMEOUT));
    assert!(log.recorder().has_room_for_domain());
    domain.ask(&bench, &log, &question).expect("it has healed");
    log.close();
    assert_eq!(bench.assert_intact().decisions, queued + 2);
}

#[test]
fn an_organizations_denials_at_a_gateway_count_against_its_budget() {
    let mut bench = Bench::new();
    let share = Share::PerTime {
        amount: 20_000,
        per: Duration::from_hours(1),
    };
    let shares = [(Resource::DecisionLogBytes, share)];
    bench.budgets = Arc::new(Budgets::new(shares, bench.clock.clone()));
    let domain = Domain::load("gateway");
    let log = bench.open();
    let (allowed, denied) = allowed_and_denied("gateway");
    let payer = bench.payer();
    let has_share = || {
        assert!(log.recorder().flush(WAIT_TIMEOUT));
        log.recorder().check_share(payer).is_ok()
    };
    for _ in 0..200 {
        domain
            .ask_for(&bench, &log, &allowed, (Via::ForwardAuth, true))
            .expect("on record");
        domain.ask(&bench, &log, &denied).expect("on record");
    }
    assert!(has_share());
    for _ in 0..200 {
        domain
            .ask_for(&bench, &log, &denied, (Via::ForwardAuth, true))
            .expect("on record");
    }
    assert!(!has_share());
    log.close();
}

#[test]
fn lines_of_domains_among_others_are_reproduced_and_asked_of_candidates() {
    let bench = Bench::new();
    let log = bench.open();
    let domains: Vec<Domain> = EXAMPLES.into_iter().map(Domain::load).collect();
    for (name, domain) in EXAMPLES.into_iter().zip(&domains) {
        let (allowed, denied) = allowed_and_denied(name);
        bench.fill(&log, 2);
        for question in [&allowed, &denied] {
            domain.ask(&bench, &log, question).expect("on record");
        }
    }
    log.close();
    bench.assert_intact();
    let built_in = Snapshot::load(&test_support::policy_world::shipped()).expect("policies");
    let ask = |policies: &ReplayPolicies<'_>, mode| {
        let earlier = EarlierSnapshots::new();
        replay(
            &bench.dir(),
            policies,
            &earlier,
            mode,
            2,
            &Progress::default(),
        )
        .expect("readable")
    };
    let mut all = ReplayPolicies::only(None, &built_in);
    let left_out = ask(&all, ReplayMode::Reproduce);
    assert_eq!((left_out.decisions, left_out.replayed), (12, 6));
    assert_eq!(left_out.domains_left_out.len(), 3);
    for (name, domain) in EXAMPLES.into_iter().zip(&domains) {
        all.domains.insert(name, domain.policies.snapshot());
    }
    let same = ask(&all, ReplayMode::Reproduce);
    assert_eq!(
        (same.replayed, same.flips, same.other_reasons, same.unasked),
        (12, 0, 0, 0)
    );
    assert!(same.domains_left_out.is_empty());
    // The policies of another domain know nothing of the question.
    let mut swapped = ReplayPolicies::default();
    swapped
        .domains
        .insert("todo", domains[0].policies.snapshot());
    let swapped = ask(&swapped, ReplayMode::Candidate);
    assert_eq!((swapped.unasked, swapped.replayed), (2, 0));
    assert_eq!(swapped.built_in_left_out, 6);
    // Nor are the built-in ones asked.
    let mut wrong = ReplayPolicies::default();
    wrong.domains.insert("todo", &built_in);
    assert_eq!(ask(&wrong, ReplayMode::Candidate).unreadable, 2);
}

#[test]
fn the_shadow_of_a_domain_marks_what_it_would_decide_otherwise() {
    let bench = Bench::new();
    let domain = Domain::load("records");
    let (allowed, denied) = allowed_and_denied("records");
    let log = bench.open();
    let ask = |question| domain.ask(&bench, &log, question).expect("on record");
    // One of another domain's is none of its business.
    let closed = Folder::with(&["records", "todo"]);
    for name in ["records", "todo"] {
        let forbid = "@id(\"closed\")\nforbid (principal, action, resource);\n";
        closed.write(name, "closed.cedar", forbid);
    }
    let shadow = |names: &[&str]| {
        let load = |name: &&str| {
            let folder = AuthzFolder::read(&closed.domain(name)).expect("readable");
            let domain = CustomDomain::from_folder(&folder).expect("sound");
            let shadow = ShadowDomain {
                domain: Some(Arc::new(domain)),
                ..ShadowDomain::default()
            };
            ((*name).to_owned(), shadow)
        };
        log.shadow()
            .replace_domains(names.iter().map(load).collect());
    };
    shadow(&["todo"]);
    ask(&allowed);
    assert!(log.recorder().flush(WAIT_TIMEOUT));
    shadow(&["todo", "records"]);
    ask(&allowed);
    ask(&denied);
    log.close();
    bench.assert_intact();
    let told: Vec<Value> = decisions(&bench.dir())
        .into_iter()
        .map(|line| {
            json!([
                line["decision"],
                line["shadow"]["decision"],
                line["shadow"]["determining"]
            ])
        })
        .collect();
    assert_eq!(
        json!(told),
        json!([
            ["allow", null, null],
            ["allow", "deny", ["closed"]],
            ["deny", "deny", ["closed"]]
        ])
    );
}
