//! Lists of several pages: all of it can be reached, and one comes back to where one was.

use serde_json::json;
use test_support::on_both_services;
use test_support::service::{Persona as _, Service};

use super::{at_the_desk, owner_at_work};

on_both_services!(
    a_list_is_where_it_was_when_one_comes_back,
    every_key_can_be_reached,
    filters_take_the_words_that_the_list_shows,
);

async fn a_list_is_where_it_was_when_one_comes_back(service: &Service) {
    let Some((browser, owner)) = owner_at_work(service).await else {
        return;
    };
    for number in 0..21 {
        let program = json!({"name": format!("Program {number:02}")});
        owner.post("/service-accounts", program).await.created();
    }
    let account = owner
        .post("/accounts", json!({"name": "Empty"}))
        .await
        .created();
    at_the_desk(|| {
        browser.press("Service accounts");
        browser.press("Next");
        browser.see("Page 2 of 2");
        assert_eq!(browser.path(), "/portal/service-accounts?page=2");
        // There is no next one that could keep the focus.
        browser.focused("All service accounts");
        let first = browser.script("return document.querySelector('main tbody a').textContent");
        let first = first.as_str().expect("a name");
        browser.press(first);
        browser.arrive_at(first);
        browser.back();
        browser.see("Page 2 of 2");
        browser.visit("/portal/service-accounts?page=2");
        browser.see("Page 2 of 2");
        browser.press("Previous");
        browser.see("Page 1 of 2");
        browser.back();
        browser.see("Page 2 of 2");
        browser.assert_quiet();
    });
    let id = account["id"].as_str().expect("an id");
    let closed = owner.patch(&format!("/accounts/{id}"), json!({"is_active": false}));
    closed.await.ok();
    at_the_desk(|| {
        browser.visit(&format!("/portal/service-accounts?account_id={id}"));
        browser.see("No service accounts yet");
        assert_eq!(browser.value("Of the account"), id);
        browser.assert_quiet();
    });
}

async fn every_key_can_be_reached(service: &Service) {
    let Some((browser, owner)) = owner_at_work(service).await else {
        return;
    };
    let made = owner
        .post("/service-accounts", json!({"name": "Export"}))
        .await;
    let path = format!(
        "/service-accounts/{}",
        made.created()["id"].as_str().expect("an id")
    );
    let keys = format!("{path}/keys");
    for number in 0..21 {
        let key = json!({"description": format!("Key {number:02}")});
        let key = owner.post(&keys, key).await.created();
        let id = key["id"].as_str().expect("an id");
        owner.delete(&format!("{keys}/{id}")).await.no_content();
    }
    let last = owner
        .post(&keys, json!({"description": "The last"}))
        .await
        .created();
    let last = last["access_key"].as_str().expect("an access key");
    at_the_desk(|| {
        browser.visit(&format!("/portal{path}"));
        browser.see("The last");
        browser.press(&format!("Revoke {last}"));
        browser.press("Revoke");
        browser.see("The key is revoked.");
        // Its button is gone.
        browser.focused("Keys");
        browser.tick("Include ended keys");
        browser.press("Next");
        browser.see("Page 2 of 2");
        let rows = "return document.querySelectorAll('main tbody tr').length";
        assert_eq!(browser.script(rows), 2);
        browser.back();
        browser.see("Page 1 of 2");
        browser.assert_quiet();
    });
}

async fn filters_take_the_words_that_the_list_shows(service: &Service) {
    let Some((browser, owner)) = owner_at_work(service).await else {
        return;
    };
    owner
        .post("/accounts", json!({"name": "Staging"}))
        .await
        .created();
    at_the_desk(|| {
        browser.press("Audit events");
        browser.see("Create account");
        browser.see("Staging");
        browser.fill("Action", "Create account");
        browser.fill("By", &owner.email);
        browser.press("Filter");
        browser.see("Show all");
        browser.see("Staging");
        browser.gone("Sign in");
        assert!(
            browser.path().contains("action=accounts%3ACreateAccount&")
                || browser.path().contains("&action=accounts%3ACreateAccount")
        );
        assert_eq!(browser.value("By"), owner.email);
        browser.assert_quiet();
    });
}
