//! Further tasks of people in the portal: passwords, keys in use, exports, denials.

use std::fs;
use std::path::Path;

use serde_json::json;
use test_support::on_both_services;
use test_support::polling::found;
use test_support::service::{PASSWORD, Persona as _, Service, TeamRole};

use super::{at_the_desk, browser, owner_at_work, sign_in};

on_both_services!(
    a_forgotten_password_is_reset,
    a_password_is_changed_in_the_profile,
    a_verification_is_sent_again,
    a_key_is_rotated_and_its_first_request_is_told,
    the_key_report_finds_keys_by_what_is_wrong_with_them,
    events_are_exported,
    a_denied_request_says_why,
    regions_are_chosen,
);

const ANOTHER: &str = "another good password";

/// The page's clock is the service's.
const AT_NOON: &str = "const RealDate = Date; globalThis.Date = class extends RealDate { \
    constructor(...given) { super(...(given.length ? given : ['2025-09-30T12:00:00Z'])); } }";

async fn a_forgotten_password_is_reset(service: &Service) {
    let Some(browser) = browser(service) else {
        return;
    };
    let acme = service.organization("acme").await;
    let owner = acme.person(TeamRole::Owner).await;
    at_the_desk(|| {
        browser.visit("/sign-in");
        browser.press("Forgot your password?");
        browser.arrive_at("Forgot your password?");
        browser.fill("E-mail", &owner.email);
        browser.press("Send the link");
        browser.see("a mail is on its way");
    });
    let token = service.link("reset-password", &owner.email, 1).await;
    let link = format!("/reset-password?token={token}");
    at_the_desk(|| {
        browser.visit(&link);
        browser.arrive_at("Choose another password");
        // Out of the address, and so out of the history.
        assert_eq!(browser.path(), "/reset-password");
        browser.fill("New password", "short");
        browser.press("Set the password");
        browser.see("at least");
        browser.fill("New password", ANOTHER);
        browser.press("Set the password");
        browser.arrive_at("Your password is changed");
        browser.press("Sign in");
        browser.arrive_at("Sign in");
        browser.fill("E-mail", &owner.email);
        browser.fill("Password", PASSWORD);
        browser.press("Sign in");
        browser.see("wrong");
        browser.fill("Password", ANOTHER);
        browser.press("Sign in");
        browser.arrive_at("Overview");
        // A link is good once.
        browser.visit(&link);
        browser.fill("New password", PASSWORD);
        browser.press("Set the password");
        browser.wait_for("[role=alert], [aria-invalid=true]");
        browser.assert_quiet();
    });
    assert_eq!(owner.get("/api/portal/me").await.status, 401);
}

async fn a_password_is_changed_in_the_profile(service: &Service) {
    let Some((browser, owner)) = owner_at_work(service).await else {
        return;
    };
    at_the_desk(|| {
        browser.visit("/portal/profile");
        browser.arrive_at("Profile");
        browser.fill("Current password", ANOTHER);
        browser.fill("New password", ANOTHER);
        browser.press("Change the password");
        browser.wait_for("[role=alert], [aria-invalid=true]");
        browser.fill("Current password", PASSWORD);
        browser.press("Change the password");
        browser.see("The password is changed.");
        browser.press("Sign out");
        browser.arrive_at("Sign in");
        sign_in(&browser, &owner.email, ANOTHER);
        browser.assert_quiet();
    });
}

async fn a_verification_is_sent_again(service: &Service) {
    let Some(browser) = browser(service) else {
        return;
    };
    at_the_desk(|| {
        browser.visit("/register");
        browser.arrive_at("Register an organization");
        browser.fill("Organization's name", "Zoo");
        browser.fill("Slug", "zoo");
        browser.fill("Your e-mail", "ada@zoo.example");
        browser.fill("Password", PASSWORD);
        browser.press("Register");
        browser.arrive_at("Overview");
        browser.press("Send the mail again");
        browser.see("on its way");
        browser.assert_quiet();
    });
    let token = service.link("verify-email", "ada@zoo.example", 2).await;
    assert!(!token.is_empty());
}

