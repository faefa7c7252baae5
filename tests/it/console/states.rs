//! Pages in the states that they come into while somebody works, looked at as accessible.rs looks at pages at rest.

use std::fs;

use serde_json::json;
use test_support::service::{PASSWORD, Persona as _, Service, TeamRole};
use test_support::services::TestDatabase;

use super::accessible::{Inspection, OPS_TOKEN};
use super::browser::Browser;
use super::{at_the_desk, browser, end_sessions, sign_in};
use crate::access::domains::Folder;

/// Wide and narrow, light and dark.
const LOOKS: [(u32, bool); 4] = [(1280, false), (1280, true), (360, false), (360, true)];

const END_SESSION: &str =
    "return fetch('/session', {method: 'DELETE'}).then((answer) => answer.status)";
const WIDER: &str = "@id(\"wider\")\n\
    permit (principal, action == Action::\"organizations:UpdateOrganization\", resource);\n";

impl Inspection<'_> {
    fn state(&mut self, name: &str) {
        self.look(&format!("state-{name}"), &LOOKS);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_state_of_the_portal_can_be_used_by_everybody() {
    let service = Service::with(TestDatabase::sqlite(), "").await;
    let Some(browser) = browser(&service) else {
        service.stop().await;
        return;
    };
    let acme = service.organization("acme").await;
    let owner = acme.person(TeamRole::Owner).await;
    let program = json!({"name": "Export", "permissions": ["organizations:GetOrganization"]});
    let program = owner.post("/service-accounts", program).await.created();
    let path = format!(
        "/service-accounts/{}",
        program["id"].as_str().expect("an id")
    );
    let key = owner.post(&format!("{path}/keys"), json!({}));
    let key = key.await.created();
    let access_key = key["access_key"].as_str().expect("an access key");
    let denied = service
        .holder(&key)
        .patch("/organizations/info", json!({"name": "Mine"}));
    denied.await.assert_refused(403, "NOT_PERMITTED");
    let mut inspection = Inspection::new(&browser);
    at_the_desk(|| {
        browser.visit("/sign-in");
        browser.fill("E-mail", &owner.email);
        browser.fill("Password", "another good password");
        browser.press("Sign in");
        browser.see("wrong");
        inspection.state("wrong-password");
        sign_in(&browser, &owner.email, PASSWORD);
        browser.visit(&format!("/portal{path}"));
        browser.press(&format!("Rotate {access_key}"));
        browser.see("The old key goes on working");
        inspection.state("rotate");
        browser.press("Cancel");
        browser.press(&format!("Revoke {access_key}"));
        browser.see("That cannot be undone");
        inspection.state("revoke");
        browser.press("Cancel");
        browser.press("Create a key");
        browser.fill("Only from these addresses", "nowhere");
        browser.press("Create the key");
        browser.wait_for("[aria-invalid=true]");
        inspection.state("key-refused");
        browser.fill("Only from these addresses", "127.0.0.1");
        browser.press("Create the key");
        browser.press("Lines that use it: shell, curl, Python, TypeScript");
        browser.press("Sign a curl line");
        browser.see("signed now");
        inspection.state("new-key");
        browser.press("I have stored the secret");
        for page in ["audit-events", "denied-requests"] {
            browser.visit(&format!("/portal/{page}"));
            browser.open_first(".feed summary");
            browser.see("Request");
            browser.settle();
            inspection.state(page);
        }
        browser.visit("/portal/keys?older_than_days=365");
        browser.see("No such keys");
        inspection.state("nothing-fits");
        browser.visit("/portal/organization");
        browser.fill("Name", "Slower");
    });
    let faster = json!({"name": "Faster", "slug": "acme"});
    owner.put("/api/portal/organization", faster).await.ok();
    at_the_desk(|| {
        browser.press("Save profile");
        browser.see("Somebody else changed this meanwhile");
        inspection.state("conflict");
    });
    end_sessions(&owner, false).await;
    at_the_desk(|| {
        browser.press("Save profile");
        browser.see("Your session has ended");
        inspection.state("session-ended");
        let found = inspection.end();
        assert!(found.is_empty(), "{}: {found:#?}", found.len());
    });
    service.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_state_of_the_workbench_can_be_used_by_everybody() {
    let folder = Folder::with(&["records", "todo"]);
    let policies = format!(
        "dir = \"{}\"\ncheck_timeout = \"100s\"\ntests = \"off\"\nproofs = \"off\"",
        folder.path().display()
    );
    let server = format!("ops_token = \"{OPS_TOKEN}\"");
    let service =
        Service::with_server_and_policies(TestDatabase::sqlite(), &server, &policies).await;
    let acme = service.organization("acme").await;
    let reader = acme.signer(&[]).await;
    let denied = reader
        .patch("/organizations/info", json!({"name": "Mine"}))
        .await;
    denied.assert_refused(403, "NOT_PERMITTED");
    let address = format!("http://{}", service.operations_address());
    at_the_desk(|| {
        let Some(browser) = Browser::open(&address) else {
            return;
        };
        let mut inspection = Inspection::new(&browser);
        browser.visit("/workbench/policies");
        browser.arrive_at("Sign in");
        browser.fill("Operator token", &OPS_TOKEN.replace('0', "1"));
        browser.press("Sign in");
        browser.see("That is not the operator token");
        inspection.state("wrong-token");
        browser.fill("Operator token", OPS_TOKEN);
        browser.press("Sign in");
        browser.arrive_at("Policies in force");
        refused(&mut inspection, &browser, &folder);
        asked(&mut inspection, &browser);
        let found = inspection.end();
        assert!(found.is_empty(), "{}: {found:#?}", found.len());
    });
    service.stop().await;
}

fn refused(inspection: &mut Inspection<'_>, browser: &Browser, folder: &Folder) {
    folder.write("todo", "todo.cedar", "this is no policy");
    let file = folder.path().join("roles.cedar");
    let sound = fs::read_to_string(&file).expect("a file");
    fs::write(&file, format!("{sound}\npermit (")).expect("an edit");
    browser.see("A newer folder is refused");
    browser.see("A newer folder of the domain todo is refused");
    inspection.state("refused-notices");
    for page in ["refused-edit", "refused-edit?domain=todo"] {
        browser.visit(&format!("/workbench/{page}"));
        browser.see("What was changed");
        inspection.state(&page.replace("?domain=", "-"));
    }
    fs::write(&file, sound).expect("an edit");
}

fn asked(inspection: &mut Inspection<'_>, browser: &Browser) {
    browser.visit("/workbench/decisions?outcome=deny");
    browser.open_first(".decisions summary");
    browser.see("nearest permit");
    inspection.state("decision");
    browser.press("Try this request");
    browser.arrive_at("Try a request");
    browser.press("Try");
    browser.see("No policy permits it");
    inspection.state("try");
    browser.fill("From the address", "nowhere");
    browser.press("Try");
    browser.see("must be an IP address");
    inspection.state("try-refused");
    browser.fill("From the address", "");
    browser.drop_files(&[("wider.cedar", WIDER)]);
    browser.press("Try");
    browser.see("Allowed there, and denied by the policies in force.");
    inspection.state("try-folder");
    browser.press("Compare a folder");
    browser.arrive_at("Compare a folder");
    browser.drop_files(&[("wider.cedar", WIDER)]);
    for (kind, shown) in [
        (
            "Replay recorded decisions",
            "recorded decision would change",
        ),
        ("What it allows, for every request", "What it means"),
    ] {
        browser.choose("Compare", kind);
        browser.press("Compare");
        browser.see(shown);
        inspection.state(&format!("compare-{}", &kind[..4].to_lowercase()));
    }
    browser.visit("/workbench/access?domain=records");
    browser.arrive_at("Who may, what may");
    browser.fill("Action", "write");
    browser.fill("Resource id", "record-1");
    browser.press("Who may?");
    browser.see("alice");
    inspection.state("access-domain");
    browser.visit("/workbench/try?domain=records");
    browser.arrive_at("Try a request");
    browser.fill("Resource properties", "[]");
    browser.press("Try");
    browser.see("Enter an object");
    inspection.state("try-domain-refused");
    browser.press("Who may, what may");
    browser.arrive_at("Who may, what may");
    assert_eq!(browser.script(END_SESSION), 204);
    browser.fill("Action", "write");
    browser.fill("Resource id", "record-1");
    browser.press("Who may?");
    browser.see("Your session has ended");
    inspection.state("operator-session-ended");
}
