//! `charter policy advise` refuses logs that lack a part of the time, and decisions that cannot be asked again.

use std::fs;
use std::path::Path;
use std::time::Duration;

use charter_domain::permission::Permission as P;
use serde_json::Value;
use test_support::policy_solver::solver;
use test_support::process::{Home, Outcome};

use super::advised::{World, of};
use super::domain_questions::{Domain, allowed_and_denied};
use super::stand_alone::Bench;
use super::{WAIT_TIMEOUT, files, records};

const POLICY: [&str; 2] = ["--policy", "roles.admin"];

/// Decisions from 12:00 to 12:05, one a minute, each in a file of its own.
fn minutes() -> World {
    let mut world = World::new(&[]);
    world.bench.limits.rotate_after = Duration::from_secs(10);
    let log = world.bench.open();
    let admin = world.bench.acme.person("admin");
    for minute in 0..6 {
        if minute > 0 {
            world.bench.clock.advance(60);
        }
        world.decide(&log, &admin, &[P::GetOrganization]);
        assert!(log.recorder().flush(WAIT_TIMEOUT));
    }
    log.close();
    assert_eq!(files(&world.bench.dir()).len(), 6);
    world
}

fn until(world: &World, time: &str) -> Outcome {
    let until = format!("2025-09-30T{time}Z");
    world.run(&of(&[&POLICY[..], &["--until", &until]].concat()))
}

#[track_caller]
fn assert_refused(refused: &Outcome, told: &str) {
    assert_eq!(refused.code, Some(2), "{refused:?}");
    assert!(refused.err.contains(told), "{refused:?}");
}

/// Appends a decision as format version 1 has it, where each line is whole.
pub(super) fn append(file: &Path, mut record: Value, change: impl Fn(&mut Value)) {
    record["kind"] = "decision".into();
    change(&mut record);
    let text = fs::read_to_string(file).expect("a file");
    fs::write(file, format!("{text}{record}\n")).expect("written");
}

#[test]
fn lines_that_are_missing_until_a_later_file_are_missed() {
    if solver().is_none() {
        return;
    }
    let world = minutes();
    let removed = files(&world.bench.dir()).remove(2);
    fs::remove_file(removed).expect("removed");
    // The file before ends at 12:01, and the next one begins at 12:03.
    assert_refused(&until(&world, "12:02:30"), "lines are missing before");
    assert_refused(&until(&world, "12:03:30"), "lines are missing before");
    let before = until(&world, "12:01:00");
    assert_eq!(before.code, Some(0), "{before:?}");
}

#[test]
fn lines_lost_in_a_crash_are_missed() {
    if solver().is_none() {
        return;
    }
    let world = minutes();
    let found = files(&world.bench.dir()).remove(3);
    let text = fs::read_to_string(&found).expect("a file");
    for loss in ["\"missing_through\":9", "\"head_lost\":true"] {
        let lost = text.replacen("\"file\":", &format!("{loss},\"file\":"), 1);
        fs::write(&found, lost).expect("written");
        assert_refused(&until(&world, "12:02:30"), "lines are missing before");
        let before = until(&world, "12:02:00");
        assert_eq!(before.code, Some(0), "{before:?}");
    }
}

#[test]
fn each_log_must_reach_the_end() {
    if solver().is_none() {
        return;
    }
    let world = minutes();
    let other = Bench::new();
    let log = other.open();
    let admin = other.acme.person("admin");
    other.decide(&log, &admin, P::ListEvents).expect("recorded");
    log.close();
    let dir = other.dir().display().to_string();
    let both = of(&[&POLICY[..], &[dir.as_str()]].concat());
    let until = world.run(&[&both[..], &["--until", "2025-09-30T12:04:00Z"]].concat());
    assert_refused(&until, &format!("`{dir}` ends at 2025-09-30T12:00:0"));
    let open = world.run(&both);
    assert_eq!(open.code, Some(0), "{open:?}");
    for (log, ends) in [(&world.bench.dir(), "12:05:0"), (&other.dir(), "12:00:0")] {
        let told = format!("`{}` ends at 2025-09-30T{ends}", log.display());
        assert!(open.out.contains(&told), "{told}: {open:?}");
    }
    // One that ends before the time begins says nothing of it.
    let later = ["--since", "2025-09-30T12:02:00Z", dir.as_str()];
    let later = world.run(&[&POLICY[..], &later].concat());
    assert_refused(&later, &format!("`{dir}` ends at 2025-09-30T12:00:0"));
}

#[test]
fn several_replicas_must_have_their_logs_named() {
    let home = Home::new()
        .with("CHARTER__REPLAY__STORE", "redis")
        .with("CHARTER__REPLAY__URL", "redis://127.0.0.1:1");
    let asked = [&["policy", "advise"], &of(&POLICY)[..]].concat();
    assert_refused(&home.run(&asked), "`LOG` is needed, as several replicas");
    let log = home.file("log").display().to_string();
    let named = home.run(&[&asked[..], &[log.as_str()]].concat());
    assert!(!named.err.contains("`LOG` is needed"), "{named:?}");
}

#[test]
fn a_decision_at_a_time_that_cannot_be_read_is_not_left_out() {
    if solver().is_none() {
        return;
    }
    let world = minutes();
    let last = files(&world.bench.dir()).remove(5);
    let record = records(&last).remove(0);
    append(&last, record, |record| record["at"] = "yesterday".into());
    assert_refused(&world.run(&of(&POLICY)), "the time of `dec-");
}

#[test]
fn a_decision_that_does_not_suit_the_schema_is_not_a_denied_one() {
    if solver().is_none() {
        return;
    }
    let world = World::new(&["todo"]);
    let log = world.bench.open();
    let (allowed, _) = allowed_and_denied("todo");
    let domain = Domain::load("todo");
    domain.ask(&world.bench, &log, &allowed).expect("on record");
    log.close();
    let schema = world.text("domains/todo/schema.cedarschema");
    let owner = "\"ownerID\"?: String,";
    let more = schema.replace(owner, &format!("{owner} \"title\": String,"));
    assert_ne!(more, schema);
    world.folder.write("todo", "schema.cedarschema", &more);
    let refused = world.run(&of(&["--domain", "todo", "--policy", "todo:own"]));
    let told = "1 allowed decision of this time cannot be asked again";
    assert_refused(&refused, told);
}

#[test]
fn a_policy_that_cannot_be_evaluated_does_not_deny() {
    if solver().is_none() {
        return;
    }
    let world = World::new(&[]);
    world.an_admin_reads();
    let roles = world.text("roles.cedar");
    let scope = "  principal in Role::\"admin\",\n  action,\n  resource\n)\n";
    let failing = format!("{scope}when {{ 9223372036854775807 + 1 > 0 }}\n");
    let failing = roles.replace(scope, &failing);
    assert_ne!(failing, roles);
    fs::write(world.folder.path().join("roles.cedar"), failing).expect("written");
    let told = "1 allowed decision of this time cannot be asked again";
    assert_refused(&world.run(&of(&POLICY)), told);
}
