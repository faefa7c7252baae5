//! Texts of tenants are texts, whatever stands in them: in every field that tenants write, wherever it is shown.

use serde_json::{Value, json};
use test_support::service::{PASSWORD, Persona as _, Service, TeamRole};
use test_support::services::TestDatabase;

use super::browser::Browser;
use super::{at_the_desk, browser, sign_in};

const TRICKS: [&str; 9] = [
    "<img src=x onerror=\"globalThis.fooled = 1\">",
    "</code></script><script>globalThis.fooled = 1</script>",
    "javascript:globalThis.fooled=1",
    "\" autofocus onfocus=\"globalThis.fooled=1",
    "${globalThis.fooled = 1}{{constructor.constructor('globalThis.fooled = 1')()}}",
    "&lt;b&gt; &amp; שלום and مرحبا",
    // Cyrillic letters that look like Latin ones, and signs stacked upon one.
    "Асmе Соrр аdmіn",
    "Z\u{338}\u{337}\u{336}\u{335}\u{334}\u{321}\u{322}\u{327}\u{e0}\u{301}\u{302}\u{303}\u{304}",
    "=HYPERLINK(\"http://evil.example/\", \"x\")",
];

/// Metadata may hold what names may not: a right-to-left override, a character of no width, a tag. Joiners are seen by
/// what they do to emoji and to letters of most scripts, and not between Latin ones.
const HIDDEN: &str = "invoice\u{202e}gpj.exe\u{200b} \u{1f469}\u{200d}\u{1f469} \u{6cc}\u{200c}\u{6cc} a\u{200c}b\u{e0041}";
/// As it is shown.
const REVEALED: &str =
    "invoiceU+202Egpj.exeU+200B \u{1f469}\u{200d}\u{1f469} \u{6cc}\u{200c}\u{6cc} aU+200CbU+E0041";

/// What got through: something run, loaded from elsewhere, or made into elements.
const FOOLED: &str = "return [globalThis.fooled ?? null, \
    performance.getEntriesByType('resource').filter((it) => !it.name.startsWith(location.origin)).length, \
    document.querySelectorAll('main script, main b, main img[src=x], [onerror], [onfocus]').length, \
    document.documentElement.scrollWidth > document.documentElement.clientWidth]";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn texts_of_tenants_are_texts() {
    let service = Service::on(TestDatabase::sqlite()).await;
    let Some(browser) = browser(&service) else {
        return;
    };
    let acme = service.organization("acme").await;
    let owner = acme.person(TeamRole::Owner).await;
    let long = "W".repeat(200);
    let mut programs = Vec::new();
    for trick in TRICKS.into_iter().chain([long.as_str()]) {
        let account = json!({"name": trick, "metadata": {"note": trick, "hidden": HIDDEN}});
        owner.post("/accounts", account).await.created();
        let program = json!({"name": trick, "description": trick, "metadata": {"note": trick}});
        let made: Value = owner.post("/service-accounts", program).await.created();
        let keys = format!(
            "/service-accounts/{}/keys",
            made["id"].as_str().expect("an id")
        );
        let key = json!({"description": trick});
        owner.post(&keys, key).await.created();
        programs.push(made);
    }
    let organization = json!({"name": TRICKS[0], "slug": "acme"});
    owner
        .put("/api/portal/organization", organization)
        .await
        .ok();
    let body = json!({"email": owner.email, "password": PASSWORD});
    let login = service.anonymous().post("/api/auth/login", body);
    let agent = "<b>agent</b><img src=x onerror=\"globalThis.fooled = 1\">";
    login.header("user-agent", agent).await.ok();
    at_the_desk(|| {
        sign_in(&browser, &owner.email, PASSWORD);
        // Narrow, where a long text has the least room.
        browser.look(360, false);
        let list = |page: &str, heading: &str| {
            browser.visit(page);
            browser.arrive_at(heading);
            for trick in TRICKS.into_iter().chain([long.as_str()]) {
                browser.see(trick);
            }
            harmless(&browser);
        };
        list("/portal/accounts", "Accounts");
        list("/portal/service-accounts", "Service accounts");
        list("/portal/keys", "Keys");
        browser.visit("/portal/organization");
        browser.arrive_at("Organization");
        browser.see(TRICKS[0]);
        harmless(&browser);
        browser.visit("/portal/profile");
        browser.see(agent);
        harmless(&browser);
        for program in &programs {
            let name = program["name"].as_str().expect("a name");
            let path = format!(
                "/portal/service-accounts/{}",
                program["id"].as_str().expect("an id")
            );
            browser.visit(&path);
            browser.arrive_at(name);
            browser.see(name);
            assert_eq!(browser.value("Description"), name);
            harmless(&browser);
        }
        browser.visit("/portal/accounts");
        browser.press(&format!("Edit {}", TRICKS[3]));
        let metadata = browser.value("Metadata");
        assert!(metadata.contains("autofocus"), "{metadata}");
        assert!(
            metadata.contains(r"invoice\u202egpj.exe\u200b"),
            "{metadata}"
        );
        assert!(
            metadata.contains(
                "\u{1f469}\u{200d}\u{1f469} \u{6cc}\u{200c}\u{6cc} a\\u200cb\\udb40\\udc41"
            ),
            "{metadata}"
        );
        browser.keep("tricks");
        harmless(&browser);
        // What a parser passes over in silence.
        for (typed, told) in [
            (r#"{"a": 1, "a": 2}"#, "The name \"a\" is repeated."),
            (r#"{"a": 0.1234567890123456789}"#, "cannot be kept as it is"),
            (r#"{"a": 1e400}"#, "is too large"),
        ] {
            browser.fill("Metadata", typed);
            browser.press("Save");
            browser.see(told);
            assert_eq!(browser.value("Metadata"), typed);
        }
        browser.visit("/portal/audit-events?action=accounts:CreateAccount");
        browser.see("Create account");
        browser
            .script("for (const it of document.querySelectorAll('.feed summary')) { it.click(); }");
        browser.see(TRICKS[0]);
        browser.see(REVEALED);
        browser.keep("tricks-on-record");
        harmless(&browser);
        browser.assert_quiet();
    });
    service.stop().await;
}

#[track_caller]
fn harmless(browser: &Browser) {
    assert_eq!(browser.script(FOOLED), json!([null, 0, 0, false]));
}
