//! Lists of decisions as the log itself gives them, page by page.

use std::fs;

use charter_decision_log::{
    DecisionFilter, DecisionLookup, DecisionPage, DecisionQuery, LogDirectory,
};
use charter_domain::clock::Clock as _;
use charter_domain::permission::Permission;
use serde_json::Value;
use test_support::policy_world::Tenant;

use super::listed::ids;
use super::stand_alone::Bench;
use super::{decisions, files};

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
