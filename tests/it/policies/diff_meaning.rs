//! Policies may keep their words and say something else: because actions are grouped otherwise,
//! because there are names that were not there, or because a forbid that failed is gone.

use charter_authz::snapshot::Snapshot;
use charter_policy::diff::{Diff, DiffDirection};
use charter_policy::solver::Solver;
use test_support::policy_solver::{Edited, solver};

use crate::policies::diff::{changed, diff, from_shipped};

const READS_AND_WRITES: &str = "action \"reads\", \"writes\";";

/// One grouping against another, with the same policies besides.
fn regrouped(old: &Edited, new: &Edited, policy: &str, solver: &Solver) -> Diff {
    let load = |edited: &Edited| -> Snapshot {
        std::fs::write(edited.file("more.cedar"), policy).expect("a file");
        edited.load()
    };
    diff(&load(old), &load(new), solver)
}

/// A condition may ask for the group of an action that is not the request's.
#[test]
fn another_action_in_other_groups_counts_as_wider_where_a_condition_looks_for_it() {
    let Some(solver) = solver() else { return };
    let grouped = |groups: &str| {
        Edited::new()
            .replace("schema.cedarschema", READS_AND_WRITES, groups)
            .replace(
                "schema.cedarschema",
                "action \"accounts:GetAccount\" in [\"reads\"]",
                "action \"accounts:GetAccount\" in [\"reads\", \"g0\", \"g1\"]",
            )
    };
    let apart = grouped("action \"reads\", \"writes\", \"g0\", \"g1\";");
    let nested = grouped("action \"reads\", \"writes\", \"g0\"; action \"g1\" in [\"g0\"];");
    for condition in [
        "Action::\"g1\" in Action::\"g0\"",
        "(if resource.is_active then action else Action::\"g1\") in [Action::\"g0\"]",
    ] {
        let policy = format!(
            "@id(\"x\")\npermit (principal in Role::\"member\", action == \
             Action::\"accounts:CreateAccount\", resource)\nwhen {{ principal in Role::\"owner\" || \
             {condition} }};"
        );
        for (old, new) in [(&apart, &nested), (&nested, &apart)] {
            let diff = regrouped(old, new, &policy, &solver);
            assert!(diff.is_wider(), "{}", diff.report());
            let only = [("accounts:CreateAccount", DiffDirection::Both)];
            assert_eq!(changed(&diff), only, "{}", diff.report());
            let told = "`x` looks for actions in groups, and these are others now";
            assert!(diff.report().contains(told), "{}", diff.report());
        }
    }

    // Neither is asked whether it is in a group: the request's own action is, and it did not move.
    let unmoved = "@id(\"x\")\npermit (principal in Role::\"member\", action == \
                   Action::\"accounts:CreateAccount\", resource)\nwhen { principal in \
                   Role::\"owner\" || action in [Action::\"g0\", Action::\"g1\"] };";
    let diff = regrouped(&apart, &nested, unmoved, &solver);
    assert!(changed(&diff).is_empty(), "{}", diff.report());
    assert_eq!(diff.questions, 0, "what is alike needs no solver");
}

#[test]
fn an_action_that_moved_is_noticed_from_other_actions() {
    let Some(solver) = solver() else { return };
    let moved = Edited::new().replace(
        "schema.cedarschema",
        "action \"accounts:CreateAccount\" in [\"writes\"]",
        "action \"accounts:CreateAccount\" in [\"reads\"]",
    );
    let policy = "@id(\"x\")\npermit (principal is User, action == \
                  Action::\"accounts:GetAccount\", resource)\nwhen { principal in \
                  Role::\"owner\" || Action::\"accounts:CreateAccount\" in Action::\"reads\" };";
    let diff = regrouped(&Edited::new(), &moved, policy, &solver);
    assert_eq!(
        changed(&diff),
        [
            ("accounts:CreateAccount", DiffDirection::Both),
            ("accounts:GetAccount", DiffDirection::Both)
        ],
        "{}",
        diff.report()
    );
    let get = &diff.permissions["accounts:GetAccount"].wider;
    assert_eq!(get.len(), 1, "a program's request does not concern it");
}

