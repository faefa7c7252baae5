//! Edits in the portal: what others change meanwhile, what is kept as it was entered, and what is not offered.

use serde_json::{Value, json};
use test_support::on_both_services;
use test_support::service::{PASSWORD, Persona as _, Service, TeamRole};

use super::{at_the_desk, browser, owner_at_work, sign_in};

on_both_services!(
    two_forms_of_one_page_undo_nothing,
    a_renamed_organization_is_closed_by_its_new_name,
    concurrent_edits_of_a_service_account_are_merged,
    metadata_is_kept_as_it_is_or_refused,
    a_name_has_two_hundred_characters_of_any_kind,
    a_role_that_somebody_else_changed_is_not_overwritten,
    actions_that_a_role_may_not_take_are_not_offered,
);

const ORGANIZATION: &str = "/api/portal/organization";

async fn two_forms_of_one_page_undo_nothing(service: &Service) {
    let Some((browser, owner)) = owner_at_work(service).await else {
        return;
    };
    at_the_desk(|| {
        browser.press("Organization");
        browser.arrive_at("Organization");
        browser.see("Regions and billing");
    });
    let faster = json!({"name": "Faster", "slug": "acme"});
    owner.put(ORGANIZATION, faster).await.ok();
    at_the_desk(|| {
        // It does not show what was changed: nothing to ask.
        browser.fill("Billing contact", "billing@acme.example");
        browser.press("Save settings");
        browser.see("Saved.");
        browser.press("Dismiss");
        browser.fill("Slug", "acme-labs");
        browser.press("Save profile");
        browser.see("Somebody else changed this meanwhile");
        browser.see("Name: their change is below, beside yours.");
        assert_eq!(browser.value("Name"), "Faster");
        assert_eq!(browser.value("Slug"), "acme-labs");
        browser.press("Save profile");
        browser.see("Saved.");
        browser.assert_quiet();
    });
    let stored = owner.get(ORGANIZATION).await.ok();
    assert_eq!(stored["name"], "Faster");
    assert_eq!(stored["slug"], "acme-labs");
    assert_eq!(stored["contactEmail"], "billing@acme.example");
}

async fn a_renamed_organization_is_closed_by_its_new_name(service: &Service) {
    let Some((browser, owner)) = owner_at_work(service).await else {
        return;
    };
    at_the_desk(|| {
        browser.press("Organization");
        browser.arrive_at("Organization");
        browser.fill("Name", "Renamed");
        browser.press("Save profile");
        browser.see("Saved.");
        browser.press("Deactivate the organization…");
        browser.see("To go on, type it: Renamed");
    });
    let settings = json!({"contact_email": "billing@acme.example"});
    let path = format!("{ORGANIZATION}/settings");
    owner.put(&path, settings).await.ok();
    at_the_desk(|| {
        browser.fill("The organization's name", "Renamed");
        browser.press("Deactivate for good");
        browser.see("Somebody else changed the organization meanwhile.");
        browser.fill("The organization's name", "Renamed");
        browser.press("Deactivate for good");
        browser.see("This organization is deactivated.");
        browser.assert_quiet();
    });
    let stored = owner.get(ORGANIZATION).await.ok();
    assert_eq!(stored["isActive"], false);
}

async fn concurrent_edits_of_a_service_account_are_merged(service: &Service) {
    let Some((browser, owner)) = owner_at_work(service).await else {
        return;
    };
    let program =
        json!({"name": "Export", "permissions": ["accounts:ListAccounts"], "metadata": {"a": 1}});
    let made = owner.post("/service-accounts", program).await.created();
    let path = format!("/service-accounts/{}", made["id"].as_str().expect("an id"));
    at_the_desk(|| {
        browser.visit(&format!("/portal{path}"));
        browser.arrive_at("Export");
        browser.fill("Description", "Mine");
        browser.tick("Get organization");
    });
    let given = ["accounts:ListAccounts", "accounts:GetAccount"];
    let theirs = json!({"permissions": given, "metadata": {"b": 2}});
    owner.patch(&path, theirs).await.ok();
    at_the_desk(|| {
        browser.press("Save");
        browser.see("Permissions: their change is below, beside yours.");
        browser.press("Save");
        browser.see("Saved.");
        browser.assert_quiet();
    });
    let stored = owner.get(&path).await.ok();
    let mut permissions = stored["permissions"].as_array().expect("a list").clone();
    permissions.sort_by_key(Value::to_string);
    let all = [
        "accounts:GetAccount",
        "accounts:ListAccounts",
        "organizations:GetOrganization",
    ];
    assert_eq!(json!(permissions), json!(all));
    assert_eq!(stored["description"], "Mine");
    assert_eq!(stored["metadata"], json!({"a": 1, "b": 2}));
}

