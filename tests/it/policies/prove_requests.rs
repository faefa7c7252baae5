//! A counterexample is a request that could come, in the words of a policy; what the service never
//! asks, or denies because a forbid fails, breaks nothing.

use charter_policy::analysis::{Claim, ProofReport};
use test_support::policy_solver::{Edited, proofs, solver};

/// What is found of the shipped folder with one more invariant for each condition.
fn with_invariants(conditions: &[&str]) -> Option<ProofReport> {
    let solver = solver()?;
    let folder = conditions
        .iter()
        .enumerate()
        .fold(Edited::new(), |folder, (number, condition)| {
            let file = format!("invariants/more-{number}.cedar");
            let invariant = format!(
                "@id(\"invariants.more-{number}\")\npermit (principal, action, resource)\nwhen {{ {condition} }};\n"
            );
            folder.write(&file, &invariant)
        });
    Some(proofs(&folder.load(), &solver))
}

/// The first finding about the invariant of this number.
#[track_caller]
fn text_of(proofs: &ProofReport, number: usize) -> String {
    let wanted = format!("more-{number}");
    let finding = proofs
        .findings
        .iter()
        .find(|finding| matches!(&finding.claim, Claim::Invariant { name, .. } if *name == wanted));
    finding.expect("a finding").text()
}

#[test]
fn impossible_requests_break_no_invariant() {
    let proofs = with_invariants(&[
        // A principal has one way to authenticate.
        "principal is ServiceAccount || context.authentication == AuthenticationMethod::\"bearer-token\"",
        "principal is User || context.authentication == AuthenticationMethod::\"signed-request\"",
        // An address is no range.
        "context.source_ip.isInRange(ip(\"0.0.0.0/1\")) || context.source_ip.isInRange(ip(\"128.0.0.0/1\")) || \
         context.source_ip.isInRange(ip(\"::/1\")) || context.source_ip.isInRange(ip(\"8000::/1\"))",
        // A time has a written form.
        "context.now >= datetime(\"1970-01-01\") && context.now <= datetime(\"9999-12-31T23:59:59Z\")",
    ]);
    let Some(proofs) = proofs else { return };
    assert!(proofs.is_proved(), "{}", proofs.report());
}

#[test]
fn addresses_and_times_are_written_as_in_a_policy() {
    let broken = [
        (
            "context.source_ip.isInRange(ip(\"10.0.0.0/8\"))",
            "source_ip: ip(\"192.0.2.1\")",
        ),
        (
            "!context.source_ip.isIpv6()",
            "source_ip: ip(\"2001:db8::1\")",
        ),
        ("context.source_ip != ip(\"::1\")", "source_ip: ip(\"::1\")"),
        (
            "context.now < datetime(\"2030-05-01T10:20:30Z\")",
            "now: datetime(\"",
        ),
        (
            "context.now < datetime(\"2025-01-01\")",
            "now: datetime(\"2026-01-01\")",
        ),
        (
            "context.now != datetime(\"2031-05-01T10:20:30Z\")",
            "now: datetime(\"2031-05-01T10:20:30Z\")",
        ),
    ];
    // One kind of request is enough.
    let conditions = broken
        .map(|(condition, _)| format!("action != Action::\"team:ListMembers\" || ({condition})"));
    let conditions = conditions.each_ref().map(String::as_str);
    let Some(proofs) = with_invariants(&conditions) else {
        return;
    };
    for (number, (condition, written)) in broken.iter().enumerate() {
        let text = text_of(&proofs, number);
        assert!(text.starts_with("broken: invariant"), "{condition}: {text}");
        assert!(text.contains(written), "{condition}: {text}");
        assert!(!text.contains("ms\""), "{condition}: {text}");
    }
}

#[test]
fn tags_that_matter_are_shown() {
    let Some(solver) = solver() else { return };
    let edited = Edited::new()
        .replace(
            "schema.cedarschema",
            "  email_verified: Bool,\n};\n",
            "  email_verified: Bool,\n} tags String;\n",
        )
        .write(
            "invariants/more-0.cedar",
            "@id(\"invariants.more\")\npermit (principal, action, resource)\n\
             unless { principal is User && principal.hasTag(\"team\") && principal.getTag(\"team\") == \"red\" };\n",
        );
    let proofs = proofs(&edited.parsed(), &solver);
    let text = text_of(&proofs, 0);
    assert!(text.contains("tag \"team\": \"red\""), "{text}");
}

/// Cedar skips a forbid that fails, and then one organization reads another. The service denies.
#[test]
fn a_forbid_that_fails_denies_in_the_proof_too() {
    let Some(solver) = solver() else { return };
    let tail = "  (resource has organization && resource.organization == principal.organization)";
    // From March 1970 on that is beyond the end of time.
    let overflowing = "context.now.offset(duration(\"106751991100d\")) > context.now";
    let edited = Edited::new().replace(
        "guardrails.cedar",
        tail,
        &format!("  (resource has organization && {overflowing} && resource.organization == principal.organization)"),
    );
    let proofs = proofs(&edited.load(), &solver);
    assert!(!proofs.findings.is_empty(), "the forbid may fail");
    for finding in &proofs.findings {
        let may_fail = matches!(&finding.claim, Claim::NeverErrors { policy } if policy.policy == "guardrails.other-organization");
        assert!(may_fail, "{}", finding.text());
    }
}

/// At the end of time it would overflow; no request comes then.
#[test]
fn a_condition_on_the_time_does_not_fail_at_the_end_of_time() {
    let Some(solver) = solver() else { return };
    let edited = Edited::new().write(
        "extra.cedar",
        "@id(\"extra\")\nforbid (principal is User, action in Action::\"writes\", resource)\n\
         when { context.now.offset(duration(\"30d\")) < datetime(\"2026-06-01\") };\n",
    );
    let proofs = proofs(&edited.load(), &solver);
    assert!(proofs.is_proved(), "{}", proofs.report());
}
