//! What an operator asks in the workbench, in a browser, on both databases.

use std::fs;

use charter_domain::permission::Permission;
use serde_json::json;
use test_support::policy_world::whole_copy_of_shipped;
use test_support::service::{Persona as _, Service, Signer};
use test_support::services::TestDatabase;

use super::at_the_desk;
use super::browser::Browser;

const TOKEN: &str = "0123456789abcdef0123456789abcdef";
/// Whoever reads may rename, too.
const WIDER: &str = "@id(\"wider\")\npermit (\n  principal is ServiceAccount,\n  \
    action == Action::\"organizations:UpdateOrganization\",\n  resource is Organization\n)\nwhen\n{\n  \
    principal in Permission::\"organizations:GetOrganization\"\n};\n";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_operator_asks_and_compares() {
    Box::pin(at_work(TestDatabase::sqlite())).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_operator_asks_and_compares_on_postgres() {
    if let Some(database) = TestDatabase::empty_postgres().await {
        Box::pin(at_work(database)).await;
    }
}

async fn at_work(database: TestDatabase) {
    let (folder, shadow) = (whole_copy_of_shipped(), whole_copy_of_shipped());
    fs::write(shadow.path().join("wider.cedar"), WIDER).expect("a file");
    let policies = format!(
        "dir = \"{}\"\nshadow = \"{}\"\ncheck_timeout = \"100s\"\ntests = \"off\"\nproofs = \"off\"",
        folder.path().display(),
        shadow.path().display()
    );
    let server = format!("ops_token = \"{TOKEN}\"");
    let service = Service::with_server_and_policies(database, &server, &policies).await;
    let acme = service.organization("acme").await;
    let reader = acme.signer(&[Permission::GetOrganization]).await;
    let organization = acme.organization.id.to_string();
    let address = format!("http://{}", service.operations_address());
    let Some(browser) = at_the_desk(|| Browser::open(&address)) else {
        service.stop().await;
        return;
    };
    at_the_desk(|| {
        // It is there a while after the service.
        browser.visit("/workbench/shadow");
        browser.arrive_at("Sign in");
        browser.fill("Operator token", TOKEN);
        browser.press("Sign in");
        browser.see("wider.cedar");
        browser.press("Decisions");
        browser.arrive_at("Decisions");
        browser.see("new ones appear by themselves");
    });
    reader.get("/organizations/info").await.ok();
    at_the_desk(|| browser.see("Get organization"));
    let decision = denied(&reader).await;
    at_the_desk(|| {
        // It comes by itself; while updates are paused, nothing does.
        browser.see("Update organization");
        browser.press("Pause");
        browser.see("paused");
        filter(&browser, &reader);
        try_against_others(&browser, &decision);
        who_may(&browser, &organization, &reader);
        look_at_coverage(&browser);
        look_at_the_shadow(&browser);
        browser.assert_quiet();
    });
    service.stop().await;
}

/// A denial, by its decision.
async fn denied(reader: &Signer) -> String {
    let denied = reader
        .patch("/organizations/info", json!({"name": "Mine"}))
        .await;
    denied.assert_refused(403, "NOT_PERMITTED");
    let decision = denied.json()["error"]["decision_id"].clone();
    decision.as_str().expect("a decision").to_owned()
}

fn filter(browser: &Browser, reader: &Signer) {
    browser.choose("Outcome", "Denied");
    browser.fill("Permission", "organizations:UpdateOrganization");
    browser.fill("Principal (id)", &reader.id);
    browser.press("Filter");
    browser.see("1 shown");
    browser.gone("Get organization");
    browser.open_first(".decisions summary");
    browser.see("No policy permits it");
    browser.wait_for(".decisions .near .line-bad .note");
    browser.choose("Outcome", "Allowed");
    browser.press("Filter");
    browser.see("Nothing decided yet that fits");
}

fn try_against_others(browser: &Browser, decision: &str) {
    browser.visit(&format!("/workbench/decisions/{decision}"));
    browser.see("The shadow policies decide otherwise.");
    browser.press("Try this request");
    browser.arrive_at("Try a request");
    browser.press("Try");
    browser.see("No policy permits it");
    browser.choose("Against", "The shadow, and the difference");
    browser.press("Try");
    browser.see("Allowed there, and denied by the policies in force.");
    // The source of the shadow, with what holds.
    browser.wait_for(".two > section + section .line-good .note");
    browser.drop_files(&[("wider.cedar", &WIDER.replace("permit", "forbid"))]);
    browser.press("Try");
    browser.see("The same answer, by other policies.");
    browser.see("A policy forbids it");
    browser.drop_files(&[("notes.txt", "nothing")]);
    browser.see("There is no policy file in it");
    browser.press("Try");
    browser.see("Drop a folder first");
}

fn who_may(browser: &Browser, organization: &str, reader: &Signer) {
    browser.press("Who may, what may");
    browser.arrive_at("Who may, what may");
    browser.fill("Permission", "organizations:GetOrganization");
    browser.choose("Resource type", "Organization");
    browser.fill("Resource id", organization);
    browser.press("Who may?");
    browser.see(&reader.id);
    browser.fill("Permission", "organizations:UpdateOrganization");
    browser.press("Who may?");
    browser.see("Nothing is allowed");
    browser.choose("Subject type", "ServiceAccount");
    browser.fill("Subject id", &reader.id);
    browser.press("What may it do?");
    browser.see("organizations:GetOrganization");
    let explain = format!("Explain organizations:GetOrganization on {organization}");
    browser.press(&explain);
    browser.arrive_at("Try a request");
    assert_eq!(browser.value("Subject id"), reader.id);
    browser.press("Try");
    browser.see("Allowed");
}

fn look_at_coverage(browser: &Browser) {
    browser.press("Coverage");
    browser.arrive_at("Coverage");
    browser.see("Over the source");
    browser.choose("File", "organizations.cedar");
    browser.wait_for("[aria-label='Coverage of organizations.cedar'] .line-good .note");
    browser.see("1 allowed");
    browser.choose("Decisions of the last", "30 days");
    browser.arrive_at("Coverage");
    browser.see("Over the source");
    assert_eq!(browser.path(), "/workbench/coverage?days=30");
}

fn look_at_the_shadow(browser: &Browser) {
    browser.press("Shadow");
    browser.arrive_at("Shadow");
    browser.see("wider.cedar");
    browser.press("Decisions that would differ");
    browser.arrive_at("Decisions");
    browser.see("1 shown");
    browser.see("Update organization");
}
