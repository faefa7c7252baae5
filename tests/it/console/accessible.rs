//! Every page in light and dark, wide and narrow: what can be checked of WCAG 2.2 AA. With axe-core too, where
//! `CHARTER_AXE` says where its `axe.min.js` is (it is under another licence, and no part of the repository).

use std::fs;
use std::sync::LazyLock;

use charter_domain::permission::Permission;
use serde_json::{Value, json};
use test_support::service::{PASSWORD, Persona as _, Service, TeamRole};
use test_support::services::TestDatabase;

use super::browser::Browser;
use super::{at_the_desk, sign_in};

pub(super) const OPS_TOKEN: &str = "0123456789abcdef0123456789abcdef";

/// Returns what is wrong with the page.
const CHECKS: &str = include_str!("accessible.js");

const AXE: &str = "return axe.run(document, {resultTypes: ['violations'], runOnly: RULES}).then((found) => \
    found.violations.flatMap((it) => it.nodes.map((node) => `${it.id}: ${node.target} ${node.failureSummary}`)))";

/// What moved while the page came. One that waits for its parts longer than it promises may move.
const SHIFTS: &str = "const seen = []; \
    const words = (entry) => `moved by ${entry.value}: ${entry.sources.map((it) => it.node?.className || it.node?.nodeName)}`; \
    const observer = new PerformanceObserver((list) => seen.push(...list.getEntries())); \
    const late = performance.now() > 2000; \
    observer.observe({type: 'layout-shift', buffered: true}); \
    return new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(() => setTimeout(() => { \
        seen.push(...observer.takeRecords()); observer.disconnect(); \
        done(late ? [] : seen.filter((it) => it.value > 0).map(words)); }))));";

/// Rules of WCAG 2.2 AA, and those that go further.
pub(super) const WCAG: &str = "['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'wcag22aa']";
const GOOD_PRACTICE: &str =
    "['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'wcag22aa', 'best-practice']";

/// Widths in pixels and whether it is dark.
const LOOKS: [(u32, bool); 6] = [
    (1280, false),
    (1280, true),
    (1024, false),
    (768, true),
    (360, false),
    (360, true),
];

const OF_ANYBODY: [&str; 7] = [
    "/sign-in",
    "/register",
    "/forgot-password",
    "/verify-email?token=abc",
    "/reset-password?token=abc",
    "/accept-invitation?token=abc",
    "/components",
];

/// A page, and what is pressed there to open what it asks.
const OF_OWNERS: [(&str, &str); 15] = [
    ("/portal", ""),
    ("/portal/organization", ""),
    ("/portal/organization", "Deactivate the organization…"),
    ("/portal/team", ""),
    ("/portal/team", "Invite a user"),
    ("/portal/team", "Change role of grace@example.com"),
    ("/portal/accounts", "Create an account"),
    ("/portal/accounts", "Edit Default"),
    ("/portal/service-accounts", ""),
    ("/portal/service-accounts/new", ""),
    ("/portal/keys", ""),
    ("/portal/audit-events", ""),
    ("/portal/denied-requests", ""),
    ("/portal/profile", "Sign out everywhere…"),
    ("/portal/nowhere", ""),
];

const OF_OPERATORS: [&str; 13] = [
    "/workbench/policies",
    "/workbench/refused-edit",
    "/workbench/shadow",
    "/workbench/decisions",
    "/workbench/try",
    "/workbench/access",
    "/workbench/roles",
    "/workbench/compare",
    "/workbench/coverage",
    "/workbench/history",
    "/workbench/replicas",
    "/workbench/charts",
    "/workbench/nowhere",
];

enum AxeCore {
    Text(String),
    LeftOut,
}

static AXE_CORE: LazyLock<AxeCore> = LazyLock::new(|| {
    #[expect(
        clippy::disallowed_methods,
        reason = "where axe-core is, is said to the test run, not to the service"
    )]
    let path = std::env::var("CHARTER_AXE").ok();
    match path.as_deref() {
        None | Some("none") => AxeCore::LeftOut,
        Some(path) => AxeCore::Text(
            fs::read_to_string(path).unwrap_or_else(|error| panic!("{path}: {error}")),
        ),
    }
});

