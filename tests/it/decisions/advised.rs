//! `charter policy advise`: what was granted and never used, and what would have sufficed.

use std::fs;
use std::process::Command;
use std::time::Duration;

use charter_authz::snapshot::Snapshot;
use charter_decision_log::{DecisionLog, Mask, MaskStyle};
use charter_domain::caller::Caller;
use charter_domain::permission::Permission as P;
use serde_json::Value;
use test_support::policy_solver::solver;
use test_support::process::{Home, Outcome};

use super::domain_questions::{Domain, EXAMPLES, allowed_and_denied};
use super::files;
use super::stand_alone::Bench;
use crate::access::domains::Folder as PolicyFolder;

/// A log, a copy of the shipped policies with domains, and a home to ask from.
pub(super) struct World {
    pub(super) bench: Bench,
    pub(super) folder: PolicyFolder,
    pub(super) home: Home,
}

impl World {
    pub(super) fn new(domains: &[&str]) -> Self {
        Self {
            bench: Bench::new(),
            folder: PolicyFolder::with(domains),
            home: Home::new(),
        }
    }

    /// A log in which an admin has read its organization, and nothing else.
    pub(super) fn an_admin_reads(&self) {
        let log = self.bench.open();
        let admin = self.bench.acme.person("admin");
        self.decide(&log, &admin, &[P::GetOrganization]);
        log.close();
    }

    /// Asks for each of these permissions about everything of the tenant.
    pub(super) fn decide(&self, log: &DecisionLog, caller: &Caller, permissions: &[P]) {
        for &permission in permissions {
            for (_, resource) in self.bench.acme.resources(permission) {
                let decided = self.bench.decide_about(log, caller, permission, resource);
                decided.expect("on record");
            }
        }
    }

    /// The command, from above the policy folder.
    pub(super) fn run(&self, arguments: &[&str]) -> Outcome {
        let above = self.folder.path();
        let above = above.parent().expect("a directory above");
        let log = self.bench.dir().display().to_string();
        let first = ["policy", "advise", &log, "--policies", "policies"];
        let mut command = self.home.command(&[&first, arguments].concat());
        let path = "/usr/local/bin:/usr/bin:/bin";
        let output = command.env("PATH", path).current_dir(above).output();
        let output = output.expect("it runs");
        Outcome {
            code: output.status.code(),
            out: String::from_utf8(output.stdout).expect("text"),
            err: String::from_utf8(output.stderr).expect("text"),
        }
    }

    #[track_caller]
    pub(super) fn json(&self, arguments: &[&str]) -> Value {
        let ran = self.run(&[arguments, &["--json"]].concat());
        serde_json::from_str(&ran.out).unwrap_or_else(|_| panic!("{ran:?}"))
    }

    /// Applies the printed diff as a reviewer does.
    #[track_caller]
    fn apply(&self, printed: &str) {
        let patch = self.home.file("advice.diff");
        fs::write(&patch, printed).expect("written");
        let above = self.folder.path();
        let applied = Command::new("git")
            .args(["apply", "--verbose"])
            .arg(&patch)
            .current_dir(above.parent().expect("a directory above"))
            .output()
            .expect("git");
        assert!(applied.status.success(), "{applied:?}\n{printed}");
    }

    pub(super) fn text(&self, file: &str) -> String {
        fs::read_to_string(self.folder.path().join(file)).expect("a file")
    }
}

/// When the log begins.
pub(super) const SINCE: [&str; 2] = ["--since", "2025-09-30T12:00:00Z"];

pub(super) fn of<'a>(subject: &[&'a str]) -> Vec<&'a str> {
    [subject, &SINCE].concat()
}

