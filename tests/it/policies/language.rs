//! Every construct of the language can be proved of: none leaves a claim open.

use std::time::Duration;

use charter_authz::snapshot::Snapshot;
use charter_domain::clock::SystemClock;
use charter_policy::analysis::{Options, ProofReport, ProofVerdict, prove};
use charter_policy::solver::{Solver, SolverLimits};
use test_support::policy_solver::{Edited, limits, solver};

/// Divisions take the solver seconds.
fn proofs(snapshot: &Snapshot, solver: &Solver) -> ProofReport {
    let options = Options {
        limits: SolverLimits {
            query: Duration::from_mins(5),
            ..limits()
        },
        shadows: false,
    };
    prove(snapshot, None, solver, &options, &SystemClock::start())
}

/// What the service's own entities have no value of.
const MORE: &str = "  email_verified: Bool,
  score?: decimal,
  level?: Long,
  names?: Set<String>,
  levels?: Set<Long>,
  teams?: Set<Organization>,
  home?: ipaddr,
  since?: datetime,
  span?: duration,
  place?: { city?: { name?: String, \"zip code\"?: String } },
} tags String;
";

/// Conditions that some request meets and none fails on, one construct each.
const CONSTRUCTS: &[&str] = &[
    // Patterns, with the wildcard in every position.
    r#"principal.organization.plan_tier like "free""#,
    r#"principal.organization.plan_tier like "free*""#,
    r#"principal.organization.plan_tier like "*free""#,
    r#"principal.organization.plan_tier like "*free*""#,
    r#"principal.organization.plan_tier like "fr*ee""#,
    r#"principal.organization.plan_tier like "*f*r*ee*""#,
    r#"principal.organization.plan_tier like "fr**ee""#,
    r#"principal.organization.plan_tier like "*""#,
    r#"principal.organization.plan_tier like """#,
    r#"principal.organization.plan_tier like "a\*b""#,
    r#"principal.organization.plan_tier like "*\*\"\u{e9}*""#,
    r#"!(principal.organization.plan_tier like "*free*")"#,
    // Equality and order.
    r#"principal.organization.plan_tier == "free""#,
    r#"principal.organization.plan_tier != "free""#,
    "principal has level && principal.level < 3",
    "principal has level && principal.level <= 3",
    "principal has level && principal.level > 3",
    "principal has level && principal.level >= 3",
    // Arithmetic, where it cannot overflow.
    "principal has level && principal.level > 0 && principal.level < 9 && principal.level + 1 == 5",
    "principal has level && principal.level > 0 && principal.level < 9 && principal.level - 1 == 5",
    "principal has level && principal.level > 0 && principal.level < 9 && principal.level * 2 == 6",
    "principal has level && principal.level > 0 && principal.level < 9 && -principal.level == -5",
    // Logic.
    "!principal.email_verified",
    "principal.email_verified && principal.is_active",
    "principal.email_verified || principal.is_active",
    "if principal.email_verified then principal.is_active else principal has level",
    // Entities.
    "principal in Role::\"member\"",
    "principal in [Role::\"member\", Role::\"admin\"]",
    "principal is User",
    "principal is User in Role::\"member\"",
    "resource is Organization && resource.is_active",
    "resource == principal.organization",
    "action == Action::\"team:ListMembers\"",
    "action in Action::\"reads\"",
    "context.authentication == AuthenticationMethod::\"bearer-token\"",
    // Records.
    "principal has place.city.name && principal.place.city.name == \"Bern\"",
    "principal has place && principal.place has city && principal.place.city has \"zip code\"",
    "{level: 1, flag: principal.is_active} == {level: 1, flag: true}",
    "{flag: principal.is_active}[\"flag\"]",
    // Sets.
    "principal has names && principal.names.contains(\"a\")",
    "principal has names && principal.names.containsAll([\"a\", \"b\"])",
    "principal has names && principal.names.containsAny([\"a\", \"b\"])",
    "principal has names && principal.names.isEmpty()",
    "principal has names && principal.names == [\"a\", \"b\"]",
    "principal has levels && principal.levels.contains(3)",
    "principal has teams && principal.teams.contains(resource)",
    "[1, 2].contains(if principal.is_active then 1 else 3)",
    // Tags.
    "principal.hasTag(\"team\")",
    "principal.hasTag(\"team\") && principal.getTag(\"team\") like \"*red*\"",
    "principal.hasTag(principal.organization.plan_tier)",
    // Decimals.
    "principal has score && principal.score.lessThan(decimal(\"1.5\"))",
    "principal has score && principal.score.lessThanOrEqual(decimal(\"1.5\"))",
    "principal has score && principal.score.greaterThan(decimal(\"-1.5\"))",
    "principal has score && principal.score.greaterThanOrEqual(decimal(\"1.5\"))",
    "principal has score && principal.score == decimal(\"1.5000\")",
    // Addresses.
    "context.source_ip.isIpv4()",
    "context.source_ip.isIpv6()",
    "context.source_ip.isLoopback()",
    "context.source_ip.isMulticast()",
    "context.source_ip.isInRange(ip(\"10.0.0.0/8\"))",
    "context.source_ip.isInRange(ip(\"2001:db8::/32\"))",
    "context.source_ip == ip(\"192.0.2.7\")",
    "principal has home && context.source_ip.isInRange(principal.home)",
    // Times.
    "context.now > datetime(\"2026-01-01\")",
    "context.now <= datetime(\"2026-01-01T12:00:00+0100\")",
    "context.now.offset(duration(\"1d2h3m4s5ms\")) > datetime(\"2026-01-01\")",
    "context.now.toDate() == datetime(\"2026-01-01\")",
    "context.now.toTime() < duration(\"8h\")",
    "context.now.durationSince(datetime(\"2026-01-01\")) > duration(\"1h\")",
    "principal has span && principal.span.toDays() == 3",
    "principal has span && principal.span.toHours() == 3",
    "principal has span && principal.span.toMinutes() == 3",
    "principal has span && principal.span.toSeconds() == 3",
    "principal has span && principal.span.toMilliseconds() == 3",
    "principal has span && principal.span >= duration(\"-1d\")",
    "principal has since && principal.since < context.now",
];

#[test]
fn no_construct_leaves_a_claim_open() {
    let Some(solver) = solver() else { return };
    let policies: Vec<String> = CONSTRUCTS
        .iter()
        .enumerate()
        .map(|(number, condition)| {
            format!(
                "// {condition}\n@id(\"construct-{number}\")\npermit (principal is User in Role::\"member\", \
                 action == Action::\"team:ListMembers\", resource)\nwhen {{ {condition} }};\n"
            )
        })
        .collect();
    let edited = Edited::new()
        .replace("schema.cedarschema", "  email_verified: Bool,\n};\n", MORE)
        .write("constructs.cedar", &policies.concat());
    let proofs = proofs(&edited.parsed(), &solver);
    assert!(proofs.is_proved(), "{}", proofs.report());
}

/// The same conditions where they decide: each opens something, and a request shows it.
#[test]
fn every_construct_can_be_in_a_counterexample() {
    let Some(solver) = solver() else { return };
    let opening = [
        (
            "team:InviteMember",
            r#"principal.organization.plan_tier like "*free*""#,
        ),
        (
            "team:ChangeRole",
            "principal has place.city.name && principal.place.city.name == \"Bern\"",
        ),
        (
            "organizations:UpdateOrganization",
            "principal has names && principal.names.containsAll([\"a\", \"b\"])",
        ),
        (
            "organizations:UpdateSettings",
            "principal.hasTag(\"team\") && principal.getTag(\"team\") == \"red\"",
        ),
        (
            "accounts:CreateAccount",
            "principal has score && principal.score.lessThan(decimal(\"1.5\"))",
        ),
        (
            "accounts:UpdateAccount",
            "context.source_ip.isInRange(ip(\"2001:db8::/32\"))",
        ),
        (
            "service-accounts:CreateKey",
            "context.now.toDate() == datetime(\"2026-02-03\")",
        ),
        (
            "service-accounts:RotateKey",
            "principal has span && principal.span.toMilliseconds() == 3",
        ),
    ];
    let policies = opening.map(|(action, condition)| {
        format!(
            "@id(\"open.{action}\")\npermit (principal is User, action == Action::\"{action}\", resource)\n\
             when {{ {condition} }};\n"
        )
    });
    let edited = Edited::new()
        .replace("schema.cedarschema", "  email_verified: Bool,\n};\n", MORE)
        .write("constructs.cedar", &policies.concat());
    let proofs = proofs(&edited.parsed(), &solver);
    for (action, condition) in opening {
        let mut findings = proofs.findings.iter().filter(|finding| {
            let is_refuted = matches!(finding.verdict, ProofVerdict::Refuted { .. });
            is_refuted
                && finding
                    .text()
                    .contains(&format!("is allowed by open.{action} "))
        });
        assert!(
            findings.next().is_some(),
            "{condition}: {}",
            proofs.report()
        );
    }
    let refuted = |verdict: &ProofVerdict| matches!(verdict, ProofVerdict::Refuted { .. });
    let mut verdicts = proofs.findings.iter().map(|finding| &finding.verdict);
    assert!(verdicts.all(refuted), "{}", proofs.report());
}
