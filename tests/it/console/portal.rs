//! What people do in the portal, in a browser, on both databases. Each test fails on errors of scripts and on
//! violations of the page's policy, too.

use serde_json::json;
use test_support::on_both_services;
use test_support::service::{PASSWORD, Persona, Service, TeamRole};

use super::{at_the_desk, browser, end_sessions, owner_at_work, sign_in};

on_both_services!(
    a_person_signs_in_and_makes_a_key,
    somebody_registers_verifies_and_invites_a_colleague,
    an_organization_is_closed_after_its_name_is_typed,
    a_stale_edit_keeps_the_form,
    a_session_that_ends_loses_nothing,
    actions_that_policy_denies_are_not_offered,
);

async fn a_person_signs_in_and_makes_a_key(service: &Service) {
    let Some((browser, _)) = owner_at_work(service).await else {
        return;
    };
    let (access_key, secret_key, id) = at_the_desk(|| {
        browser.press("Service accounts");
        browser.press("Create a service account");
        browser.arrive_at("Create a service account");
        browser.fill("Name", "Billing export");
        browser.tick("Get organization");
        browser.press("Create the service account");
        browser.arrive_at("Billing export");
        let path = browser.path();
        browser.press("Create a key");
        browser.fill("Only from these addresses", "nowhere");
        browser.press("Create the key");
        browser.see("nowhere");
        browser.keep("make-a-key");
        browser.fill("Only from these addresses", "127.0.0.1");
        browser.press("Create the key");
        let made = (
            browser.copyable("Access key"),
            browser.copyable("Secret key"),
            path.rsplit('/').next().expect("an id").to_owned(),
        );
        browser.keep("new-key");
        browser.press("I have stored the secret");
        browser.see(&made.0);
        browser.press(&format!("Revoke {}", made.0));
        browser.press("Cancel");
        browser.assert_quiet();
        made
    });
    let key = json!({
        "id": "key", "service_account_id": id, "access_key": access_key, "secret_key": secret_key,
    });
    let holder = service.holder(&key);
    holder.get("/organizations/info").await.ok();
    at_the_desk(|| {
        let shown = browser
            .script("return document.documentElement.outerHTML")
            .to_string();
        assert!(!shown.contains(&secret_key), "the secret is shown once");
        let kept = browser.script("return JSON.stringify({...localStorage, ...sessionStorage})");
        assert_eq!(kept, r#"{"charter.signed-in":"yes"}"#);
        browser.press(&format!("Revoke {access_key}"));
        browser.press("Revoke");
        browser.see("The key is revoked.");
        browser.assert_quiet();
    });
    let refused = holder.get("/organizations/info").await;
    refused.assert_refused(401, "KEY_REVOKED");
}

async fn somebody_registers_verifies_and_invites_a_colleague(service: &Service) {
    let Some(ada) = browser(service) else { return };
    let Some(bob) = browser(service) else { return };
    at_the_desk(|| {
        ada.visit("/register");
        ada.arrive_at("Register an organization");
        ada.fill("Organization's name", "Zoo");
        ada.fill("Slug", "Not a slug");
        ada.fill("Your e-mail", "ada@zoo.example");
        ada.fill("Password", PASSWORD);
        ada.press("Register");
        ada.see("with single hyphens between them");
        assert_eq!(ada.value("Organization's name"), "Zoo");
        ada.fill("Slug", "zoo");
        ada.press("Register");
        ada.arrive_at("Overview");
        ada.see("Your e-mail address is not verified yet.");
        ada.keep("not-verified");
    });
    let token = service.link("verify-email", "ada@zoo.example", 1).await;
    at_the_desk(|| {
        ada.visit(&format!("/verify-email?token={token}"));
        ada.arrive_at("Verify your e-mail address");
        assert_eq!(ada.path(), "/verify-email");
        ada.fill("Password", PASSWORD);
        ada.press("Verify");
        ada.arrive_at("Your address is verified");
        sign_in(&ada, "ada@zoo.example", PASSWORD);
        ada.press("Team");
        ada.arrive_at("Team");
        ada.press("Invite a user");
        ada.fill("E-mail", "bob@zoo.example");
        ada.press("Invite");
        ada.see("An invitation is on its way to bob@zoo.example.");
        ada.keep("team");
    });
    let token = service
        .link("accept-invitation", "bob@zoo.example", 1)
        .await;
    at_the_desk(|| {
        bob.visit(&format!("/accept-invitation?token={token}"));
        bob.arrive_at("Accept the invitation");
        bob.fill("Password", "another good password");
        bob.press("Join");
        bob.arrive_at("Overview");
        ada.visit("/portal/team");
        ada.press("Change role of bob@zoo.example");
        ada.press("Cancel");
        ada.press("Remove bob@zoo.example");
        ada.press("Remove");
        ada.see("bob@zoo.example is removed.");
        bob.press("Team");
        bob.see("Your session has ended");
        bob.press("Leave the page");
        bob.arrive_at("Sign in");
        ada.assert_quiet();
        bob.assert_quiet();
    });
}

async fn an_organization_is_closed_after_its_name_is_typed(service: &Service) {
    let Some((browser, owner)) = owner_at_work(service).await else {
        return;
    };
    at_the_desk(|| {
        browser.press("Organization");
        browser.arrive_at("Organization");
        browser.press("Deactivate the organization…");
        browser.see("every access key is revoked for good");
        browser.fill("The organization's name", "Acme");
        browser.press("Deactivate for good");
        browser.see("That is not the name.");
        browser.keep("deactivate");
    });
    let shown = owner.get("/api/portal/organization").await.ok();
    assert_eq!(shown["isActive"], true);
    at_the_desk(|| {
        browser.fill("The organization's name", "Acme Corporation");
        browser.press("Deactivate for good");
        browser.see("This organization is deactivated.");
        browser.press("Sign out");
        browser.arrive_at("Sign in");
        browser.assert_quiet();
    });
    let shown = owner.get("/api/portal/organization").await.ok();
    assert_eq!(shown["isActive"], false);
}

async fn a_stale_edit_keeps_the_form(service: &Service) {
    let Some((browser, owner)) = owner_at_work(service).await else {
        return;
    };
    at_the_desk(|| {
        browser.press("Organization");
        browser.arrive_at("Organization");
        browser.fill("Name", "Slower");
    });
    let faster = json!({"name": "Faster", "slug": "acme"});
    owner.put("/api/portal/organization", faster).await.ok();
    at_the_desk(|| {
        browser.press("Save profile");
        browser.see("Somebody else changed this meanwhile");
        browser.keep("conflict");
        browser.see("Faster");
        assert_eq!(browser.value("Name"), "Slower");
        browser.press("Save profile");
        browser.see("Saved.");
        browser.assert_quiet();
    });
    let shown = owner.get("/api/portal/organization").await.ok();
    assert_eq!(shown["name"], "Slower");
}

async fn a_session_that_ends_loses_nothing(service: &Service) {
    let Some(browser) = browser(service) else {
        return;
    };
    let owner = service
        .organization("acme")
        .await
        .person(TeamRole::Owner)
        .await;
    at_the_desk(|| {
        browser.visit("/portal/organization");
        browser.arrive_at("Sign in");
        browser.fill("E-mail", &owner.email);
        browser.fill("Password", PASSWORD);
        browser.press("Sign in");
        // Back to where one was.
        browser.arrive_at("Organization");
        browser.fill("Name", "Typed before");
    });
    end_sessions(&owner, false).await;
    at_the_desk(|| {
        browser.press("Save profile");
        browser.see("Your session has ended");
        browser.keep("session-ended");
        browser.fill("Password", PASSWORD);
        browser.press("Sign in");
        browser.see("Saved.");
        browser.assert_quiet();
    });
    let shown = owner.get("/api/portal/organization").await.ok();
    assert_eq!(shown["name"], "Typed before");
}

async fn actions_that_policy_denies_are_not_offered(service: &Service) {
    let Some(browser) = browser(service) else {
        return;
    };
    let acme = service.organization("acme").await;
    let member = acme.person(TeamRole::Member).await;
    at_the_desk(|| {
        sign_in(&browser, &member.email, PASSWORD);
        for (page, heading) in [
            ("/portal/organization", "Organization"),
            ("/portal/team", "Team"),
            ("/portal/accounts", "Accounts"),
            ("/portal/service-accounts", "Service accounts"),
        ] {
            browser.visit(page);
            browser.arrive_at(heading);
            let offered = browser.script(
                "return [...document.querySelectorAll('main button')].map((it) => it.textContent)",
            );
            assert_eq!(offered, json!([]), "{page}");
        }
        browser.visit("/portal/nowhere");
        browser.arrive_at("There is no such page");
        browser.assert_quiet();
    });
}
