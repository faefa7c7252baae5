//! Lists of decisions (contract section 4, `GET /decisions`).

use std::fs;

use charter_decision_log::{
    DecisionFilter, DecisionLookup, DecisionPage, DecisionQuery, LogDirectory,
};
use charter_domain::clock::Clock as _;
use charter_domain::permission::Permission;
use serde_json::{Value, json};
use test_support::on_both_services;
use test_support::policy_world::Tenant;
use test_support::service::{Persona, Service, TeamRole, everything, members};
use test_support::services::TestDatabase;

use super::stand_alone::Bench;
use super::{Logged as _, decisions, files};
use crate::surface::cursors::{all_pages, next, page, results};

const DECISIONS: &str = "/decisions";
const INFO: &str = "/organizations/info";

on_both_services!(
    a_decision_is_listed_without_its_reasons,
    filters_select_decisions,
    a_feed_goes_on_where_it_ended,
    what_is_anothers_is_not_listed,
    owners_and_admins_list_and_members_do_not,
    a_query_is_taken_literally,
);

fn query(bench: &Bench) -> DecisionQuery {
    DecisionQuery {
        filter: DecisionFilter {
            organization: bench.acme.organization.id.to_string(),
            ..DecisionFilter::default()
        },
        oldest_first: false,
        from: None,
        limit: 100,
        max_bytes: u64::MAX,
    }
}

/// The ids of everything, page by page, and how many pages there were.
fn all(lookup: &dyn DecisionLookup, mut query: DecisionQuery) -> (Vec<String>, usize) {
    let (mut ids, mut pages) = (Vec::new(), 0);
    loop {
        let DecisionPage { decisions, next } = lookup.list(&query).expect("readable");
        assert!(decisions.len() <= query.limit);
        pages += 1;
        let is_over = next.is_none() || (query.oldest_first && next == query.from);
        ids.extend(decisions.into_iter().map(|it| it.id));
        if is_over {
            return (ids, pages);
        }
        assert_ne!(next, query.from, "no way on");
        query.from = next;
    }
}

fn ids(records: &[Value], is_listed: impl Fn(&Value) -> bool) -> Vec<String> {
    let listed = records.iter().filter(|it| is_listed(it));
    listed
        .map(|it| it["id"].as_str().expect("an id").to_owned())
        .collect()
}

/// Decisions of two organizations in turns, in files of that size.
fn mixed(rotate_bytes: u64, many: usize) -> Bench {
    let mut bench = Bench::new();
    bench.limits.rotate_bytes = rotate_bytes;
    let log = bench.open();
    let globex = Tenant::new(2);
    for _ in 0..many / 10 {
        bench.fill(&log, 5);
        for _ in 0..5 {
            let caller = globex.program(&[], &["organizations:GetOrganization"]);
            let resource = globex.organization();
            bench
                .decide_about(&log, &caller, Permission::GetOrganization, resource)
                .expect("on record");
        }
    }
    log.close();
    bench
}

#[test]
fn pages_have_every_decision_once() {
    for (rotate_bytes, many) in [(20_000, 600), (1_000_000_000, 3_000)] {
        let bench = mixed(rotate_bytes, many);
        let own = bench.acme.organization.id.to_string();
        let expected = ids(&decisions(&bench.dir()), |it| it["organization"] == own);
        assert_eq!(expected.len(), many / 2);
        let directory = LogDirectory::new(bench.dir());
        let log = bench.open();
        let lookups: [&dyn DecisionLookup; 2] = [&directory, log.recorder()];
        for lookup in lookups {
            for (oldest_first, limit, max_bytes) in [
                (false, 7, u64::MAX),
                (true, 7, u64::MAX),
                (false, 100_000, u64::MAX),
                (true, 100_000, u64::MAX),
                (false, 100_000, 1),
                (true, 100_000, 1),
                (false, 30, 70_000),
                (true, 30, 70_000),
            ] {
                let (mut found, pages) = all(
                    lookup,
                    DecisionQuery {
                        oldest_first,
                        limit,
                        max_bytes,
                        ..query(&bench)
                    },
                );
                if !oldest_first {
                    found.reverse();
                }
                assert_eq!(found, expected, "{oldest_first} {limit} {max_bytes}");
                // A page ends with the part that exceeds its bytes, so there are as many as parts.
                assert!(max_bytes > 1 || pages > 5, "{pages}");
            }
        }
    }
}