/// What axe-core finds by these rules. That it is not there is said aloud.
pub(super) fn axe_findings(browser: &Browser, rules: &str) -> Value {
    match &*AXE_CORE {
        AxeCore::Text(axe) => browser.script(&format!("{axe}\nconst RULES = {rules};\n{AXE}")),
        AxeCore::LeftOut => {
            eprintln!(
                "LEFT OUT: axe-core has not looked at this page, CHARTER_AXE does not say where it is (docs/console.md)"
            );
            json!([])
        }
    }
}

/// Looks at pages, and gathers what is wrong.
pub(super) struct Inspection<'a> {
    browser: &'a Browser,
    found: Vec<String>,
}

impl<'a> Inspection<'a> {
    pub(super) fn new(browser: &'a Browser) -> Self {
        Self {
            browser,
            found: Vec::new(),
        }
    }

    /// What was wrong.
    pub(super) fn end(self) -> Vec<String> {
        self.found
    }

    fn look_at(&mut self, page: &str, press: &str) {
        self.browser.visit(page);
        self.browser.settle();
        self.note(page, &self.browser.script(SHIFTS));
        if !press.is_empty() {
            self.browser.press(press);
            self.browser.settle();
        }
        let name = format!("{page} {press}");
        let name: Vec<_> = name
            .split(|letter: char| !letter.is_alphanumeric())
            .filter(|part| !part.is_empty())
            .collect();
        self.look(&name.join("-").to_lowercase(), &LOOKS);
    }

    /// Looks at the page as it is now.
    pub(super) fn look(&mut self, name: &str, looks: &[(u32, bool)]) {
        for (width, is_dark) in looks.iter().copied() {
            self.browser.look(width, is_dark);
            let scheme = if is_dark { "dark" } else { "light" };
            let look = format!("{name}-{width}-{scheme}");
            self.browser.keep(&look);
            self.note(&look, &self.browser.script(CHECKS));
            self.note(&look, &axe_findings(self.browser, GOOD_PRACTICE));
        }
        // With room for the menu again.
        self.browser.look(1280, false);
        self.browser.assert_quiet();
    }

    fn note(&mut self, look: &str, found: &Value) {
        let found = found.as_array().expect("a list").iter();
        self.found.extend(found.map(|it| format!("{look}: {it}")));
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_page_can_be_used_by_everybody() {
    let server = format!("ops_token = \"{OPS_TOKEN}\"");
    let service = Service::with_server(TestDatabase::sqlite(), &server).await;
    let acme = service.organization("acme").await;
    let owner = acme.person(TeamRole::Owner).await;
    acme.person_named("grace@example.com", TeamRole::Member)
        .await;
    let long = "Worteohneleerzeichen".repeat(9);
    let program = json!({"name": long, "description": long, "permissions": ["organizations:GetOrganization"]});
    let made = owner.post("/service-accounts", program).await.created();
    let reader = acme.signer(&[Permission::GetOrganization]).await;
    let denied = reader.patch("/organizations/info", json!({"name": "Mine"}));
    denied.await.assert_refused(403, "NOT_PERMITTED");
    let main = format!("http://{}", service.address());
    let operations = format!("http://{}", service.operations_address());
    at_the_desk(|| {
        let Some(browser) = Browser::open(&main) else {
            return;
        };
        let mut inspection = Inspection::new(&browser);
        for page in OF_ANYBODY {
            inspection.look_at(page, "");
        }
        sign_in(&browser, &owner.email, PASSWORD);
        for (page, press) in OF_OWNERS {
            inspection.look_at(page, press);
        }
        let of_program = format!(
            "/portal/service-accounts/{}",
            made["id"].as_str().expect("an id")
        );
        inspection.look_at(&of_program, "");
        inspection.look_at(&of_program, "Create a key");
        let mut found = inspection.end();

        let browser = Browser::open(&operations).expect("a second browser");
        let mut inspection = Inspection::new(&browser);
        inspection.look_at("/sign-in", "");
        browser.fill("Operator token", OPS_TOKEN);
        browser.press("Sign in");
        browser.arrive_at("Policies in force");
        for page in OF_OPERATORS {
            inspection.look_at(page, "");
        }
        found.append(&mut inspection.end());
        assert!(found.is_empty(), "{}: {found:#?}", found.len());
    });
    service.stop().await;
}
