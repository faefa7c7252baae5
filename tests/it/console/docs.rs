//! `/docs` in a browser: the description, and trying it with signed requests and with a token.

use charter_domain::permission::Permission;
use serde_json::json;
use test_support::service::{Persona as _, Service, TeamRole};
use test_support::services::TestDatabase;

use super::accessible::{WCAG, axe_findings};
use super::browser::Browser;
use super::{at_the_desk, browser};

/// The page's clock is the service's.
const AT_NOON: &str = "const RealDate = Date; globalThis.Date = class extends RealDate { \
    constructor(...given) { super(...(given.length ? given : ['2025-09-30T12:00:00Z'])); } }";
/// What could be left behind, or sent elsewhere.
const TRACES: &str = "return JSON.stringify([{...localStorage, ...sessionStorage}, document.cookie, location.href, \
    performance.getEntriesByType('resource').map((it) => it.name)])";
const ELSEWHERE: &str = "return performance.getEntriesByType('resource').map((it) => new URL(it.name)) \
    .filter((it) => it.origin !== location.origin && it.protocol !== 'data:').map((it) => it.href)";
const DECLARED: &str = "return fetch('/openapi.json').then((answer) => answer.json()).then((document) => \
    Object.values(document.paths).flatMap((it) => Object.values(it)).map((it) => it['x-permission']) \
    .filter(Boolean).sort())";
const SHOWN: &str = "return [...document.querySelectorAll('.swagger-ui .permission')].map((it) => it.textContent).sort()";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn requests_are_signed_in_the_page() {
    let service = Service::on(TestDatabase::sqlite()).await;
    let Some(browser) = browser(&service) else {
        return;
    };
    let acme = service.organization("acme").await;
    let owner = acme.person(TeamRole::Owner).await;
    let held = [
        Permission::GetOrganization,
        Permission::UpdateOrganization,
        Permission::ListAccounts,
    ];
    let signer = acme.signer(&held).await;
    let (access_key, secret_key) = (&signer.signature.access_key, &signer.signature.secret_key);
    at_the_desk(|| {
        browser.visit("/docs");
        browser.see("organizations:GetOrganization");
        browser.script(AT_NOON);
        assert_eq!(browser.script(SHOWN), browser.script(DECLARED));
        open(&browser, "operations-organizations-getOrganization");
        browser.press("Execute");
        browser.see("MISSING_CREDENTIALS");
        browser.tick("Sign with an access key");
        browser.fill("Access key", access_key);
        browser.fill("Secret key", secret_key);
        browser.press("Execute");
        browser.see(&acme.organization.id.to_string());
        browser.keep("docs");
        // A query, and a body: what is signed is what is sent.
        open(&browser, "operations-accounts-listAccounts");
        write(&browser, "[data-param-name=quantity] input", "7");
        browser.press("Execute");
        browser.see("quantity=7");
        browser.see(&acme.account.id.to_string());
        open(&browser, "operations-organizations-updateOrganization");
        write(&browser, "textarea", r#"{"name": "Zoë & Söhne"}"#);
        browser.press("Execute");
        browser.see("\"name\": \"Zoë & Söhne\"");
    });
    let changed = owner.get("/api/portal/organization").await.ok();
    assert_eq!(changed["name"], "Zoë & Söhne");
    at_the_desk(|| {
        open(&browser, "operations-me-getMe");
        browser.press("Execute");
        browser.see("MALFORMED_AUTHORIZATION");
        browser.tick("Bearer token");
        browser.fill("Access token", &owner.token);
        browser.press("Execute");
        browser.see(&owner.email);
        let traces = browser.script(TRACES).to_string();
        for secret in [secret_key, access_key, &owner.token] {
            assert!(!traces.contains(secret), "{traces}");
        }
        assert_eq!(browser.script(ELSEWHERE), json!([]));
        browser.visit("/docs");
        browser.see("organizations:GetOrganization");
        browser.tick("Sign with an access key");
        assert_eq!(browser.value("Secret key"), "", "a reload forgets it");
        for is_dark in [false, true] {
            browser.look(1280, is_dark);
            browser.visit("/docs");
            browser.see("organizations:GetOrganization");
            open(&browser, "operations-organizations-updateOrganization");
            browser.press("Execute");
            browser.see("MISSING_CREDENTIALS");
            browser.keep(if is_dark { "docs-dark" } else { "docs-light" });
            assert_eq!(axe_findings(&browser, WCAG), json!([]));
        }
        browser.assert_quiet();
    });
    service.stop().await;
}

/// Opens one operation to be tried, and closes the others.
pub(super) fn open(browser: &Browser, id: &str) {
    let script = format!(
        "for (const other of document.querySelectorAll('.opblock.is-open')) {{ \
           other.querySelector('.opblock-summary-control').click(); }} \
         document.querySelector('#{id} .opblock-summary-control').click();"
    );
    browser.script(&script);
    browser.press("Try it out");
}

/// Types into a field of the open operation, which has no label.
pub(super) fn write(browser: &Browser, selector: &str, text: &str) {
    let script = format!(
        "const field = document.querySelector('.opblock.is-open {selector}'); field.focus(); \
         Object.getOwnPropertyDescriptor(Object.getPrototypeOf(field), 'value').set.call(field, {}); \
         field.dispatchEvent(new Event('input', {{bubbles: true}})); field.blur();",
        json!(text)
    );
    browser.script(&script);
}
