//! `charter organization` and `charter key`: from nothing to a request that is answered.

use test_support::process::Home;
use test_support::signed_client::{Client, Credentials};

use super::Installation;

fn text<'a>(value: &'a serde_json::Value, member: &str) -> &'a str {
    value[member]
        .as_str()
        .unwrap_or_else(|| panic!("no {member}: {value}"))
}

/// The exit code, and what is told.
#[track_caller]
fn refused(installation: &Installation, arguments: &[&str]) -> String {
    let outcome = installation.run(arguments);
    assert_eq!(outcome.out, "", "{outcome:?}");
    let code = outcome.code.expect("an end of its own");
    format!("{code} {}", outcome.err)
}

#[test]
fn organizations_are_made_listed_and_shown() {
    let installation = Installation::migrated();
    let made = installation.json(&["organization", "create", "--name=Acme Inc.", "--slug=acme"]);
    installation.json(&["organization", "create", "--name=Other", "--slug=other-one"]);
    let list = installation.run(&["organization", "list"]).success();
    let list: Vec<serde_json::Value> = list
        .lines()
        .map(|line| serde_json::from_str(line).expect("a JSON line"))
        .collect();
    let slugs: Vec<_> = list.iter().map(|one| text(one, "slug")).collect();
    assert_eq!(slugs, ["acme", "other-one"]);
    for named in ["id", "code", "slug"] {
        let shown = installation.json(&["organization", "show", text(&made, named)]);
        assert_eq!(shown, list[0], "by {named}");
    }
    let uuid = text(&made, "uuid");
    insta::assert_json_snapshot!(made, {
        ".id" => "org-…", ".uuid" => "…", ".code" => "…", ".created_at" => "…",
        ".default_account_id" => "acc-…"
    });
    assert_eq!(uuid.len(), 36);
}