/// Nothing could be asked about a role that was not there, so it was denied to give it away.
#[test]
fn a_new_role_is_wider_for_who_gives_roles_away() {
    let Some(solver) = solver() else { return };
    let added = Edited::new().replace(
        "schema.cedarschema",
        "entity Role enum [\"owner\", \"admin\", \"member\"];",
        "entity Role enum [\"owner\", \"admin\", \"member\", \"auditor\", \"guest\"];",
    );
    let diff = from_shipped(&added, &solver);
    let asked = ["service-accounts:AssignRole", "team:AssignRole"];
    let wider = asked.map(|name| (name, DiffDirection::Wider));
    assert_eq!(changed(&diff), wider, "{}", diff.report());
    let [change] = diff.permissions[asked[1]].wider.as_slice() else {
        panic!("{}", diff.report());
    };
    let example = change.example.as_ref().expect("a request that shows it");
    let new = [r#"Role::"auditor""#, r#"Role::"guest""#];
    assert!(new.contains(&example.request.resource.as_str()));
    assert!(
        diff.report().contains(&format!(
            "was denied by lack of {} (old schema)",
            example.request.resource
        )),
        "{}",
        diff.report()
    );

    // Taken away again, it is narrower for them.
    let back = self::diff(&added.load(), &Edited::new().load(), &solver);
    let narrower = asked.map(|name| (name, DiffDirection::Narrower));
    assert_eq!(changed(&back), narrower, "{}", back.report());
    assert!(!back.is_wider());

    // Nobody may give away what a forbid keeps.
    let kept = added.write(
        "kept.cedar",
        "@id(\"kept\")\nforbid (principal, action, resource is Role)\nwhen { \
         resource == Role::\"auditor\" || resource == Role::\"guest\" };",
    );
    let diff = from_shipped(&kept, &solver);
    assert!(changed(&diff).is_empty(), "{}", diff.report());
}

/// Cedar skips a forbid that fails; the service denies.
#[test]
fn a_forbid_that_fails_denies_on_both_sides() {
    let Some(solver) = solver() else { return };
    let asked = "accounts:CreateAccount";
    let forbid = |id: &str, action: &str, condition: &str| {
        format!(
            "@id(\"{id}\")\nforbid (principal is User in Role::\"owner\", action == \
             Action::\"{action}\", resource)\nwhen {{ {condition} }};"
        )
    };
    // It never matches, but by then it may have failed: from March 1970 on that is past the end of time.
    let fails = "context.now.offset(duration(\"106751991100d\")) < context.now";
    let with = |text: &str| Edited::new().write("more.cedar", text);
    let failing = with(&forbid("x", asked, fails));

    let gone = diff(&failing.load(), &Edited::new().load(), &solver);
    assert_eq!(
        changed(&gone),
        [(asked, DiffDirection::Wider)],
        "{}",
        gone.report()
    );
    let report = gone.report();
    assert!(
        report.contains("was denied by x (more.cedar:1)"),
        "{report}"
    );
    assert!(
        report.contains("is allowed by roles.owner (roles.cedar:"),
        "{report}"
    );

    let added = from_shipped(&failing, &solver);
    assert_eq!(
        changed(&added),
        [(asked, DiffDirection::Narrower)],
        "{}",
        added.report()
    );

    // The same with another name, or in another order of lines.
    let same = with(&forbid("y", asked, &fails.replace(" < ", "\n  <\n  ")));
    let same = diff(&failing.load(), &same.load(), &solver);
    assert!(changed(&same).is_empty(), "{}", same.report());

    // In its place one that cannot fail and covers that.
    let covered = with(&forbid(
        "x",
        asked,
        "context.now >= datetime(\"1970-01-01\")",
    ));
    let covered = diff(&failing.load(), &covered.load(), &solver);
    assert_eq!(
        changed(&covered),
        [(asked, DiffDirection::Narrower)],
        "{}",
        covered.report()
    );

    // Where nobody may ask anyway, nothing is wider.
    let never = with(&forbid("x", "decisions:GetDecision", fails));
    let never = diff(&never.load(), &Edited::new().load(), &solver);
    assert!(changed(&never).is_empty(), "{}", never.report());
}