#[test]
fn a_permit_is_narrowed_to_what_it_allowed() {
    if solver().is_none() {
        return;
    }
    let world = World::new(&[]);
    let log = world.bench.open();
    let admin = world.bench.acme.person("admin");
    world.decide(
        &log,
        &admin,
        &[P::GetOrganization, P::CreateKey, P::ListKeys],
    );
    // A denied question and another role's use nothing of it.
    world.decide(&log, &admin, &[P::DeactivateOrganization]);
    world.decide(&log, &world.bench.acme.person("owner"), &[P::ListEvents]);
    log.close();
    let advised = world.run(&of(&["--policy", "roles.admin"]));
    assert_eq!(advised.code, Some(0), "{advised:?}");
    for told in [
        "policy `roles.admin`, 2025-09-30T12:00:00Z to 2025-09-30T12:00:00Z",
        "6 decisions on record and 0 more counted; 5 allowed ones asked again",
        "used 1 time  organizations:GetOrganization",
        "used 2 times  service-accounts:ListKeys",
        "never used  audit:ListEvents",
        "narrower: proved by",
        "enough: each of the 5 allowed decisions",
        "example to change: tests/",
        "--- a/policies/roles.cedar\n+++ b/policies/roles.cedar\n",
        "+  principal is User in Role::\"admin\",\n",
    ] {
        assert!(advised.out.contains(told), "{told}: {advised:?}");
    }
    // What the scope's conditions leave out is not granted.
    assert!(
        !advised.out.contains("never used  team:ChangeRole"),
        "{advised:?}"
    );
    world.apply(&advised.out);
    let text = world.text("roles.cedar");
    let narrowed = "@id(\"roles.admin\")\npermit (\n  principal is User in Role::\"admin\",\n  action in\n    [Action::\"organizations:GetOrganization\",\n     Action::\"service-accounts:CreateKey\",\n     Action::\"service-accounts:ListKeys\"],\n  resource\n);\n";
    assert!(text.contains(narrowed), "{text}");
    // Then there is nothing more to leave out.
    let again = world.run(&of(&["--policy", "roles.admin"]));
    assert_eq!(again.code, Some(0), "{again:?}");
    assert!(again.out.contains("nothing to leave out"), "{again:?}");
}

#[test]
fn a_role_is_narrowed_in_all_its_permits_and_loses_those_that_it_never_used() {
    if solver().is_none() {
        return;
    }
    let world = World::new(&[]);
    world.an_admin_reads();
    let advised = world.run(&of(&["--role", "admin"]));
    assert_eq!(advised.code, Some(0), "{advised:?}");
    world.apply(&advised.out);
    let text = world.text("roles.cedar");
    assert!(!text.contains("roles.admin."), "{text}");
    // The comment of a removed permit goes with it.
    assert!(
        !text.contains("An admin changes and removes members"),
        "{text}"
    );
    assert!(
        text.contains("action == Action::\"organizations:GetOrganization\""),
        "{text}"
    );
    assert!(text.contains("@id(\"roles.owner.assign-role\")"), "{text}");
    let json = world.json(&of(&["--role", "admin"]));
    assert_eq!(json["verdict"]["is"], "nothing_to_leave_out", "{json}");
    let nobody = world.run(&of(&["--role", "emperor"]));
    assert_eq!(nobody.code, Some(2), "{nobody:?}");
    assert!(
        nobody.err.contains("no permit names Role::\"emperor\""),
        "{nobody:?}"
    );
}

