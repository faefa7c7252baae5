//! Ten thousand events, ten thousand decisions, a thousand policies: all can be reached, and only what is in sight is
//! laid out, however much there is.

use std::fmt::Write as _;
use std::fs;

use charter_domain::permission::Permission;
use sea_orm::ConnectionTrait as _;
use serde_json::{Value, json};
use test_support::policy_world::whole_copy_of_shipped;
use test_support::service::{Persona as _, Service};
use test_support::services::{TestDatabase, connect};

use super::accessible::OPS_TOKEN;
use super::browser::Browser;
use super::{at_the_desk, owner_at_work};

const MASS: usize = 10_000;
/// Laid out at once: what is in sight, with its neighbours, which come in dozens.
const MOST_LAID_OUT: u64 = 500;
const ACCESS_TOKEN: &str = "of-the-gateway-0123456789abcdef0123456789";

/// How many of them there are, and how many of these are laid out.
#[track_caller]
fn assert_costs_what_is_seen(browser: &Browser, selector: &str, least: usize) {
    let script = format!(
        "const all = [...document.querySelectorAll('{selector}')]; \
         return [all.length, all.filter((it) => it.checkVisibility({{contentVisibilityAuto: true}})).length]"
    );
    let found = browser.script(&script);
    let count = |at: usize| found[at].as_u64().expect("a number");
    assert!(count(0) >= least as u64, "{found}");
    assert!((1..=MOST_LAID_OUT).contains(&count(1)), "{found}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn ten_thousand_events_are_read_to_the_first() {
    let service = Service::on(TestDatabase::sqlite()).await;
    let Some((browser, owner)) = owner_at_work(&service).await else {
        service.stop().await;
        return;
    };
    let first = json!({"name": "The first of all"});
    owner.post("/service-accounts", first).await.created();
    // Lists do not verify the chain: copies of the last one will do.
    let copies = format!(
        "INSERT INTO audit_events SELECT organization_id, sequence + n, occurred_at, actor, 'accounts:UpdateAccount', \
         resource, request_id, policy_digest, '{{}}', key_id, mac FROM (SELECT * FROM audit_events \
         ORDER BY sequence DESC LIMIT 1), (WITH RECURSIVE numbers(n) AS (SELECT 1 UNION ALL SELECT n + 1 \
         FROM numbers WHERE n < {MASS}) SELECT n FROM numbers)"
    );
    let raw = connect(service.database_url()).await;
    raw.execute_unprepared(&copies).await.expect("copies");
    drop(raw);
    at_the_desk(|| {
        browser.press("Audit events");
        browser.arrive_at("Audit events");
        browser.see("Update account");
        browser.read_to_the_end(".feed > li");
        browser.see("The first of all");
        assert_costs_what_is_seen(&browser, ".feed > li", MASS);
        browser.assert_quiet();
    });
    service.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn ten_thousand_decisions_and_a_thousand_policies_are_shown() {
    let folder = whole_copy_of_shipped();
    let mut many = String::new();
    for number in 0..1_000 {
        write!(
            many,
            "@id(\"many.{number}\")\nforbid (\n  principal is User,\n  action == Action::\"team:InviteMember\",\n  \
             resource\n)\nwhen {{ principal.organization.plan_tier == \"closed-{number}\" }};\n\n"
        )
        .expect("text");
    }
    fs::write(folder.path().join("many.cedar"), many).expect("a file");
    let policies = format!(
        "dir = \"{}\"\ncheck_timeout = \"100s\"\ntests = \"off\"\nproofs = \"off\"\n\
         [access]\ntokens = [\"gateway:{ACCESS_TOKEN}\"]\n",
        folder.path().display()
    );
    let server = format!("ops_token = \"{OPS_TOKEN}\"");
    let service =
        Service::with_server_and_policies(TestDatabase::sqlite(), &server, &policies).await;
    let acme = service.organization("acme").await;
    let reader = acme.signer(&[Permission::GetOrganization]).await;
    decide(&service, &reader.id, &acme.organization.id.to_string()).await;
    let address = format!("http://{}", service.operations_address());
    at_the_desk(|| {
        let Some(browser) = Browser::open(&address) else {
            return;
        };
        browser.visit("/workbench/decisions");
        browser.arrive_at("Sign in");
        browser.fill("Operator token", OPS_TOKEN);
        browser.press("Sign in");
        browser.arrive_at("Decisions");
        browser.see("Update organization");
        browser.read_to_the_end(".decisions > li");
        assert_costs_what_is_seen(&browser, ".decisions > li", MASS);
        browser.visit("/workbench/policies?file=many.cedar&line=7");
        browser.in_sight("[data-arrive]");
        assert_costs_what_is_seen(&browser, ".source .line", 8_000);
        browser.press("1000 policies");
        browser.see("200 of 1000 shown");
        browser.visit("/workbench/policies?file=many.cedar&line=7000");
        browser.in_sight("[data-arrive]");
        assert_costs_what_is_seen(&browser, ".source .line", 8_000);
        browser.assert_quiet();
    });
    service.stop().await;
}

/// Denies as many times, a hundred at once.
async fn decide(service: &Service, subject: &str, organization: &str) {
    let one = json!({
        "subject": {"type": "ServiceAccount", "id": subject},
        "action": {"name": "organizations:UpdateOrganization"},
        "resource": {"type": "Organization", "id": organization},
    });
    let hundred = json!({"evaluations": vec![one; 100]});
    for _ in 0..MASS / 100 {
        let asked = service.operator_side();
        let asked = asked.post("/access/v1/evaluations", hundred.clone());
        let asked = asked.header("authorization", &format!("Bearer {ACCESS_TOKEN}"));
        let answer = asked.await.ok();
        let denied = |it: &Value| it["decision"] == false;
        let all = answer["evaluations"].as_array().expect("decisions");
        assert!(all.len() == 100 && all.iter().all(denied), "{answer}");
    }
}
