//! What must hold of the policies is proved over all requests; what does not hold is shown by a
//! request, and what the solver leaves open is not proved.

use charter_authz::snapshot::Snapshot;
use charter_domain::clock::SystemClock;
use charter_policy::analysis::{
    Claim, Options, ProofFinding, ProofReport, ProofVerdict, prove, prove_for_gate,
};
use charter_policy::counterexample::Counterexample;
use test_support::policy_solver::{Edited, limits, proofs, solver};

fn invariant<'p>(proofs: &'p ProofReport, wanted: &str) -> Vec<&'p ProofFinding> {
    let of_it = |finding: &&ProofFinding| matches!(&finding.claim, Claim::Invariant { name, .. } if name == wanted);
    proofs.findings.iter().filter(of_it).collect()
}

#[track_caller]
fn refuted(finding: &ProofFinding) -> (&Counterexample, Vec<String>) {
    match &finding.verdict {
        ProofVerdict::Refuted { counterexample, by } => {
            (counterexample, by.iter().map(ToString::to_string).collect())
        }
        other => panic!("{other:?}"),
    }
}

#[test]
fn all_is_proved_of_the_shipped_policies() {
    let Some(solver) = solver() else { return };
    let proofs = proofs(&Edited::new().load(), &solver);
    assert!(proofs.is_proved(), "{}", proofs.report());
    assert_eq!(proofs.invariants.len(), 4);
    assert!(
        proofs.request_types >= 46 && proofs.questions > 40,
        "{proofs:?}"
    );
}