#[test]
fn times_select_decisions_and_spare_the_rest_of_the_log() {
    let bench = mixed(20_000, 600);
    let lookup = LogDirectory::new(bench.dir());
    let begun = bench.clock.now() - std::time::Duration::from_mins(5);
    let at = |second: u64| Some(begun + std::time::Duration::from_secs(second));
    for (since, until, many) in [
        (None, None, 300),
        (at(0), at(300), 300),
        (at(100), at(101), 1),
        (at(100), at(100), 0),
        (at(290), None, 10),
        (None, at(10), 10),
        (at(301), None, 0),
        (None, at(0), 0),
    ] {
        for oldest_first in [false, true] {
            let mut query = query(&bench);
            query.filter.since = since;
            query.filter.until = until;
            query.oldest_first = oldest_first;
            query.limit = 1_000;
            let (found, _) = all(&lookup, query.clone());
            assert_eq!(found.len(), many, "{since:?} {until:?}");
            // Parts of other times are not read: all is found within few bytes.
            query.max_bytes = 70_000;
            if many <= 1 {
                let page = lookup.list(&query).expect("readable");
                assert_eq!(page.decisions.len(), many);
                assert!(oldest_first || page.next.is_none());
            }
        }
    }
}

#[test]
fn a_log_keeps_its_id_and_others_have_another() {
    let (one, other) = (Bench::new(), Bench::new());
    let id = |bench: &Bench| bench.open().recorder().list_id(&query(bench));
    let first = id(&one);
    assert_eq!(id(&one), first);
    assert_ne!(id(&other), first);
}

#[test]
fn a_list_goes_on_where_files_have_expired() {
    let bench = mixed(20_000, 600);
    let lookup = LogDirectory::new(bench.dir());
    let mut query = query(&bench);
    let first = lookup.list(&query).expect("readable");
    query.from = first.next;
    let cursor = first.next.expect("more");
    let all_files = files(&bench.dir());
    let own = bench.acme.organization.id.to_string();
    // The file in which the reader is, and those before.
    let (gone, kept) = all_files.split_at(usize::try_from(cursor.file).expect("a number"));
    for file in gone {
        fs::remove_file(file).expect("removed");
    }
    let page = lookup.list(&query).expect("readable");
    assert_eq!((page.decisions.len(), page.next), (0, None));
    // A feed goes on with the oldest file that is there.
    query.oldest_first = true;
    query.limit = 1_000;
    let (found, _) = all(&lookup, query.clone());
    let expected: Vec<Value> = kept.iter().flat_map(|file| super::records(file)).collect();
    assert_eq!(found, ids(&expected, |it| it["organization"] == own));
    for file in kept {
        fs::remove_file(file).expect("removed");
    }
    let page = lookup.list(&query).expect("readable");
    assert_eq!((page.decisions.len(), page.next), (0, query.from));
}

#[test]
fn lines_that_cannot_be_read_are_left_out() {
    let bench = mixed(1_000_000_000, 100);
    let file = files(&bench.dir()).pop().expect("a file");
    let text = fs::read_to_string(&file).expect("text");
    let mut lines: Vec<&str> = text.lines().collect();
    let decision = lines.len() - 1;
    lines[decision - 3] = "{\"id\":7}";
    lines.insert(decision, "nonsense \u{0}");
    fs::write(&file, lines.join("\n") + "\n{\"sequence\":").expect("written");
    let lookup = LogDirectory::new(bench.dir());
    let (found, _) = all(&lookup, query(&bench));
    assert!((48..=50).contains(&found.len()), "{}", found.len());
}