async fn a_key_is_rotated_and_its_first_request_is_told(service: &Service) {
    let Some((browser, owner)) = owner_at_work(service).await else {
        return;
    };
    let program = json!({"name": "Export", "permissions": ["organizations:GetOrganization"]});
    let program = owner.post("/service-accounts", program).await.created();
    let path = format!(
        "/service-accounts/{}",
        program["id"].as_str().expect("an id")
    );
    let key = owner
        .post(
            &format!("{path}/keys"),
            json!({"description": "The nightly job"}),
        )
        .await
        .created();
    let old = service.holder(&key);
    let access_key = key["access_key"].as_str().expect("an access key");
    let line = at_the_desk(|| {
        browser.visit(&format!("/portal{path}"));
        browser.see("The nightly job");
        browser.script(AT_NOON);
        browser.press(&format!("Rotate {access_key}"));
        browser.choose("The old key goes on working", "Not at all: it ends now");
        browser.press("Rotate");
        browser.see("Waiting for its first request…");
        assert_ne!(browser.copyable("Access key"), access_key);
        let secret = browser.copyable("Secret key");
        browser.press("Lines that use it: shell, curl, Python, TypeScript");
        for (label, part) in [
            (
                "Environment, for the lines below",
                format!("CHARTER_SECRET_KEY='{secret}'"),
            ),
            (
                "Shell",
                "charter request GET /organizations/info".to_owned(),
            ),
            ("Python", "SigningAuth(signer)".to_owned()),
            ("TypeScript", "createFetch(credentialsFromEnv())".to_owned()),
        ] {
            assert!(browser.copyable(label).contains(&part), "{label}");
        }
        browser.press("Sign a curl line");
        browser.copyable("curl, signed now: good once, for five minutes")
    });
    let mut request = service.anonymous().get("/organizations/info");
    for header in line.split("-H '").skip(1) {
        let header = header.split('\'').next().and_then(|it| it.split_once(": "));
        let (name, value) = header.expect("a header");
        request = request.header(name, value);
    }
    request.await.ok();
    let refused = old.get("/organizations/info").await;
    refused.assert_refused(401, "KEY_EXPIRED");
    at_the_desk(|| {
        browser.see("Its first request has arrived.");
        browser.press("I have stored the secret");
        browser.gone(access_key);
        browser.assert_quiet();
    });
}

async fn the_key_report_finds_keys_by_what_is_wrong_with_them(service: &Service) {
    let Some((browser, owner)) = owner_at_work(service).await else {
        return;
    };
    let made = owner
        .post("/service-accounts", json!({"name": "Export"}))
        .await;
    let keys = format!(
        "/service-accounts/{}/keys",
        made.created()["id"].as_str().expect("an id")
    );
    let mut made = Vec::new();
    for (description, expires) in [
        ("For good", json!(null)),
        ("For a week", json!("2025-10-05T12:00:00Z")),
        ("Ended", json!(null)),
    ] {
        let key = json!({"description": description, "expires_at": expires});
        made.push(owner.post(&keys, key).await.created());
    }
    let ended = made[2]["id"].as_str().expect("an id");
    owner.delete(&format!("{keys}/{ended}")).await.no_content();
    at_the_desk(|| {
        browser.press("Keys");
        browser.arrive_at("Keys");
        browser.see("For good");
        browser.see("For a week");
        browser.gone("Ended");
        browser.choose("Expires within", "7 days");
        browser.press("Filter");
        browser.gone("For good");
        browser.see("For a week");
        assert!(browser.path().contains("expires_within_days=7"));
        browser.press("Show all");
        browser.see("For good");
        browser.choose("State", "Active and ended ones");
        browser.press("Filter");
        browser.see("Revoked");
        browser.choose("Older than", "365 days");
        browser.press("Filter");
        browser.see("No such keys");
        browser.assert_quiet();
    });
}