#[test]
fn invalid_arguments_are_named() {
    let installation = Installation::migrated();
    let create = ["organization", "create", "--name=Acme", "--slug=acme"];
    installation.json(&create);
    let robot = "--name=robot";
    let unknown_owner = "--service-account=sa-01m83mhvxje0crk8q6w2y7we30";
    let said: Vec<String> = [
        create.as_slice(),
        &["organization", "create", "--name=", "--slug=a-b"],
        &["organization", "create", "--name=a", "--slug=Admin"],
        &["organization", "create", "--name=a", "--slug=api"],
        &["organization", "show", "nobody"],
        &["organization", "reactivate", "nobody"],
        &["key", "issue", "nobody", robot],
        &["key", "issue", "acme"],
        &["key", "issue", "acme", robot, unknown_owner],
        &["key", "issue", "acme", unknown_owner],
        &["key", "issue", "acme", "--service-account=sa-1"],
        &[
            "key",
            "issue",
            "acme",
            robot,
            "--permission=organizations:Nothing",
        ],
        &["key", "issue", "acme", robot, "--expires-at=tomorrow"],
        &[
            "key",
            "issue",
            "acme",
            robot,
            "--expires-at=2020-01-01T00:00:00Z",
        ],
        &["key", "revoke", "key-01m83mhvzzemfat3nd3qqt5mtx"],
        &["key", "revoke", "sa_aaaaaa_bbbbbb_nobody"],
        &["key", "list", "nobody"],
        &["audit", "list", "acme", "--since=yesterday"],
    ]
    .iter()
    .map(|arguments| {
        let said = refused(&installation, arguments);
        format!("$ charter {}\n{said}", arguments.join(" "))
    })
    .collect();
    insta::assert_snapshot!(said.join("\n"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_key_that_an_operator_issues_works_at_once_and_until_it_is_revoked() {
    let installation = Installation::migrated();
    let organization = installation.json(&["organization", "create", "--name=Acme", "--slug=acme"]);
    let read = "--permission=organizations:GetOrganization";
    let key = installation.json(&["key", "issue", "acme", "--name=Robot", read]);
    let credentials = |key: &serde_json::Value| {
        Credentials::new(text(key, "access_key"), text(key, "secret_key"))
    };
    let get = |key| credentials(key).sign("GET", "/organizations/info", "");
    // The first start on a database that operators made: there is nothing to have forgotten.
    let charter = installation.serve();
    let mut client = Client::http1(charter.main);
    let answer = client.send(&get(&key)).await;
    assert_eq!(answer.status, 200, "{}", answer.json());
    assert_eq!(text(&answer.json(), "id"), text(&organization, "id"));
    let patch = credentials(&key).sign("PATCH", "/organizations/info", r#"{"name":"a"}"#);
    client
        .send(&patch)
        .await
        .assert_refused(403, "NOT_PERMITTED");
    let owner = format!("--service-account={}", text(&key, "service_account_id"));
    let second = installation.json(&["key", "issue", "acme", &owner]);
    assert_eq!(client.send(&get(&second)).await.status, 200);
    charter.stop();
    let listed = || installation.run(&["key", "list", "acme"]).success();
    assert_eq!(listed().lines().count(), 2);
    assert!(!listed().contains("secret"), "{}", listed());
    // By its text or by its id, once and once more.
    for named in ["access_key", "id"] {
        let revoked = installation.json(&["key", "revoke", text(&key, named)]);
        assert_eq!(text(&revoked, "id"), text(&key, "id"));
        assert!(revoked["revoked_at"].is_string(), "{revoked}");
    }
    assert_eq!(listed().lines().count(), 1);
    let all = installation.run(&["key", "list", "acme", "--include-inactive"]);
    assert_eq!(all.success().lines().count(), 2);
    let revocations = [
        "audit",
        "list",
        "acme",
        "--action=operator.service-accounts:RevokeKey",
    ];
    let revocation = installation.json(&revocations);
    assert_eq!(
        (text(&revocation, "actor"), text(&revocation, "object")),
        ("operator", text(&key, "id"))
    );
    assert!(revocation["changes"]["after"]["revoked_at"].is_string());
    let events = installation
        .run(&["audit", "list", "acme", "--limit=2"])
        .success();
    let sequences: Vec<_> = events
        .lines()
        .map(|line| {
            serde_json::from_str::<serde_json::Value>(line).expect("a line")["sequence"].as_i64()
        })
        .collect();
    assert!(
        sequences.len() == 2 && sequences[0] > sequences[1],
        "{sequences:?}"
    );
    let charter = installation.serve();
    let mut client = Client::http1(charter.main);
    client
        .send(&get(&key))
        .await
        .assert_refused(401, "KEY_REVOKED");
    assert_eq!(client.send(&get(&second)).await.status, 200);
    charter.stop();
    installation.run(&["audit", "verify"]).success();
}

#[test]
fn somebody_is_kept_out_and_let_in_again() {
    let home = Home::new();
    let charter = home.serve();
    let email = charter.demo.value("CHARTER_PORTAL_EMAIL").to_owned();
    let run = |arguments: &[&str]| home.run(&[&["user", "--demo"], arguments].concat());
    let list = run(&["list", "acme"]).success();
    let owner: serde_json::Value = serde_json::from_str(&list).expect("one JSON line");
    assert_eq!(
        (text(&owner, "email"), text(&owner, "role")),
        (&*email, "owner")
    );
    let refusal = run(&["disable", &email]);
    assert_eq!(refusal.code, Some(1));
    assert!(refusal.err.contains("only owner"), "{}", refusal.err);
    let nobody = run(&["disable", "nobody@acme.example"]).err;
    assert!(nobody.contains("no user has the address"), "{nobody}");
    let enabled = run(&["enable", &email.to_uppercase()]).success();
    assert!(enabled.contains("\"is_active\":true"), "{enabled}");
    for whose in [[&*email].as_slice(), &["--organization=acme"], &["--all"]] {
        let ended = run(&[&["sign-out"], whose].concat()).success();
        assert_eq!(ended, "{\"ended_sessions\":0}\n");
    }
    for wrong in [[].as_slice(), &[&*email, "--all"]] {
        assert_eq!(run(&[&["sign-out"], wrong].concat()).code, Some(2));
    }
    charter.stop();
}