async fn a_decision_is_listed_without_its_reasons(service: &Service) {
    let acme = service.organization("acme").await;
    let nobody = acme.signer(&[]).await;
    let auditor = acme.signer(&[Permission::ListDecisions]).await;
    let denied = nobody.get(INFO).header("x-request-id", "r-7").await;
    denied.assert_refused(403, "NOT_PERMITTED");
    let answer = auditor.get(DECISIONS).await.ok();
    assert_eq!(
        members(answer.as_object().expect("an object")),
        ["next_cursor", "results"]
    );
    let found = results(&answer);
    // Its own question is the newest.
    assert_eq!(found[0]["permission"], "decisions:ListDecisions");
    assert_eq!(found[0]["outcome"], "allow");
    assert_eq!(
        found[1],
        json!({
            "id": denied.json()["error"]["decision_id"],
            "at": "2025-09-30T12:00:00Z",
            "request_id": "r-7",
            "via": null,
            "principal": {"type": "ServiceAccount", "id": nobody.id},
            "permission": "organizations:GetOrganization",
            "outcome": "deny",
        })
    );
    assert_eq!(found.len(), 2);
    assert_eq!(answer["next_cursor"], json!(null));
}

async fn filters_select_decisions(service: &Service) {
    let acme = service.organization("acme").await;
    let (nobody, reader) = (
        acme.signer(&[]).await,
        acme.signer(&[Permission::GetOrganization]).await,
    );
    let auditor = acme.signer(&[Permission::ListDecisions]).await;
    service.clock.advance(10);
    nobody.get(INFO).await.assert_refused(403, "NOT_PERMITTED");
    reader.get(INFO).await.ok();
    service.clock.advance(10);
    nobody
        .get("/accounts")
        .await
        .assert_refused(403, "NOT_PERMITTED");
    let at = |seconds: i64| service.clock.in_seconds(seconds);
    let own = "permission=decisions:ListDecisions";
    for (query, expected) in [
        (format!("actor={}", nobody.id), 2),
        (format!("actor={}&outcome=allow", nobody.id), 0),
        (format!("actor={}", reader.id), 1),
        ("permission=organizations%3AGetOrganization".to_owned(), 2),
        (
            "permission=organizations:GetOrganization&outcome=deny".to_owned(),
            1,
        ),
        ("permission=nothing".to_owned(), 0),
        ("outcome=deny".to_owned(), 2),
        (format!("outcome=deny&since={}", at(0)), 1),
        (format!("outcome=deny&until={}", at(0)), 1),
        (format!("outcome=deny&since={}&until={}", at(-10), at(1)), 2),
        (format!("{own}&since={}", at(1)), 0),
        ("actor=User::%22x%22".to_owned(), 0),
    ] {
        let answer = page(&auditor, DECISIONS, &query).await;
        assert_eq!(results(&answer).len(), expected, "{query}");
    }
}

async fn a_feed_goes_on_where_it_ended(service: &Service) {
    let acme = service.organization("acme").await;
    let nobody = acme.signer(&[]).await;
    let auditor = acme.signer(&[Permission::ListDecisions]).await;
    let feed = "order=oldest&outcome=deny&limit=2";
    let mut cursor = next(&page(&auditor, DECISIONS, feed).await).expect("a cursor");
    for _ in 0..3 {
        for _ in 0..3 {
            nobody.get(INFO).await.assert_refused(403, "NOT_PERMITTED");
        }
        for many in [2, 1, 0] {
            let answer = page(&auditor, DECISIONS, &format!("{feed}&cursor={cursor}")).await;
            assert_eq!(results(&answer).len(), many);
            cursor = next(&answer).expect("a cursor");
        }
    }
    let all = all_pages(&auditor, DECISIONS, feed).await;
    let denied = service.logged().into_iter();
    let denied: Vec<Value> = denied.filter(|it| it["decision"] == "deny").collect();
    assert_eq!(ids(&all, |_| true), ids(&denied, |_| true));
    let mut newest = all_pages(&auditor, DECISIONS, "outcome=deny&limit=4").await;
    newest.reverse();
    assert_eq!(newest, all);
}

