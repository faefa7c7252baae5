//! Rules of the folder beyond Cedar's own: what can always fail, or never match, is refused where it
//! is written, and what fails all the same is told.

use std::fs;
use std::path::Path;

use charter_authz::depth::EVALUATION_STACK_BYTES;
use charter_authz::snapshot::Snapshot;
use charter_domain::permission::Permission;
use test_support::policy_world::{Tenant, ask, copy_of_shipped, now, whole_copy_of_shipped};
use test_support::service::{Persona as _, Service};
use test_support::services::TestDatabase;

fn load(file: &str, text: &str) -> Result<Snapshot, String> {
    let folder = whole_copy_of_shipped();
    fs::write(folder.path().join(file), text).expect("a written file");
    let home = folder.path().display().to_string();
    Snapshot::load(folder.path()).map_err(|error| error.report().replace(&home, "policies"))
}

#[track_caller]
fn refused(text: &str) -> String {
    load("extra.cedar", text).expect_err("a fault")
}

fn forbid(condition: &str) -> String {
    format!(
        "@id(\"extra\")\nforbid (principal is User, action, resource)\nwhen {{ {condition} }};\n"
    )
}

/// A chain that ends in what matters, so that all of it is evaluated.
fn chain(levels: usize) -> String {
    let mut operands = vec!["1 != 1"; levels];
    operands.push("!principal.is_active");
    operands.join(" || ")
}

#[test]
fn a_chain_that_is_too_long_for_the_evaluator_is_refused() {
    let report = refused(&forbid(&chain(500)).replace(" || ", "\n|| "));
    for told in [
        "an expression of 506 levels, at most 200 can be evaluated",
        "policies/extra.cedar:4:9",
        "write alternatives as a set",
    ] {
        assert!(report.contains(told), "{report}");
    }
}

#[test]
fn every_way_to_be_deep_is_counted() {
    for condition in [
        format!("{} == 1", vec!["1"; 500].join(" + ")),
        format!(
            "{} && principal.is_active",
            vec!["1 == 1"; 500].join(" && ")
        ),
        format!(
            "context.now{} > context.now",
            ".offset(duration(\"1d\"))".repeat(200)
        ),
    ] {
        let report = refused(&forbid(&condition));
        assert!(report.contains("levels, at most"), "{report}");
    }
    // One clause for each: Cedar joins them.
    let clauses = " when { 1 == 1 }".repeat(400);
    let report = refused(&format!(
        "@id(\"extra\")\nforbid (principal, action, resource){clauses};\n"
    ));
    assert!(report.contains("levels, at most"), "{report}");
    let invariant = format!(
        "@id(\"deep\")\npermit (principal, action, resource) when {{ {} }};",
        vec!["1 == 1"; 500].join(" && ")
    );
    let report = load("invariants/deep.cedar", &invariant).expect_err("a fault");
    assert!(report.contains("levels, at most"), "{report}");
}

/// Each of these doubles what Cedar takes with each level.
#[test]
fn policies_too_costly_to_validate_are_refused() {
    let within = |levels: usize, open: &str, close: &str| {
        let nested = format!(
            "{}principal.is_active{}",
            open.repeat(levels),
            close.repeat(levels)
        );
        let named = "User::\"user-00000000000000000000009999\"";
        forbid(&format!("principal == {named} && {nested}"))
    };
    for (open, close) in [
        ("(if true then ", " else false)"),
        ("(if false then true else ", ")"),
        ("(if principal has is_active then ", " else false)"),
        ("({a: principal, b: ", "} has a.is_active)"),
        (
            "((if ",
            " then principal else principal) is User in Role::\"owner\")",
        ),
    ] {
        let report = refused(&within(16, open, close));
        let told = ["more than 20000 steps to check", "more than 8 levels deep"];
        assert!(told.iter().any(|told| report.contains(told)), "{report}");
        let taken = load("extra.cedar", &within(6, open, close));
        assert!(taken.is_ok(), "{:?}", taken.err());
    }
    // As alternatives are written.
    let alternatives = "if principal in Role::\"owner\" then false else ".repeat(10);
    let taken = load("extra.cedar", &forbid(&format!("{alternatives}true")));
    assert!(taken.is_ok(), "{:?}", taken.err());
}

/// The deepest that is taken is evaluated on the stack that serves, in this build.
#[test]
fn the_deepest_policy_that_is_taken_can_be_evaluated() {
    let deepest = (190..=200)
        .rev()
        .find_map(|levels| load("extra.cedar", &forbid(&chain(levels))).ok())
        .expect("a policy that is taken");
    let ask = move || {
        let acme = Tenant::new(1);
        let owner = acme.person("owner");
        let organization = acme.organization();
        let decision = ask(&deepest, &owner, Permission::GetOrganization, organization);
        (
            decision.is_allowed(),
            decision.errors,
            deepest.failures(now()),
        )
    };
    let thread = std::thread::Builder::new().stack_size(EVALUATION_STACK_BYTES - 1024 * 1024);
    let (allowed, errors, failures) = thread.spawn(ask).expect("a thread").join().expect("an end");
    assert!(
        allowed && errors.is_empty() && failures.is_empty(),
        "{errors:?}"
    );
}

