//! What goes wrong while people work: another tab, a service that is away, something that is gone already.

use serde_json::{Value, json};
use test_support::on_both_services;
use test_support::service::{PASSWORD, Persona as _, Service, TeamRole};

use super::{at_the_desk, browser, end_sessions, owner_at_work, sign_in};

on_both_services!(
    two_tabs_that_change_the_same_lose_nothing,
    a_service_that_is_away_is_said_and_asked_again,
    failed_actions_are_reported,
);

async fn two_tabs_that_change_the_same_lose_nothing(service: &Service) {
    let Some(browser) = browser(service) else {
        return;
    };
    let acme = service.organization("acme").await;
    let owner = acme.person(TeamRole::Owner).await;
    let staging = json!({"name": "Staging", "metadata": {"team": "a"}});
    let account: Value = owner.post("/accounts", staging).await.created();
    at_the_desk(|| {
        sign_in(&browser, &owner.email, PASSWORD);
        browser.press("Accounts");
        browser.press("Edit Staging");
        browser.fill("Name", "Slower");
        browser.fill("Metadata", r#"{"team": "a", "mine": 1}"#);
        let slower = browser.open_tab();
        browser.visit("/portal/accounts");
        browser.press("Edit Staging");
        browser.fill("Name", "Faster");
        browser.press("Save");
        browser.see("Faster");
        browser.go_to_tab(&slower);
        browser.press("Save");
        browser.see("Somebody else changed this meanwhile");
        browser.see("What you entered is kept.");
        // By whom: it was the same person.
        browser.see(&owner.email);
        browser.keep("two-tabs");
        assert_eq!(browser.value("Name"), "Slower");
        assert!(browser.value("Metadata").contains("mine"));
        browser.press("Take theirs: Name");
        assert_eq!(browser.value("Name"), "Faster");
        browser.press("Save");
        browser.see("Saved.");
        browser.assert_quiet();
    });
    let path = format!("/accounts/{}", account["id"].as_str().expect("an id"));
    let stored = owner.get(&path).await.ok();
    assert_eq!(stored["name"], "Faster");
    assert_eq!(stored["metadata"], json!({"team": "a", "mine": 1}));
}

async fn a_service_that_is_away_is_said_and_asked_again(service: &Service) {
    let Some((browser, owner)) = owner_at_work(service).await else {
        return;
    };
    at_the_desk(|| {
        browser.press("Organization");
        browser.arrive_at("Organization");
        browser.fill("Name", "Typed before");
        browser.set_offline(true);
        browser.press("Save profile");
        browser.see("Charter cannot be reached.");
        browser.see("What you entered is kept");
        browser.keep("away");
        assert_eq!(browser.value("Name"), "Typed before");
    });
    let stored = owner.get("/api/portal/organization").await.ok();
    assert_eq!(stored["name"], "Acme Corporation");
    at_the_desk(|| {
        browser.set_offline(false);
        browser.gone("Charter cannot be reached.");
        assert_eq!(browser.value("Name"), "Typed before");
        browser.press("Save profile");
        browser.see("Saved.");
        // A page that is read meanwhile appears by itself when the service is back.
        browser.press("Accounts");
        browser.arrive_at("Accounts");
        browser.press("Team");
        browser.arrive_at("Team");
        browser.set_offline(true);
        browser.press("Accounts");
        browser.see("Charter cannot be reached.");
        browser.set_offline(false);
        browser.see("Default");
        browser.gone("Charter cannot be reached.");
    });
    let stored = owner.get("/api/portal/organization").await.ok();
    assert_eq!(stored["name"], "Typed before");
}

async fn failed_actions_are_reported(service: &Service) {
    let Some((browser, owner)) = owner_at_work(service).await else {
        return;
    };
    at_the_desk(|| {
        browser.press("Profile");
        browser.see("an unknown browser");
    });
    end_sessions(&owner, true).await;
    at_the_desk(|| {
        browser.press("End the session of an unknown browser");
        browser.see("That did not work");
        browser.see("NOT_FOUND");
        browser.press("Close");
        browser.assert_quiet();
    });
}