async fn what_is_anothers_is_not_listed(service: &Service) {
    let (acme, globex) = (
        service.organization("acme").await,
        service.organization("globex").await,
    );
    let foreign = globex.signer(&[Permission::ListDecisions]).await;
    foreign.get(INFO).await.assert_refused(403, "NOT_PERMITTED");
    let auditor = acme.signer(&[Permission::ListDecisions]).await;
    let nothing = json!({"results": [], "next_cursor": null});
    let answer = page(&auditor, DECISIONS, &format!("actor={}", foreign.id)).await;
    assert_eq!(answer, nothing);
    let answer = page(&auditor, DECISIONS, "outcome=deny").await;
    assert_eq!(answer, nothing);
    let cursor = next(&page(&foreign, DECISIONS, "limit=1").await).expect("a cursor");
    for target in [
        format!("{DECISIONS}?cursor={cursor}"),
        format!("/audit-events?cursor={cursor}"),
    ] {
        let who = acme.signer(&[Permission::ListDecisions, Permission::ListEvents]);
        let refused = who.await.get(&target).await;
        refused.assert_refused(400, "BAD_PARAMETER");
    }
    let own = page(&foreign, DECISIONS, &format!("cursor={cursor}")).await;
    assert!(!results(&own).is_empty());
}

async fn owners_and_admins_list_and_members_do_not(service: &Service) {
    let acme = service.organization("acme").await;
    for (role, may) in [
        (TeamRole::Owner, true),
        (TeamRole::Admin, true),
        (TeamRole::Member, false),
    ] {
        let answer = acme.person(role).await.get(DECISIONS).await;
        if may {
            answer.ok();
        } else {
            answer.assert_refused(403, "NOT_PERMITTED");
        }
    }
    let manager = acme.signer(&everything()).await;
    let refused = manager.get(DECISIONS).await;
    refused.assert_refused(403, "NOT_PERMITTED");
    // Listing is not reading why.
    let auditor = acme.signer(&[Permission::ListDecisions]).await;
    let listed = page(&auditor, DECISIONS, "outcome=deny").await;
    let id = results(&listed)[0]["id"]
        .as_str()
        .expect("an id")
        .to_owned();
    let refused = auditor.get(&format!("{DECISIONS}/{id}")).await;
    refused.assert_refused(403, "NOT_PERMITTED");
    let anonymous = service.anonymous().get(DECISIONS).await;
    anonymous.assert_refused(401, "MISSING_CREDENTIALS");
}

async fn a_query_is_taken_literally(service: &Service) {
    let acme = service.organization("acme").await;
    let auditor = acme.signer(&[Permission::ListDecisions]).await;
    for bad in [
        "limit=0",
        "limit=201",
        "order=random",
        "outcome=Deny",
        "outcome=",
        "actor=",
        "permission=%0A",
        "since=2025-09-30T12:00:01Z&until=2025-09-30T12:00:00Z",
        "until=x",
        "cursor=x",
        "action=x",
        "object=x",
    ] {
        let answer = auditor.get(&format!("{DECISIONS}?{bad}")).await;
        answer.assert_refused(400, "BAD_PARAMETER");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_organization_that_has_used_up_its_searches_waits() {
    let settings = "[budgets]\nsearches_per_minute = 2\n";
    let service = Service::with(TestDatabase::sqlite(), settings).await;
    let acme = service.organization("acme").await;
    let auditor = acme.signer(&[Permission::ListDecisions]).await;
    for _ in 0..2 {
        auditor.get(DECISIONS).await.ok();
    }
    let refused = auditor.get(DECISIONS).await;
    refused.assert_refused(429, "RATE_LIMIT_EXCEEDED");
    assert_eq!(refused.header("retry-after"), Some("30"));
    service.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn without_a_log_nothing_is_listed() {
    let service = Service::with(TestDatabase::sqlite(), "[decisions]\nenabled = false").await;
    let acme = service.organization("acme").await;
    let auditor = acme.signer(&[Permission::ListDecisions]).await;
    let answer = auditor.get(DECISIONS).await.ok();
    assert_eq!(answer, json!({"results": [], "next_cursor": null}));
    let feed = page(&auditor, DECISIONS, "order=oldest").await;
    assert!(next(&feed).is_some());
    service.stop().await;
}
