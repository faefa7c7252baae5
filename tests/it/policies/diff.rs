//! A diff reports changes by permission, each with a request that both sets decide differently; what cannot be
//! compared counts as wider.

use std::time::Duration;

use charter_authz::snapshot::Snapshot;
use charter_domain::clock::SystemClock;
use charter_domain::permission::Permission;
use charter_policy::diff::{Diff, DiffDirection, compare_sets};
use charter_policy::solver::{Solver, SolverLimits};
use test_support::policy_solver::{Edited, limits, played, solver};

pub(crate) fn diff(old: &Snapshot, new: &Snapshot, solver: &Solver) -> Diff {
    compare_sets(old, new, solver, limits(), &SystemClock::start()).expect("a comparison")
}

pub(crate) fn from_shipped(edited: &Edited, solver: &Solver) -> Diff {
    diff(&Edited::new().load(), &edited.load(), solver)
}

/// What is not equal.
pub(crate) fn changed(diff: &Diff) -> Vec<(&str, DiffDirection)> {
    diff.permissions
        .iter()
        .map(|(name, permission)| (name.as_str(), permission.direction()))
        .filter(|(_, direction)| *direction != DiffDirection::Equal)
        .collect()
}

#[test]
fn equivalent_policies_are_equal() {
    let Some(solver) = solver() else { return };
    let edited = Edited::new()
        .replace(
            "roles.cedar",
            "unless { resource == Role::\"owner\" };",
            "when { resource in [Role::\"admin\", Role::\"member\"] };",
        )
        .replace(
            "guardrails.cedar",
            "@id(\"guardrails.disabled-user\")",
            "@id(\"disabled\")",
        );
    let diff = from_shipped(&edited, &solver);
    assert!(
        changed(&diff).is_empty() && !diff.is_wider(),
        "{}",
        diff.report()
    );
    assert!(diff.questions > 0);
    assert_eq!(diff.permissions.len(), Permission::ALL.len());

    let unchanged = from_shipped(&Edited::new(), &solver);
    assert_eq!(unchanged.questions, 0, "what is alike needs no solver");
}

