//! Coverage tells of all that can decide: branches, elements of lists, and whether an answer hangs on
//! it.

use charter_policy::test::TestReport;
use serde_json::Value;

use crate::policies::test_command::{example, folder, of, run};

const GET: &str = "organizations:GetOrganization";
const LIST: &str = "accounts:ListAccounts";
const UPDATE: &str = "organizations:UpdateOrganization";

fn report(policies: &str, examples: &[Value]) -> TestReport {
    let folder = folder(policies, &[("own.json", &of(examples))]);
    let report = run(folder.path());
    assert_eq!(report.failed(), 0, "{}", report.text(0));
    report
}

/// What the report says that no example shows.
fn gaps(policies: &str, examples: &[Value]) -> Vec<String> {
    let text = report(policies, examples).text(0);
    let lines = text.lines().filter(|line| line.starts_with("never"));
    lines.map(str::to_owned).collect()
}

#[test]
fn each_element_of_a_list_must_be_found_once() {
    let policies = format!(
        "@id(\"members\")\npermit (principal in Role::\"member\", action, resource)\nunless {{\n  action in [Action::\"{UPDATE}\",\n    \
         Action::\"{LIST}\"]\n}};\n"
    );
    let allowed = example("reads", "member", GET, "allow", &["members"]);
    let first = example("writes", "member", UPDATE, "deny", &[]);
    let second = example("lists", "member", LIST, "deny", &[]);
    let one_is_missing = gaps(&policies, &[allowed.clone(), first.clone()]);
    let wanted = format!("never true: `action in Action::\"{LIST}\"` of `members` (own.cedar:5)");
    assert_eq!(one_is_missing, [wanted]);
    let report = report(&policies, &[allowed, first, second]);
    assert_eq!(report.coverage.percent(), 100, "{}", report.text(100));
    assert_eq!(report.coverage.outcomes(), 4);
}

#[test]
fn an_element_of_the_scope_or_of_a_set_counts_likewise() {
    let policies = format!(
        "@id(\"two\")\npermit (principal, action in [Action::\"{GET}\", Action::\"{LIST}\"], resource is Organization)\n\
         when {{ [\"free\", \"paid\"].contains(resource.plan_tier) }};\n"
    );
    let allowed = example("reads", "member", GET, "allow", &["two"]);
    let mut expensive = example("expensive", "member", GET, "deny", &[]);
    expensive["entities"][0]["attrs"]["plan_tier"] = "gold".into();
    assert_eq!(
        gaps(&policies, &[allowed, expensive]),
        [
            format!("never true: `action in Action::\"{LIST}\"` of `two` (own.cedar:2)"),
            "never true: `resource.plan_tier == \"paid\"` of `two` (own.cedar:3)".to_owned(),
        ]
    );
}

#[test]
fn both_branches_of_an_if_must_be_shown() {
    let policies = "@id(\"branches\")\npermit (principal, action, resource is Organization)\nwhen {\n  \
        if principal in Role::\"member\"\n  then resource.is_active\n  else resource.plan_tier == \"free\"\n};\n";
    let member = example("member", "member", GET, "allow", &["branches"]);
    let mut inactive = example("inactive", "member", GET, "deny", &[]);
    inactive["entities"][0]["attrs"]["is_active"] = false.into();
    let examples = [member, inactive];
    assert_eq!(
        gaps(policies, &examples),
        [
            "never false: `principal in Role::\"member\"` of `branches` (own.cedar:4)",
            "never reached: `resource.plan_tier == \"free\"` of `branches` (own.cedar:6)",
        ]
    );
    let mut paid = example("paid", "admin", GET, "deny", &[]);
    paid["entities"][0]["attrs"]["plan_tier"] = "paid".into();
    let free = example("free", "admin", GET, "allow", &[]);
    let [member, inactive] = examples;
    assert!(gaps(policies, &[member, inactive, free, paid]).is_empty());
}

/// An `if` of another type is looked into as well.
#[test]
fn an_if_within_a_comparison_must_be_shown_both_ways() {
    let policies = "@id(\"plans\")\npermit (principal, action, resource is Organization)\n\
        when { resource.plan_tier == (if principal in Role::\"member\" then \"free\" else \"paid\") };\n";
    let mut paid = example("paid", "member", GET, "deny", &[]);
    paid["entities"][0]["attrs"]["plan_tier"] = "paid".into();
    let free = example("free", "member", GET, "allow", &["plans"]);
    let gaps = gaps(policies, &[free, paid]);
    assert_eq!(
        gaps,
        ["never false: `principal in Role::\"member\"` of `plans` (own.cedar:3)"]
    );
}

/// An example that another policy settles would hold without the condition, too.
#[test]
fn a_condition_counts_only_where_its_policy_decides() {
    let policies = "@id(\"permit\")\npermit (principal, action, resource)\nwhen { principal.is_active };\n\
        @id(\"forbid\")\nforbid (principal is User, action, resource)\nwhen { !principal.email_verified };\n";
    let mut denied = example("denied", "member", GET, "deny", &["forbid"]);
    denied["entities"][1]["attrs"]["is_active"] = false.into();
    denied["entities"][1]["attrs"]["email_verified"] = false.into();
    let allowed = example("allowed", "member", GET, "allow", &["permit"]);
    let mut examples = vec![allowed, denied.clone()];
    assert_eq!(
        gaps(policies, &examples),
        ["never false where it decides: `principal.is_active` of `permit` (own.cedar:3)"]
    );
    denied["entities"][1]["attrs"]["email_verified"] = true.into();
    denied["reason"] = Value::Array(Vec::new());
    examples.push(denied);
    assert!(gaps(policies, &examples).is_empty());
}