async fn events_are_exported(service: &Service) {
    let Some((browser, owner)) = owner_at_work(service).await else {
        return;
    };
    // No spreadsheet takes a name for a formula.
    let name = "=1+1, \"or\" more";
    let account = json!({"name": name});
    owner.post("/accounts", account).await.created();
    let folder = tempfile::tempdir().expect("a folder");
    at_the_desk(|| {
        browser.download_to(folder.path());
        browser.press("Audit events");
        browser.see("Create account");
        browser.press("Export as CSV");
        browser.hear("Exported: ");
        browser.press("Export as JSON lines");
    });
    let lines = saved(&folder.path().join("audit-events.jsonl")).await;
    let events: Vec<serde_json::Value> = lines
        .lines()
        .map(|line| serde_json::from_str(line).expect("JSON"))
        .collect();
    let made = events
        .iter()
        .find(|event| event["action"] == "accounts:CreateAccount");
    assert_eq!(made.expect("an event")["changes"]["after"]["name"], name);
    let table = saved(&folder.path().join("audit-events.csv")).await;
    assert!(table.starts_with("sequence,at,actor,action,object,changes,"));
    assert_eq!(table.lines().count(), events.len() + 1, "{table}");
    at_the_desk(|| browser.assert_quiet());
}

/// A file as soon as the browser has written it whole.
async fn saved(file: &Path) -> String {
    found("the file is saved", async || fs::read_to_string(file).ok()).await
}

async fn a_denied_request_says_why(service: &Service) {
    let Some((browser, owner)) = owner_at_work(service).await else {
        return;
    };
    let program = json!({"name": "Reader", "permissions": ["organizations:GetOrganization"]});
    let program = owner.post("/service-accounts", program).await.created();
    let id = program["id"].as_str().expect("an id");
    let key = owner.post(&format!("/service-accounts/{id}/keys"), json!({}));
    let reader = service.holder(&key.await.created());
    let denied = reader
        .patch("/organizations/info", json!({"name": "Mine"}))
        .await;
    denied.assert_refused(403, "NOT_PERMITTED");
    let decision = denied.json()["error"]["decision_id"].clone();
    let decision = decision.as_str().expect("a decision");
    at_the_desk(|| {
        browser.press("Denied requests");
        browser.arrive_at("Denied requests");
        browser.see("Update organization");
        browser.see("Reader");
        browser.open_first(".feed summary");
        browser.see(decision);
        browser.see("No policy permits it");
        browser.fill("By", "Reader");
        browser.fill("Permission", "organizations:GetOrganization");
        browser.press("Filter");
        browser.see("No denied request fits the filter.");
        browser.press("Show all");
        browser.see("Update organization");
        browser.assert_quiet();
    });
}

async fn regions_are_chosen(service: &Service) {
    let Some((browser, owner)) = owner_at_work(service).await else {
        return;
    };
    at_the_desk(|| {
        browser.press("Organization");
        browser.arrive_at("Organization");
        browser.see("Regions and billing");
    });
    let before = owner.get("/api/portal/organization").await.ok();
    assert_eq!(before["allowedRegions"].as_array().map(Vec::len), Some(3));
    at_the_desk(|| {
        browser.choose("Default region", "US, east (us-east-2)");
        browser.tick("US, east");
        browser.press("Save settings");
        browser.wait_for("[role=alert], [aria-invalid=true]");
        browser.choose("Default region", "Canada, central (ca-central-1)");
        browser.press("Save settings");
        browser.see("Saved.");
        browser.assert_quiet();
    });
    let now = owner.get("/api/portal/organization").await.ok();
    assert_eq!(
        (&now["allowedRegions"], &now["defaultRegion"]),
        (
            &json!(["ca-central-1", "eu-central-1"]),
            &json!("ca-central-1")
        )
    );
}