#[test]
fn wider_narrower_and_both_are_told_apart_with_who_decided() {
    let Some(solver) = solver() else { return };
    let edited = Edited::new()
        // Wider: another kind of principal.
        .replace(
            "normalization.cedar",
            "principal is ServiceAccount in Permission::\"normalization:Normalize\"",
            "principal is ServiceAccount",
        )
        // Narrower: one condition more.
        .replace(
            "decisions.cedar",
            "decisions:GetDecision\",\n  resource is Organization\n);",
            "decisions:GetDecision\",\n  resource is Organization\n) when { resource.plan_tier == \"pro\" };",
        )
        // Both: another permission.
        .replace(
            "accounts.cedar",
            "principal is ServiceAccount in Permission::\"accounts:UpdateAccount\"",
            "principal is ServiceAccount in Permission::\"accounts:GetAccount\"",
        );
    let diff = from_shipped(&edited, &solver);
    assert_eq!(
        changed(&diff),
        [
            ("accounts:UpdateAccount", DiffDirection::Both),
            ("decisions:GetDecision", DiffDirection::Narrower),
            ("normalization:Normalize", DiffDirection::Wider),
        ],
        "{}",
        diff.report()
    );
    assert!(diff.is_wider());
    let report = diff.report();
    insta::assert_snapshot!(report.split("wider normalization").last().expect("a part"), @r#"
    :Normalize
      now allowed when a ServiceAccount asks for normalization:Normalize about Organization
        principal  ServiceAccount::"serviceaccount-a"
        action     Action::"normalization:Normalize"
        resource   Organization::"organization-a"
        was denied by default, no policy permits it
        is allowed by normalization:Normalize (normalization.cedar:5)
    permissions: 1 wider, 1 wider and narrower, 1 narrower, 31 equal
    "#);
    assert!(
        report.contains("was allowed by decisions:GetDecision (decisions.cedar:5)"),
        "{report}"
    );

    // The other way round, wider is narrower.
    let back = self::diff(&edited.load(), &Edited::new().load(), &solver);
    assert_eq!(
        changed(&back),
        [
            ("accounts:UpdateAccount", DiffDirection::Both),
            ("decisions:GetDecision", DiffDirection::Wider),
            ("normalization:Normalize", DiffDirection::Narrower),
        ]
    );
}

#[test]
fn a_forbid_that_is_gone_is_wider_where_something_is_permitted() {
    let Some(solver) = solver() else { return };
    let edited = Edited::new().replace(
        "guardrails.cedar",
        "when { !principal.is_active };",
        "when { !principal.is_active && principal.organization.plan_tier == \"pro\" };",
    );
    let diff = from_shipped(&edited, &solver);
    let changed = changed(&diff);
    assert!(changed.len() > 20, "{changed:?}");
    assert!(
        changed
            .iter()
            .all(|(_, direction)| *direction == DiffDirection::Wider),
        "{changed:?}"
    );
    // No user may ever do these two.
    for never in ["decisions:GetDecision", "normalization:Normalize"] {
        assert!(
            changed.iter().all(|(name, _)| *name != never),
            "{changed:?}"
        );
    }
    let report = diff.report();
    assert!(
        report.contains("was denied by guardrails.disabled-user (guardrails.cedar:"),
        "{report}"
    );
    assert!(report.contains("is_active: false"), "{report}");

    let more = Edited::new().write(
        "stop.cedar",
        "@id(\"stop\") forbid (principal, action == Action::\"accounts:CreateAccount\", resource);",
    );
    let diff = from_shipped(&more, &solver);
    assert_eq!(
        diff.permissions["accounts:CreateAccount"].direction(),
        DiffDirection::Narrower
    );
    assert!(!diff.is_wider());
}

/// A permit that others cover already changes nothing, however many there are.
#[test]
fn a_redundant_permit_is_not_wider() {
    let Some(solver) = solver() else { return };
    let edited = Edited::new().write(
        "more.cedar",
        "@id(\"more\")\npermit (principal is User, action == Action::\"accounts:GetAccount\", resource)\n\
         when { principal in [Role::\"owner\", Role::\"admin\", Role::\"member\"] };",
    );
    let diff = from_shipped(&edited, &solver);
    assert!(changed(&diff).is_empty(), "{}", diff.report());
    assert!(diff.questions >= 3, "the others were put back one by one");
}

#[test]
fn a_schema_that_differs_is_told_and_what_cannot_be_compared_is_wider() {
    let Some(solver) = solver() else { return };
    let added = Edited::new()
        .replace(
            "schema.cedarschema",
            "entity Role enum [\"owner\", \"admin\", \"member\"];",
            "entity Role enum [\"owner\", \"admin\", \"member\", \"auditor\"];",
        )
        .write(
            "auditor.cedar",
            "@id(\"auditor\")\npermit (principal in Role::\"auditor\", action in Action::\"reads\", resource);",
        );
    let diff = from_shipped(&added, &solver);
    assert_eq!(diff.schema.added, ["role auditor"]);
    assert!(diff.is_wider());
    assert!(
        changed(&diff)
            .iter()
            .all(|(_, direction)| *direction == DiffDirection::Wider)
    );
    assert!(
        diff.report()
            .contains("only the new schema has role auditor"),
        "{}",
        diff.report()
    );

    // Taken away again: the old policy that names it does not fit.
    let back = self::diff(&added.load(), &Edited::new().load(), &solver);
    assert_eq!(back.schema.removed, ["role auditor"]);
    assert_eq!(back.schema.unfit, ["auditor"]);
    assert!(!back.is_wider(), "{}", back.report());
    assert_eq!(
        back.permissions["accounts:GetAccount"].direction(),
        DiffDirection::Narrower
    );

    // An action in another group: the words of the policies are the same, what they say is not.
    let moved = Edited::new().replace(
        "schema.cedarschema",
        "action \"accounts:CreateAccount\" in [\"writes\"]",
        "action \"accounts:CreateAccount\" in [\"reads\"]",
    );
    let diff = from_shipped(&moved, &solver);
    assert_eq!(
        changed(&diff),
        [("accounts:CreateAccount", DiffDirection::Both)]
    );
    assert!(diff.is_wider());
    assert!(
        diff.report().contains("in other groups now"),
        "{}",
        diff.report()
    );
}

/// A permit that says the same in both sets allows more once somebody else may ask.
#[test]
fn an_added_principal_type_is_wider_and_a_removed_one_narrower() {
    let Some(solver) = solver() else { return };
    let asked = [
        "organizations:DeactivateOrganization",
        "organizations:UpdateSettings",
    ];
    let more = Edited::new().replace(
        "schema.cedarschema",
        "action \"organizations:UpdateSettings\", \"organizations:DeactivateOrganization\" in [\"writes\"] appliesTo {\n  principal: [User],",
        "action \"organizations:UpdateSettings\", \"organizations:DeactivateOrganization\" in [\"writes\"] appliesTo {\n  principal: [ServiceAccount, User],",
    );
    let diff = from_shipped(&more, &solver);
    let wider = asked.map(|name| (name, DiffDirection::Wider));
    assert_eq!(changed(&diff), wider, "{}", diff.report());
    let [change] = diff.permissions[asked[0]].wider.as_slice() else {
        panic!("{}", diff.report());
    };
    let example = change.example.as_ref().expect("a request that shows it");
    assert!(example.old.is_empty(), "nobody could ask: {example:?}");
    let by: Vec<String> = example.new.iter().map(ToString::to_string).collect();
    assert!(by.len() == 1 && by[0].starts_with("roles.owner"), "{by:?}");

    let back = self::diff(&more.load(), &Edited::new().load(), &solver);
    let narrower = asked.map(|name| (name, DiffDirection::Narrower));
    assert_eq!(changed(&back), narrower, "{}", back.report());
    assert!(!back.is_wider());
}

#[test]
fn a_solver_that_does_not_tell_leaves_it_wider() {
    let (solver, _dir) =
        played("while read line; do case $line in *check-sat*) echo unknown;; esac; done");
    let edited = Edited::new().replace(
        "roles.cedar",
        "unless { resource == Role::\"owner\" };",
        "when { resource in [Role::\"admin\", Role::\"member\"] };",
    );
    let diff = from_shipped(&edited, &solver);
    assert!(diff.is_wider());
    assert!(
        diff.report().contains("perhaps now allowed"),
        "{}",
        diff.report()
    );
    assert!(diff.report().contains("`unknown`"), "{}", diff.report());
    assert!(!diff.is_unfinished(), "{}", diff.report());
}

#[test]
fn only_time_or_a_solver_that_stopped_leave_it_unfinished() {
    let role = |edited: Edited| {
        edited.replace(
            "roles.cedar",
            "unless { resource == Role::\"owner\" };",
            "when { resource in [Role::\"admin\", Role::\"member\"] };",
        )
    };
    let (stopped, _dir) = played("exit 3");
    let diff = from_shipped(&role(Edited::new()), &stopped);
    assert!(diff.is_wider() && diff.is_unfinished(), "{}", diff.report());

    let no_time = SolverLimits {
        whole: Duration::ZERO,
        ..limits()
    };
    let (old, new) = (Edited::new().load(), role(Edited::new()).load());
    let diff =
        compare_sets(&old, &new, &stopped, no_time, &SystemClock::start()).expect("a comparison");
    assert!(diff.is_wider() && diff.is_unfinished(), "{}", diff.report());

    let same = from_shipped(&Edited::new(), &stopped);
    assert!(
        !same.is_wider() && !same.is_unfinished(),
        "{}",
        same.report()
    );

    // That one cannot be compared takes no solver.
    let regrouped = role(Edited::new()).replace(
        "schema.cedarschema",
        "action \"accounts:CreateAccount\" in [\"writes\"]",
        "action \"accounts:CreateAccount\" in [\"reads\"]",
    );
    let diff = from_shipped(&regrouped, &stopped);
    assert!(
        diff.is_wider() && !diff.is_unfinished(),
        "{}",
        diff.report()
    );
}
