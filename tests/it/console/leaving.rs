//! What is not lost by leaving: what was typed, a secret that is shown once, and the sessions that one means to end.

use serde_json::json;
use test_support::on_both_services;
use test_support::service::{PASSWORD, Persona as _, Service};

use super::{at_the_desk, end_sessions, owner_at_work};

on_both_services!(
    leaving_a_changed_form_asks_first,
    signing_out_in_another_tab_loses_nothing,
    a_secret_stays_until_it_is_stored,
    every_session_ends_whatever_has_become_of_it,
    a_second_click_does_nothing,
);

async fn leaving_a_changed_form_asks_first(service: &Service) {
    let Some((browser, _)) = owner_at_work(service).await else {
        return;
    };
    at_the_desk(|| {
        browser.press("Team");
        browser.arrive_at("Team");
        browser.press("Organization");
        browser.arrive_at("Organization");
        browser.fill("Name", "Typed");
        for leave in ["Sign out", "Accounts"] {
            browser.press(leave);
            browser.see("Leave without saving?");
            browser.press("Stay");
            assert_eq!(browser.value("Name"), "Typed");
        }
        browser.back();
        browser.see("Leave without saving?");
        browser.press("Stay");
        assert_eq!(browser.path(), "/portal/organization");
        assert_eq!(browser.value("Name"), "Typed");
        browser.back();
        browser.press("Leave");
        browser.arrive_at("Team");
        assert_eq!(browser.path(), "/portal/team");
        browser.press("Accounts");
        browser.press("Create an account");
        browser.see("A JSON object");
        browser.press_escape();
        browser.gone("A JSON object");
        browser.press("Create an account");
        browser.fill("Name", "Typed");
        browser.press_escape();
        browser.see("Leave without saving?");
        browser.press_escape();
        browser.gone("Leave without saving?");
        assert_eq!(browser.value("Name"), "Typed");
        browser.press_escape();
        browser.press("Leave");
        browser.gone("A JSON object");
        browser.assert_quiet();
    });
}

async fn signing_out_in_another_tab_loses_nothing(service: &Service) {
    let Some((browser, owner)) = owner_at_work(service).await else {
        return;
    };
    at_the_desk(|| {
        browser.press("Organization");
        browser.arrive_at("Organization");
        browser.fill("Name", "Typed before");
        let here = browser.open_tab();
        browser.visit("/portal/team");
        browser.arrive_at("Team");
        let other = browser.open_tab();
        browser.visit("/portal");
        browser.arrive_at("Overview");
        browser.press("Sign out");
        browser.arrive_at("Sign in");
        browser.go_to_tab(&other);
        browser.arrive_at("Sign in");
        assert_eq!(browser.path(), "/sign-in?return=%2Fportal%2Fteam");
        browser.go_to_tab(&here);
        browser.see("Your session has ended");
        browser.fill("Password", PASSWORD);
        browser.press("Sign in");
        browser.gone("Your session has ended");
        assert_eq!(browser.value("Name"), "Typed before");
        browser.press("Save profile");
        browser.see("Saved.");
        browser.assert_quiet();
    });
    let stored = service
        .session_of(&owner.email)
        .await
        .get("/api/portal/organization")
        .await
        .ok();
    assert_eq!(stored["name"], "Typed before");
}

async fn a_secret_stays_until_it_is_stored(service: &Service) {
    let Some((browser, owner)) = owner_at_work(service).await else {
        return;
    };
    let program = json!({"name": "Export"});
    let made = owner.post("/service-accounts", program).await.created();
    let id = made["id"].as_str().expect("an id").to_owned();
    at_the_desk(|| {
        browser.press("Service accounts");
        browser.press("Export");
        browser.arrive_at("Export");
        browser.press("Create a key");
        browser.press("Create the key");
        let secret = browser.copyable("Secret key");
        for _ in 0..3 {
            browser.press_escape();
        }
        assert_eq!(browser.copyable("Secret key"), secret);
        browser.back();
        browser.see("The secret is shown this once.");
        browser.press("Stay");
        assert_eq!(browser.copyable("Secret key"), secret);
        assert_eq!(browser.path(), format!("/portal/service-accounts/{id}"));
        browser.press("Copy: Secret key");
        // Whether the browser lets it be copied or not.
        browser.hear("opied");
        browser.keep("secret");
        browser.press("I have stored the secret");
        browser.focused("Create a key");
        browser.assert_quiet();
    });
}

async fn every_session_ends_whatever_has_become_of_it(service: &Service) {
    let Some((browser, owner)) = owner_at_work(service).await else {
        return;
    };
    at_the_desk(|| {
        browser.press("Profile");
        browser.see("an unknown browser");
    });
    // One that is listed has ended, and there is a new one.
    end_sessions(&owner, true).await;
    let newer = service.session_of(&owner.email).await;
    at_the_desk(|| {
        browser.press("Sign out everywhere…");
        browser.press("Sign out everywhere");
        browser.arrive_at("Sign in");
        browser.assert_quiet();
    });
    let refused = newer.get("/api/portal/me").await;
    refused.assert_refused(401, "INVALID_TOKEN");
}

async fn a_second_click_does_nothing(service: &Service) {
    const TWICE: &str = "const real = fetch; globalThis.asked = 0; \
        globalThis.fetch = (...given) => { asked += /acc-/.test(given[0]); return real(...given); }; \
        const edit = document.querySelector('[aria-label=\"Edit Default\"]'); edit.click(); edit.click()";
    let Some((browser, _)) = owner_at_work(service).await else {
        return;
    };
    at_the_desk(|| {
        browser.press("Accounts");
        browser.see("Default");
        browser.script(TWICE);
        browser.see("Edit the account");
        assert_eq!(browser.script("return asked"), 1);
        browser.assert_quiet();
    });
}
