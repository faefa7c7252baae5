//! What an operator does in the workbench, in a browser, on both databases.

use std::fs;
use std::path::Path;

use charter_domain::permission::Permission;
use serde_json::json;
use test_support::policy_world::whole_copy_of_shipped;
use test_support::service::{Persona as _, Service};
use test_support::services::TestDatabase;

use super::browser::Browser;

const TOKEN: &str = "0123456789abcdef0123456789abcdef";
const KEPT: &str = "return JSON.stringify([{...localStorage, ...sessionStorage}, document.cookie])";
const END_SESSION: &str =
    "return fetch('/session', {method: 'DELETE'}).then((answer) => answer.status)";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_operator_sees_why_an_edit_is_refused_and_a_request_denied() {
    Box::pin(at_work(TestDatabase::sqlite())).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_operator_sees_why_an_edit_is_refused_and_a_request_denied_on_postgres() {
    if let Some(database) = TestDatabase::empty_postgres().await {
        Box::pin(at_work(database)).await;
    }
}

async fn at_work(database: TestDatabase) {
    let folder = whole_copy_of_shipped();
    let policies = format!(
        "dir = \"{}\"\ncheck_timeout = \"100s\"\ntests = \"required\"\nproofs = \"off\"",
        folder.path().display()
    );
    let server = format!("ops_token = \"{TOKEN}\"");
    let service = Service::with_server_and_policies(database, &server, &policies).await;
    let acme = service.organization("acme").await;
    let reader = acme.signer(&[Permission::GetOrganization]).await;
    let change = json!({"name": "Mine"});
    let denied = reader.patch("/organizations/info", change).await;
    denied.assert_refused(403, "NOT_PERMITTED");
    let decision = denied.json()["error"]["decision_id"].clone();
    let decision = decision.as_str().expect("a decision");
    let address = service.operations_address();
    tokio::task::block_in_place(|| {
        let Some(browser) = Browser::open(&format!("http://{address}")) else {
            return;
        };
        sign_in(&browser);
        look_at_a_refused_edit(&browser, folder.path());
        explain(&browser, decision);
        turn_every_page(&browser);
        look_at_what_was_refused(&browser);
        come_back_after_the_session_has_ended(&browser);
    });
    service.stop().await;
}

fn sign_in(browser: &Browser) {
    // It shows figures that anybody may read, and those of a session.
    browser.visit("/workbench/charts");
    browser.arrive_at("Sign in");
    browser.fill(
        "Operator token",
        "not the token, but as long as one of them",
    );
    browser.press("Sign in");
    browser.see("has no spaces");
    browser.fill("Operator token", &TOKEN.replace('0', "1"));
    browser.press("Sign in");
    browser.see("That is not the operator token");
    browser.fill("Operator token", TOKEN);
    browser.press("Sign in");
    // Back to where one was.
    browser.arrive_at("Charts");
    browser.see("Reload history");
    assert_eq!(browser.path(), "/workbench/charts");
    assert_eq!(browser.script(KEPT), r#"[{},""]"#);
    browser.press("Policies in force");
    browser.arrive_at("Policies in force");
    browser.assert_quiet();
}

fn look_at_a_refused_edit(browser: &Browser, folder: &Path) {
    browser.press("Refused edit");
    browser.see("No edit is refused");
    let file = folder.join("guardrails.cedar");
    let sound = fs::read_to_string(&file).expect("a file");
    let broken = sound.replace(
        "resource has organization && resource.organization == principal.organization",
        "resource has organization",
    );
    assert_ne!(broken, sound);
    fs::write(&file, broken).expect("an edit");
    // The page shows it by itself: the example that fails, by which line, and what was changed.
    browser.see("another organization's account is not read, even by an owner");
    browser.see("tests/guardrails.json");
    browser.see("What was changed");
    // Texts of a folder are texts, too.
    let trick = "<img src=x onerror=globalThis.fooled=1>";
    let tricky = format!("{sound}\npermit (principal == Role::\"{trick}\", action, resource);");
    fs::write(&file, tricky).expect("an edit");
    browser.see(trick);
    let fooled = "return globalThis.fooled ?? document.querySelector('main img')";
    assert!(browser.script(fooled).is_null());
    browser.visit("/workbench/policies?file=%3Cimg%20src=x%3E&line=%3Cb%3E");
    browser.see("A newer folder is refused");
    browser.press("See why");
    fs::write(&file, sound).expect("an edit");
    browser.see("No edit is refused");
    browser.assert_quiet();
}

fn explain(browser: &Browser, decision: &str) {
    browser.press("Decisions");
    browser.arrive_at("Decisions");
    browser.see("Update organization");
    browser.visit(&format!("/workbench/decisions/{decision}"));
    browser.see("No policy permits it");
    browser.see("organizations.cedar");
    browser.see("is false");
    browser.assert_quiet();
}

fn turn_every_page(browser: &Browser) {
    // A link to a line leads there.
    browser.visit("/workbench/policies?file=schema.cedarschema&line=100");
    browser.in_sight("[data-arrive]");
    for (page, shown) in [
        ("Policies in force", "organizations.cedar"),
        ("Shadow", "There is no shadow"),
        ("Who may, what may", "What may this one do?"),
        ("Roles", "team:RemoveMember"),
        ("Compare a folder", "Drop a policy folder here"),
        ("History", "At a start"),
        ("Replicas", "Processes"),
    ] {
        browser.press(page);
        browser.arrive_at(page);
        browser.see(shown);
        browser.assert_quiet();
    }
}

fn look_at_what_was_refused(browser: &Browser) {
    browser.press("History");
    browser.arrive_at("History");
    browser.see("Refused edits");
    browser.see("tests: ");
    browser.press("Charts");
    browser.arrive_at("Charts");
    browser.wait_for("svg[aria-label^='Edits over time: 1 taken and'] polyline.chart-bad");
    browser.see("still, as revision 1, at a start");
    browser.assert_quiet();
}

fn come_back_after_the_session_has_ended(browser: &Browser) {
    browser.press("Try a request");
    browser.arrive_at("Try a request");
    browser.fill("Subject id", "sa-typed-before");
    browser.fill("Permission", "organizations:GetOrganization");
    browser.fill("Resource id", "org-typed-before");
    assert_eq!(browser.script(END_SESSION), 204);
    browser.press("Try");
    browser.see("Your session has ended");
    browser.fill("Operator token", TOKEN);
    browser.press("Sign in");
    browser.see("there is no such subject");
    assert_eq!(browser.value("Subject id"), "sa-typed-before");
    // A question that is refused has no answer, and says at which field.
    browser.fill("From the address", "nowhere");
    browser.press("Try");
    browser.see("must be an IP address");
    browser.gone("there is no such subject");
    let at_the_field = "return document.querySelector('[aria-invalid=true]').name";
    assert_eq!(browser.script(at_the_field), "context/source_ip");
    browser.press("Sign out");
    browser.arrive_at("Sign in");
    browser.assert_quiet();
}