#[test]
fn attributes_of_literal_entities_are_refused() {
    let user = "User::\"user-00000000000000000000000009\"";
    let report = refused(&forbid(&format!("{user}.is_active == false")));
    for told in [
        "entity literals cannot be dereferenced at any level",
        "policies/extra.cedar:3:8",
        "compare with the literal instead",
    ] {
        assert!(report.contains(told), "{report}");
    }
    for condition in [
        format!("(if principal.is_active then {user} else principal).is_active"),
        format!("{{a: {user}}}.a.is_active"),
        format!("{user}.organization.is_active"),
        format!("{user} in Role::\"owner\""),
        format!("{user} has organization"),
        format!("resource == {user} && {user}.organization == principal.organization"),
    ] {
        let report = refused(&forbid(&condition));
        assert!(
            report.contains("entity literals cannot be dereferenced"),
            "{condition}: {report}"
        );
    }
    let invariant = format!(
        "@id(\"literal\")\npermit (principal, action, resource) when {{ {user}.is_active }};"
    );
    let report = load("invariants/literal.cedar", &invariant).expect_err("a fault");
    assert!(
        report.contains("entity literals cannot be dereferenced"),
        "{report}"
    );
}

#[test]
fn comparing_with_an_entity_that_is_written_out_is_taken() {
    let organization = "Organization::\"org-00000000000000000000000001\"";
    for condition in [
        format!("principal.organization == {organization}"),
        format!("principal.organization in [{organization}]"),
        format!("[{organization}].contains(principal.organization)"),
        "principal in Role::\"owner\"".to_owned(),
        "context.authentication == AuthenticationMethod::\"bearer-token\"".to_owned(),
        "action in [Action::\"reads\", Action::\"writes\"]".to_owned(),
        format!("resource == {organization} && resource.is_active"),
    ] {
        let taken = load("extra.cedar", &forbid(&condition));
        assert!(taken.is_ok(), "{condition}: {}", taken.unwrap_err());
    }
}

#[test]
fn an_id_that_cannot_exist_is_refused() {
    let report = refused(
        "@id(\"extra\")\nforbid (principal == ServiceAccount::\"SA-01K6D3M0E8F7S9T2V4W6X8Y0ZA\", action, resource);\n",
    );
    for told in [
        "no ServiceAccount can have the id `SA-01K6D3M0E8F7S9T2V4W6X8Y0ZA`",
        "policies/extra.cedar:2:22",
        "write `ServiceAccount::\"sa-01k6d3m0e8f7s9t2v4w6x8y0za\"`",
    ] {
        assert!(report.contains(told), "{report}");
    }
    let sa = "sa-00000000000000000000000002";
    for (type_name, id, help) in [
        (
            "ServiceAccount",
            "0198f000-0000-7000-8000-000000000001",
            "write `ServiceAccount::\"sa-",
        ),
        (
            "ServiceAccount",
            "0198F000-0000-7000-8000-000000000001",
            "write `ServiceAccount::\"sa-",
        ),
        (
            "ServiceAccount",
            "sa_acme01_main01_c2VjcmV0",
            "that is an access key",
        ),
        (
            "ServiceAccount",
            "sa-00000000000000000000000002 ",
            &format!("write `ServiceAccount::\"{sa}\"`"),
        ),
        (
            "ServiceAccount",
            "user-00000000000000000000000002",
            "is `sa-` and 26 characters",
        ),
        (
            "ServiceAccount",
            "sa-000000000000000000000000021",
            "is `sa-` and 26 characters",
        ),
        (
            "ServiceAccount",
            "sa-0000000000000000000000000l",
            "is `sa-` and 26 characters",
        ),
        ("ServiceAccount", "", "is `sa-` and 26 characters"),
        ("Organization", "acme", "is `org-` and 26 characters"),
        (
            "Account",
            "org-00000000000000000000000002",
            "is `acc-` and 26 characters",
        ),
        ("User", "member@example.org", "is `user-` and 26 characters"),
        (
            "AccessKey",
            "sa_acme01_main01_c2VjcmV0",
            "that is an access key",
        ),
    ] {
        let condition = format!("[{type_name}::\"{id}\"].contains(resource)");
        let on = format!(
            "@id(\"extra\")\nforbid (principal, action, resource is {type_name}) when {{ {condition} }};"
        );
        let report = refused(&on);
        assert!(report.contains(help), "{type_name} {id}: {report}");
        assert!(
            report.contains(&format!("no {type_name} can have the id")),
            "{report}"
        );
    }
    let invariant = "@id(\"who\")\npermit (principal, action, resource) unless { principal == User::\"root\" };";
    let report = load("invariants/who.cedar", invariant).expect_err("a fault");
    assert!(
        report.contains("no User can have the id `root`"),
        "{report}"
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_policy_that_fails_while_deciding_makes_readiness_degraded_until_it_is_long_ago() {
    let folder = copy_of_shipped();
    fs::write(
        folder.path().join("extra.cedar"),
        "@id(\"overflowing\")\npermit (principal, action, resource)\n\
         when { context.now.toTime().toMilliseconds() + 9223372036854775807 > 0 };",
    )
    .expect("a written file");
    let service = serve(folder.path()).await;
    let acme = service.organization("acme").await;
    let reader = acme.signer(&[Permission::GetOrganization]).await;
    let ready = async || service.operator_side().get("/readyz").await.json();
    reader.get("/organizations/info").await.ok();
    let degraded = ready().await;
    assert_eq!(degraded["status"], "degraded", "{degraded}");
    let failing = &degraded["policies"]["failing"][0];
    assert_eq!(failing["policy"], "overflowing", "{degraded}");
    assert!(
        failing["error"]
            .as_str()
            .expect("text")
            .contains("overflow"),
        "{failing}"
    );
    service.clock.advance(16 * 60);
    let again = ready().await;
    assert_eq!(again["policies"]["status"], "ok", "{again}");
    service.stop().await;
}

async fn serve(dir: &Path) -> Service {
    let policies = format!(
        "dir = \"{}\"\ntests = \"off\"\nproofs = \"off\"",
        dir.display()
    );
    Service::with_policies(TestDatabase::sqlite(), &policies).await
}