#[test]
fn a_permit_of_a_domain_is_judged_by_that_domains_decisions() {
    if solver().is_none() {
        return;
    }
    let world = World::new(&EXAMPLES);
    let log = world.bench.open();
    for name in EXAMPLES {
        let domain = Domain::load(name);
        let (allowed, denied) = allowed_and_denied(name);
        for question in [&allowed, &denied] {
            domain.ask(&world.bench, &log, question).expect("on record");
        }
    }
    log.close();
    let own = of(&["--domain", "todo", "--policy", "todo:own"]);
    let advised = world.run(&own);
    assert_eq!(advised.code, Some(0), "{advised:?}");
    for told in [
        "2 decisions on record",
        "never used  can_delete_todo",
        "+++ b/policies/domains/todo/todo.cedar",
        "+  action == Action::\"can_update_todo\",",
    ] {
        assert!(advised.out.contains(told), "{told}: {advised:?}");
    }
    world.apply(&advised.out);
    // A role that only stands in lists is taken out of them.
    let viewer = of(&["--domain", "todo", "--role", "role::\"viewer\""]);
    let advised = world.run(&viewer);
    assert_eq!(advised.code, Some(0), "{advised:?}");
    world.apply(&advised.out);
    let text = world.text("domains/todo/todo.cedar");
    assert!(!text.contains("role::\"viewer\""), "{text}");
    assert!(text.contains("role::\"evil_genius\""), "{text}");
    let never = of(&["--domain", "records", "--policy", "records:soft-delete"]);
    let json = world.json(&never);
    assert_eq!(json["verdict"]["is"], "narrower", "{json}");
    assert_eq!(json["narrowed"], serde_json::json!(["delete"]));
    assert_eq!(json["domain"], "records");
    let read = of(&["--domain", "gateway", "--policy", "billing:people-read"]);
    let advised = world.run(&read);
    assert_eq!(advised.code, Some(0), "{advised:?}");
    assert!(
        advised.out.contains("never used  billing:ListInvoices"),
        "{advised:?}"
    );
    world.apply(&advised.out);
}

#[test]
fn counted_decisions_of_a_sampled_log_are_uses() {
    if solver().is_none() {
        return;
    }
    let mut world = World::new(&[]);
    world.bench.allowed_per_second = 1;
    let log = world.bench.open();
    let admin = world.bench.acme.person("admin");
    for _ in 0..10 {
        world.decide(&log, &admin, &[P::GetOrganization]);
    }
    log.close();
    let json = world.json(&of(&["--policy", "roles.admin"]));
    let counts = (&json["decisions"], &json["counted"]);
    assert_eq!(counts, (&1.into(), &9.into()), "{json}");
    let used = serde_json::json!([{"permission": "organizations:GetOrganization", "count": 10}]);
    assert_eq!(json["uses"][0]["used"], used);
}

/// A policy that reads the context, at the end of a file of the folder.
pub(super) fn read_context(folder: &PolicyFolder) {
    let file = folder.path().join("organizations.cedar");
    let text = fs::read_to_string(&file).expect("a file");
    let forbid = "@id(\"test.token\")\nforbid (principal, action == Action::\"audit:ListEvents\", resource)\nwhen { context.authentication == AuthenticationMethod::\"bearer-token\" };\n";
    fs::write(file, format!("{text}\n{forbid}")).expect("written");
}

#[test]
fn other_policies_that_read_the_context_say_nothing_of_counted_decisions() {
    if solver().is_none() {
        return;
    }
    for has_decided in [true, false] {
        let mut world = World::new(&[]);
        world.bench.allowed_per_second = 1;
        read_context(&world.folder);
        if has_decided {
            world.bench.snapshot = Snapshot::load(&world.folder.path()).expect("sound");
        }
        let log = world.bench.open();
        let admin = world.bench.acme.person("admin");
        for _ in 0..10 {
            world.decide(&log, &admin, &[P::GetOrganization]);
        }
        log.close();
        let advised = world.run(&of(&["--policy", "roles.admin"]));
        assert_eq!(advised.code, Some(0), "{advised:?}");
        let told = if has_decided {
            "and so are the counted ones"
        } else {
            "not shown for the 9 counted ones: policies read the context"
        };
        assert!(advised.out.contains(told), "{told}: {advised:?}");
        let json = world.json(&of(&["--policy", "roles.admin"]));
        assert_eq!(json["counted_shown"], has_decided, "{json}");
    }
}