async fn metadata_is_kept_as_it_is_or_refused(service: &Service) {
    let Some((browser, owner)) = owner_at_work(service).await else {
        return;
    };
    let account = json!({"name": "Staging", "metadata": {"y": 1}});
    let account: Value = owner.post("/accounts", account).await.created();
    at_the_desk(|| {
        browser.press("Accounts");
        browser.press("Edit Staging");
        browser.fill("Metadata", r#"{"y": null}"#);
        browser.press("Save");
        browser.see("\"y\" is null, and metadata keeps no null.");
        browser.fill("Metadata", r#"{"y": {"z": [null], "w": null}}"#);
        browser.press("Save");
        browser.see("\"w\" is null, and metadata keeps no null.");
        browser.fill("Metadata", r#"{"y": 1, "__proto__": {"x": [null]}}"#);
        browser.press("Save");
        browser.see("Saved.");
        browser.assert_quiet();
    });
    let path = format!("/accounts/{}", account["id"].as_str().expect("an id"));
    let stored = owner.get(&path).await.ok();
    let kept = json!({"y": 1, "__proto__": {"x": [null]}});
    assert_eq!(stored["metadata"], kept);
}

async fn a_name_has_two_hundred_characters_of_any_kind(service: &Service) {
    let Some((browser, owner)) = owner_at_work(service).await else {
        return;
    };
    let name = "\u{1f600}".repeat(200);
    at_the_desk(|| {
        browser.press("Accounts");
        browser.press("Create an account");
        browser.paste("Name", &format!("{name}a"));
        browser.press("Create the account");
        browser.see("Enter at most 200 characters; these are 201.");
        browser.paste("Name", &name);
        browser.press("Create the account");
        browser.see("The account is created.");
        browser.assert_quiet();
    });
    let accounts = owner.get("/accounts").await.ok();
    let mut accounts = accounts["results"].as_array().expect("accounts").iter();
    assert!(accounts.any(|it| it["name"] == name.as_str()));
}

async fn a_role_that_somebody_else_changed_is_not_overwritten(service: &Service) {
    let Some(browser) = browser(service) else {
        return;
    };
    let acme = service.organization("acme").await;
    let owner = acme.person(TeamRole::Owner).await;
    let grace = acme
        .person_named("grace@example.com", TeamRole::Member)
        .await;
    let path = format!("/api/portal/team/{}/role", grace.id);
    at_the_desk(|| {
        sign_in(&browser, &owner.email, PASSWORD);
        browser.press("Team");
        browser.press("Change role of grace@example.com");
        browser.press("Change the role");
        browser.see("grace@example.com is member now.");
        // Where one was, although the list is a new one.
        browser.focused("Change role of grace@example.com");
        browser.press("Change role of grace@example.com");
        browser.see("What member may do");
    });
    owner.put(&path, json!({"role": "owner"})).await.ok();
    at_the_desk(|| {
        browser.press("Change the role");
        browser.see("Somebody else made this person owner meanwhile.");
        browser.press("Cancel");
        browser.assert_quiet();
    });
    let team = owner.get("/api/portal/team").await.ok();
    let grace = team
        .as_array()
        .expect("members")
        .iter()
        .find(|it| it["email"] == "grace@example.com");
    assert_eq!(grace.expect("she is there")["role"], "owner");
}

async fn actions_that_a_role_may_not_take_are_not_offered(service: &Service) {
    let Some(browser) = browser(service) else {
        return;
    };
    let acme = service.organization("acme").await;
    let owner = acme.person(TeamRole::Owner).await;
    let member = acme.person(TeamRole::Member).await;
    let admin = acme.person(TeamRole::Admin).await;
    at_the_desk(|| {
        sign_in(&browser, &admin.email, PASSWORD);
        browser.press("Team");
        browser.press(&format!("Change role of {}", member.email));
        browser.see("What member may do");
        let roles = "return [...document.querySelectorAll('dialog option')].map((it) => it.value)";
        assert_eq!(browser.script(roles), json!(["admin", "member"]));
        browser.press("Cancel");
        let offered = browser
            .script("return document.querySelector('main').innerHTML")
            .to_string();
        assert!(!offered.contains(&format!("Change role of {}", owner.email)));
        browser.press("Sign out");
        browser.arrive_at("Sign in");
        sign_in(&browser, &member.email, PASSWORD);
        browser.visit("/portal/service-accounts/new");
        browser.see("Policy does not allow you to create service accounts.");
        browser.assert_quiet();
    });
}
