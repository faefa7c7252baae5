//! `charter user`: owners are made and replaced by operators, by mail or by a link that is handed over.

use serde_json::{Value, json};
use test_support::client::{Answer, send};
use test_support::process::{Charter, Home};
use test_support::services::TestDatabase;

use super::Installation;

const ADDRESS: (&str, &str) = ("CHARTER__PORTAL__BASE_URL", "http://localhost:8080");
const PASSWORD: &str = "correct horse battery staple";

fn with_acme(home: Home) -> Installation {
    let home = home
        .with(ADDRESS.0, ADDRESS.1)
        .with("CHARTER__POLICIES__PROOFS", "off");
    let installation = Installation::in_home(home);
    installation.run(&["migrate", "up"]).success();
    installation.json(&["organization", "create", "--name=Acme", "--slug=acme"]);
    installation
}

fn invite(installation: &Installation, email: &str, more: &[&str]) -> Value {
    installation.json(&[&["user", "invite", "acme", email], more].concat())
}

fn token(invitation: &Value) -> &str {
    let link = invitation["link"].as_str();
    let link = link.unwrap_or_else(|| panic!("no link: {invitation}"));
    let start = "http://localhost:8080/accept-invitation?token=";
    link.strip_prefix(start).expect(link)
}

async fn post(charter: &Charter, target: &str, body: Value) -> Answer {
    let body = body.to_string();
    let request = format!(
        "POST {target} HTTP/1.1\r\nhost: a\r\ncontent-type: application/json\r\ncontent-length: {}\r\n\r\n{body}",
        body.len()
    );
    send(charter.main, request).await
}

async fn accept(charter: &Charter, invitation: &Value) -> Answer {
    let body = json!({"token": token(invitation), "password": PASSWORD});
    post(charter, "/api/auth/accept-invitation", body).await
}

#[track_caller]
fn refused(installation: &Installation, arguments: &[&str], told: &str) {
    let outcome = installation.run(arguments);
    // A rule refuses it; what is no address, or has no settings to be made with, cannot be done.
    let is_impossible = told.starts_with("`EMAIL`") || told.starts_with("set `");
    let code = if is_impossible { 2 } else { 1 };
    assert_eq!(outcome.code, Some(code), "{arguments:?}: {outcome:?}");
    assert!(outcome.err.contains(told), "{arguments:?}: {}", outcome.err);
}

/// From an organization without anybody to its second owner.
async fn owners_are_made_and_replaced(home: Home) {
    let installation = with_acme(home);
    let first = invite(&installation, "Ada@acme.example", &[]);
    assert_eq!(
        (&first["email"], &first["role"]),
        (&json!("ada@acme.example"), &json!("owner"))
    );
    let second = invite(&installation, "ada@acme.example", &[]);
    let charter = installation.serve();
    accept(&charter, &first)
        .await
        .assert_refused(400, "INVALID_LINK");
    assert_eq!(accept(&charter, &second).await.status, 200);
    let login = json!({"email": "ada@acme.example", "password": PASSWORD});
    let login = post(&charter, "/api/auth/login", login).await;
    assert_eq!(login.status, 200);
    let list = installation.json(&["user", "list", "acme", "--json"]);
    let owners = list.as_array().expect("an array");
    assert_eq!(owners.len(), 1);
    assert_eq!(owners[0]["email_verified"], true);
    let member = ["user", "invite", "acme", "ada@acme.example"];
    refused(&installation, &member, "is a member already");
    refused(
        &installation,
        &["user", "disable", "ada@acme.example"],
        "only owner",
    );
    let demotion = ["user", "set-role", "ada@acme.example", "member"];
    refused(&installation, &demotion, "only owner");
    let third = invite(&installation, "bob@acme.example", &["--role=member"]);
    assert_eq!(accept(&charter, &third).await.status, 200);
    let bob = installation.json(&["user", "set-role", "bob@acme.example", "owner"]);
    assert_eq!(bob["role"], "owner");
    installation.json(&["user", "disable", "ada@acme.example"]);
    let login = json!({"email": "ada@acme.example", "password": PASSWORD});
    post(&charter, "/api/auth/login", login)
        .await
        .assert_refused(401, "INVALID_LOGIN");
    charter.stop();
    let events = installation.json(&["audit", "list", "acme", "--json"]);
    let by_operator = |action: &str| {
        let events = events.as_array().expect("events").iter();
        let events = events.filter(|event| event["action"] == action);
        events.filter(|event| event["actor"] == "operator").count()
    };
    assert_eq!(by_operator("operator.team:InviteMember"), 3);
    assert_eq!(by_operator("operator.team:ChangeRole"), 1);
    installation.run(&["audit", "verify"]).success();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn owners_are_made_and_replaced_on_sqlite() {
    owners_are_made_and_replaced(Home::new()).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn owners_are_made_and_replaced_on_postgresql() {
    if let Some(database) = TestDatabase::postgres().await {
        owners_are_made_and_replaced(Home::on(database)).await;
    }
}

#[test]
fn with_a_mail_server_the_link_is_in_the_mail_alone_unless_it_is_asked_for() {
    let home = Home::new()
        .with("CHARTER__MAIL__SMTP_URL", "smtp://127.0.0.1:1")
        .with("CHARTER__MAIL__FROM", "Charter <charter@example.com>");
    let installation = with_acme(home);
    let mailed = invite(&installation, "ada@acme.example", &[]);
    assert!(mailed["expires_at"].is_string() && mailed.get("link").is_none());
    let printed = invite(&installation, "ada@acme.example", &["--print"]);
    assert!(!token(&printed).is_empty());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_invitation_that_could_not_be_accepted_is_not_made() {
    let installation = with_acme(Home::new());
    let invite_ada = ["user", "invite", "acme", "ada@acme.example"];
    let asked = [&invite_ada[..], &["--role=emperor"]].concat();
    refused(
        &installation,
        &asked,
        "there is no role `emperor`; the schema has ",
    );
    refused(
        &installation,
        &["user", "invite", "acme", "ada"],
        "`EMAIL` ",
    );
    refused(
        &installation,
        &["user", "invite", "nobody", "ada@acme.example"],
        "there is no organization `nobody`",
    );
    installation.json(&["organization", "create", "--name=Other", "--slug=other-one"]);
    let ada = invite(&installation, "ada@acme.example", &[]);
    let charter = installation.serve();
    let accepted = accept(&charter, &ada).await;
    let elsewhere = ["user", "invite", "other-one", "ada@acme.example"];
    refused(
        &installation,
        &elsewhere,
        "is the address of a user of organization org-",
    );
    let login = accepted.json();
    let token = login["access_token"].as_str().expect("a token");
    let request = format!(
        "POST /api/portal/organization/deactivate HTTP/1.1\r\nhost: a\r\nauthorization: Bearer {token}\r\n\
         content-length: 0\r\n\r\n"
    );
    assert_eq!(send(charter.main, request).await.status, 200);
    let bob = ["user", "invite", "acme", "bob@acme.example"];
    refused(&installation, &bob, "`charter organization reactivate`");
    charter.stop();
    let nowhere = Installation::in_home(Home::new());
    nowhere.run(&["migrate", "up"]).success();
    nowhere.json(&["organization", "create", "--name=Acme", "--slug=acme"]);
    refused(&nowhere, &invite_ada, "set `portal.base_url`");
}