#[test]
fn line_ends_are_kept_and_lost_comments_are_told() {
    if solver().is_none() {
        return;
    }
    let world = World::new(&[]);
    world.an_admin_reads();
    let scope = "@id(\"roles.admin\")\npermit (\n";
    let roles = world.text("roles.cedar");
    let commented = roles.replace(scope, &format!("{scope}  // Whoever administers.\n"));
    assert_ne!(commented, roles);
    let file = world.folder.path().join("roles.cedar");
    fs::write(file, commented.replace('\n', "\r\n")).expect("written");
    let json = world.json(&of(&["--role", "admin"]));
    let told = "`roles.admin` has comments inside, which its new version lacks";
    assert_eq!(json["notes"], serde_json::json!([told]));
    // Printed as text, carriage returns are escaped.
    world.apply(json["diff"].as_str().expect("a diff"));
    let text = world.text("roles.cedar");
    assert!(!text.replace("\r\n", "").contains(['\r', '\n']), "{text:?}");
    assert!(
        !text.contains("An admin changes and removes members"),
        "{text}"
    );
    // The one before it stays as it is.
    let kept = "   Action::\"own\"]\r\n};\r\n\r\n// An admin does everything";
    assert!(text.contains(kept), "{text:?}");
}

#[test]
fn a_log_that_covers_less_is_refused() {
    if solver().is_none() {
        return;
    }
    let mut world = World::new(&[]);
    world.bench.limits.rotate_after = Duration::from_secs(10);
    let log = world.bench.open();
    let admin = world.bench.acme.person("admin");
    for _ in 0..6 {
        world.decide(&log, &admin, &[P::GetOrganization]);
        world.bench.clock.advance(60);
        assert!(log.recorder().flush(super::WAIT_TIMEOUT));
    }
    log.close();
    let policy = ["--policy", "roles.admin"];
    let refused = |arguments: &[&str], told: &str| {
        let refused = world.run(&[&policy, arguments].concat());
        assert_eq!(refused.code, Some(2), "{refused:?}");
        assert!(
            refused.err.contains("covers less than was asked"),
            "{refused:?}"
        );
        assert!(refused.err.contains(told), "{refused:?}");
    };
    refused(
        &["--since", "2025-09-30"],
        "begins at 2025-09-30T12:00:00.000Z",
    );
    refused(
        &["--since", "2025-09-30T12:00:00Z", "--until", "2025-10-01"],
        " ends at 2025-09-30T12:0",
    );
    let whole = world.run(&of(&policy));
    assert_eq!(whole.code, Some(0), "{whole:?}");
    let logged = files(&world.bench.dir());
    assert!(logged.len() > 2, "{logged:?}");
    let text = fs::read_to_string(&logged[1]).expect("a file");
    fs::write(&logged[1], text.replacen("\"case\":", "\"casa\":", 1)).expect("written");
    refused(&SINCE, ".jsonl:");
    fs::remove_file(&logged[1]).expect("removed");
    refused(&SINCE, "lines are missing before");
    let backwards = world.run(&of(&[&policy[..], &["--until", "2025-01-01"]].concat()));
    assert_eq!(backwards.code, Some(2), "{backwards:?}");
}

#[test]
fn masked_decisions_cannot_be_judged() {
    if solver().is_none() {
        return;
    }
    let mut world = World::new(&[]);
    world.bench.mask = Mask::parse(&["principal".to_owned()], MaskStyle::Hash).expect("known");
    world.an_admin_reads();
    let refused = world.run(&of(&["--policy", "roles.admin"]));
    assert_eq!(refused.code, Some(2), "{refused:?}");
    assert!(
        refused
            .err
            .contains("1 allowed decision of this time cannot be asked again")
    );
}

#[test]
fn a_forbid_and_an_unknown_policy_grant_nothing() {
    if solver().is_none() {
        return;
    }
    let world = World::new(&[]);
    world.bench.open().close();
    for (policy, told) in [
        ("guardrails.disabled-user", "is a forbid"),
        ("nothing", "there is no policy `nothing`"),
    ] {
        let refused = world.run(&of(&["--policy", policy]));
        assert_eq!(refused.code, Some(2), "{refused:?}");
        assert!(refused.err.contains(told), "{refused:?}");
    }
}