/// A forbid less: every kind of request about a tenant's thing shows it.
#[test]
fn a_missing_guard_opens_one_organization_to_another() {
    let Some(solver) = solver() else { return };
    let edited = Edited::new().replace(
        "guardrails.cedar",
        "  (resource has organization && resource.organization == principal.organization)",
        "  resource has organization",
    );
    let proofs = proofs(&edited.load(), &solver);
    let findings = invariant(&proofs, "tenant-isolation");
    assert!(findings.len() > 10, "{}", proofs.report());
    assert_eq!(findings.len(), proofs.findings.len(), "{}", proofs.report());
    let about_account = findings
        .iter()
        .find(|finding| {
            finding.request_type.as_deref()
                == Some("User asks for accounts:GetAccount about Account")
        })
        .expect("a finding");
    let (counterexample, by) = refuted(about_account);
    assert_eq!(by.len(), 1, "{by:?}");
    assert!(
        by[0].starts_with("roles.") && by[0].contains("(roles.cedar:"),
        "{by:?}"
    );
    let text = ["owner", "admin", "member"]
        .iter()
        .fold(counterexample.text(), |text, role| {
            text.replace(&format!("Role::\"{role}\""), "[a role]")
        });
    insta::assert_snapshot!(text, @r#"
      principal  User::"user-a" in [a role]
                   organization: Organization::"organization-a"
      action     Action::"accounts:GetAccount"
      resource   Account::"account-a"
                   organization: Organization::"organization-b"
    "#);
}

/// Invariant, file, what is replaced in it by what, and who breaks the invariant then.
const BREAKING_EDITS: [(&str, &str, &str, &str, &str); 8] = [
    (
        "callers",
        "guardrails.cedar",
        "organization.is_active }\nunless { action in Action::\"reads\" };",
        "organization.is_active }\nunless { action in Action::\"reads\" || action == Action::\"accounts:CreateAccount\" };",
        "accounts:CreateAccount",
    ),
    (
        "callers",
        "guardrails.cedar",
        "Action::\"me:VerifyEmail\"]",
        "Action::\"me:VerifyEmail\", Action::\"team:InviteMember\"]",
        "team:InviteMember",
    ),
    (
        "callers",
        "guardrails.cedar",
        "when { !principal.is_active };",
        "when { !principal.is_active }\nunless { action == Action::\"accounts:CreateAccount\" };",
        "accounts:CreateAccount",
    ),
    (
        "callers",
        "guardrails.cedar",
        "when { !principal.is_active || !principal.account.is_active };",
        "when { !principal.is_active || !principal.account.is_active }\nunless { action == Action::\"service-accounts:CreateKey\" };",
        "service-accounts:CreateKey",
    ),
    (
        "grants",
        "roles.cedar",
        "  action in Action::\"reads\",",
        "  action in [Action::\"reads\", Action::\"team:ChangeRole\"],",
        "roles.member",
    ),
    (
        "grants",
        "roles.cedar",
        "unless { resource in Role::\"owner\" };",
        "unless { resource in Role::\"member\" };",
        "roles.admin.members",
    ),
    (
        "deactivation",
        "roles.cedar",
        "[Action::\"organizations:DeactivateOrganization\",\n",
        "[\n",
        "roles.admin (roles.cedar:21)",
    ),
    (
        "grants",
        "normalization.cedar",
        "principal is ServiceAccount in Permission::\"normalization:Normalize\"",
        "principal is ServiceAccount",
        "normalization:Normalize (normalization.cedar:5)",
    ),
];

#[test]
fn each_invariant_names_who_breaks_it() {
    let Some(solver) = solver() else { return };
    for (name, file, from, to, culprit) in BREAKING_EDITS {
        let edited = Edited::new().replace(file, from, to);
        let proofs = proofs(&edited.load(), &solver);
        let findings = invariant(&proofs, name);
        assert!(!findings.is_empty(), "{name}: {}", proofs.report());
        assert_eq!(findings.len(), proofs.findings.len(), "{}", proofs.report());
        for finding in findings {
            refuted(finding);
            assert!(finding.text().contains(culprit), "{}", finding.text());
            assert!(finding.text().contains(&format!("invariants/{name}.cedar")));
        }
    }
}

#[test]
fn an_invariant_that_was_weakened_counts_until_the_restart() {
    let Some(solver) = solver() else { return };
    let before = Edited::new().load();
    let edited = Edited::new()
        .replace(
            "roles.cedar",
            "[Action::\"organizations:DeactivateOrganization\",\n",
            "[\n",
        )
        .write(
            "invariants/deactivation.cedar",
            "@id(\"anything\") permit (principal, action, resource);",
        );
    let after = edited.load();
    assert!(proofs(&after, &solver).is_proved());
    let options = Options {
        limits: limits(),
        shadows: false,
    };
    let refused = prove_for_gate(
        &after,
        Some(&before),
        &solver,
        &options,
        None,
        &SystemClock::start(),
    )
    .expect_err("a refusal");
    assert_eq!(refused.proofs.findings.len(), 1, "{refused}");
    assert!(
        refused.report.contains("as it was in force before"),
        "{refused}"
    );
}

#[test]
fn an_invariant_that_names_what_the_schema_no_longer_has_is_told_once() {
    let Some(solver) = solver() else { return };
    let invariant = "@id(\"auditors-change-nothing\")\npermit (principal, action, resource)\n\
        unless { principal in Role::\"auditor\" && action in Action::\"writes\" };\n";
    let before = Edited::new()
        .replace(
            "schema.cedarschema",
            "\"admin\", \"member\"]",
            "\"admin\", \"member\", \"auditor\"]",
        )
        .write("invariants/auditors.cedar", invariant)
        .load();
    let after = Edited::new().load();
    let options = Options {
        limits: limits(),
        shadows: false,
    };
    let clock = SystemClock::start();
    let proofs = prove(&after, Some(&before), &solver, &options, &clock);
    let [finding] = proofs.findings.as_slice() else {
        panic!("{}", proofs.report());
    };
    insta::assert_snapshot!(finding.text(), @r#"
    not proved: invariant `auditors` as it was in force before
      it names what the schema no longer has: entity `Role::"auditor"` is of an enumerated entity type, but `"auditor"` is not declared as a valid eid; after a review `charter policy approve` takes the folder without it
    "#);
}

/// The invariant's own words say what they said; that its group has grown is a weaker promise.
#[test]
fn an_action_in_another_group_weakens_what_was_promised() {
    let Some(solver) = solver() else { return };
    let declared = "action \"organizations:UpdateOrganization\" in [\"writes\"]";
    let before = Edited::new().load();
    let moved = |to: &str| {
        // Else members, who read, may do what is called a read.
        let edited = Edited::new().replace("schema.cedarschema", declared, to);
        let exceptions = "[Action::\"decisions:GetDecision\", Action::\"decisions:ListDecisions\"";
        let one_more = format!("{exceptions}, Action::\"organizations:UpdateOrganization\"");
        edited.replace("roles.cedar", exceptions, &one_more).load()
    };
    let options = Options {
        limits: limits(),
        shadows: false,
    };
    let against = |after: &Snapshot, before: &Snapshot| {
        let clock = SystemClock::start();
        prove(after, Some(before), &solver, &options, &clock)
    };
    let after = moved("action \"organizations:UpdateOrganization\" in [\"reads\"]");
    assert!(proofs(&after, &solver).is_proved(), "by its own schema");
    let proofs = against(&after, &before);
    let [finding] = proofs.findings.as_slice() else {
        panic!("{}", proofs.report());
    };
    assert!(matches!(
        &finding.claim,
        Claim::Invariant { name, at_start: true } if name == "callers"
    ));
    insta::assert_snapshot!(finding.text(), @r"
    not proved: invariant `callers` as it was in force before
      `organizations:UpdateOrganization` was in `writes`, is in `reads` now; it no longer says what it said, which takes an approval (`charter policy approve`)
    ");

    // A group that no promise speaks of changes none.
    let grouped = moved(
        "action \"mine\";\naction \"organizations:UpdateOrganization\" in [\"writes\", \"mine\"]",
    );
    let proofs = against(&grouped, &before);
    assert!(proofs.is_proved(), "{}", proofs.report());

    // Without naming the group, this one asks whether the action is one.
    let asks = Edited::new().write(
        "invariants/odd.cedar",
        "@id(\"odd\") permit (principal, action, resource) unless \
         { Action::\"organizations:UpdateOrganization\" in [action, Action::\"writes\"] && false };",
    );
    let proofs = against(&grouped, &asks.load());
    assert_eq!(invariant(&proofs, "odd").len(), 1, "{}", proofs.report());
}

#[test]
fn a_forbid_that_may_fail_is_found_first() {
    let Some(solver) = solver() else { return };
    let edited = Edited::new().write(
        "late.cedar",
        "@id(\"late\")\nforbid (principal, action, resource)\n\
         when { context.now.offset(duration(\"106751991100d\")) > datetime(\"2000-01-01\") };\n",
    );
    let proofs = proofs(&edited.load(), &solver);
    let [finding] = proofs.findings.as_slice() else {
        panic!("{}", proofs.report());
    };
    assert!(matches!(&finding.claim, Claim::NeverErrors { .. }));
    assert_eq!(finding.and_more + 1, proofs.request_types);
    assert_eq!(refuted(finding).1, ["late (late.cedar:1)"]);
}

#[test]
fn a_policy_that_never_matches_is_found() {
    let Some(solver) = solver() else { return };
    let edited = Edited::new().write(
        "dead.cedar",
        "@id(\"dead.forbid\")\nforbid (principal is User, action, resource)\n\
         when { principal.is_active && !principal.is_active };\n\
         @id(\"dead.permit\")\npermit (principal is User, action, resource is Organization)\n\
         when { resource.plan_tier == \"a\" && resource.plan_tier == \"b\" };\n\
         @id(\"odd.but.alive\")\nforbid (principal is User, action, resource is Organization)\n\
         when { resource.plan_tier like \"x*y\" && context.now < datetime(\"1999-01-01\") };\n",
    );
    let proofs = proofs(&edited.load(), &solver);
    let dead: Vec<String> = proofs
        .findings
        .iter()
        .map(|finding| finding.text().trim_end().to_owned())
        .collect();
    insta::assert_snapshot!(dead.join("\n"), @r"
    dead: dead.forbid (dead.cedar:1) forbids nothing, no request matches it
    dead: dead.permit (dead.cedar:4) permits nothing, no request matches it
    ");
}

#[test]
fn permits_that_make_no_difference_are_found_on_request() {
    let Some(solver) = solver() else { return };
    let edited = Edited::new().write(
        "shadowed.cedar",
        "@id(\"within\")\npermit (principal in Role::\"member\", action == Action::\"accounts:GetAccount\", \
         resource) when { principal is User };\n\
         @id(\"denied\")\npermit (principal is User, action == Action::\"accounts:GetAccount\", resource)\n\
         when { resource.organization != principal.organization };\n",
    );
    let options = Options {
        limits: limits(),
        shadows: true,
    };
    let proofs = prove(
        &edited.load(),
        None,
        &solver,
        &options,
        &SystemClock::start(),
    );
    let report = proofs.report();
    assert!(
        report
            .contains("within (shadowed.cedar:1) makes no difference: roles.member (roles.cedar:"),
        "{report}"
    );
    assert!(
        report.contains("denied (shadowed.cedar:3) makes no difference: forbids deny all of it"),
        "{report}"
    );
    assert_eq!(proofs.shadows.len(), 2, "{report}");
}
