//! Policies of an earlier version, whose schema lacks what this version asks about, explain their decisions.

use std::sync::Arc;
use std::time::Duration;

use charter_authz::folder::{Files, Folder, SCHEMA};
use charter_authz::snapshot::Snapshot;
use charter_domain::permission::Permission;
use charter_store::{NewPolicyRevision, TakenAs};
use serde_json::{Value, json};
use test_support::service::{Persona as _, Service};

use super::{in_force, serve_copy};

/// The shipped folder without a permission that this version asks about.
fn earlier(files: &Files) -> Files {
    let mut files = files.clone();
    let schema = files.get(SCHEMA).expect("a schema");
    let older = schema
        .replace("  \"me:EndSession\",\n", "")
        .replace("action \"me:EndSession\", ", "action ");
    assert!(!older.contains("me:EndSession"), "{older}");
    files.insert(SCHEMA.to_owned(), Arc::from(older));
    files
}

/// Records a folder that was in force, with these texts.
async fn record(service: &Service, folder: &Folder, files: Files) -> i64 {
    let revision = NewPolicyRevision {
        whole_digest: folder.whole_digest().to_string(),
        policy_digest: folder.digest().to_string(),
        manifest_version: None,
        files,
        taken_as: TakenAs::Edit,
        in_force_from: service.state().clock.now(),
    };
    let by = service.operator();
    let accepted = service.store().accept_policies(None, &revision, &by);
    accepted.await.expect("recorded")
}

/// Commands read the log's files.
fn written(service: &Service) {
    let is_written = service.state().decisions.flush(Duration::from_mins(1));
    assert!(is_written, "not written");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn decisions_from_before_an_upgrade_are_explained_and_asked_again() {
    let (folder, service) = serve_copy("tests = \"off\"\nproofs = \"off\"").await;
    let acme = service.organization("acme").await;
    let (nobody, auditor) = (
        acme.signer(&[]).await,
        acme.signer(&[Permission::GetDecision]).await,
    );
    let now = Folder::read(folder.path()).expect("a folder");
    let before = Folder::of_revision(None, 0, earlier(now.files())).expect("a folder");
    let number = record(&service, &before, before.files().clone()).await;
    Snapshot::from_folder(&before).expect_err("what this version would not serve");
    let engine = &service.state().engine;
    engine.replace(Snapshot::from_recorded(&before).expect("an earlier version's"));
    let answer = nobody.get("/organizations/info").await;
    answer.assert_refused(403, "NOT_PERMITTED");
    let id = answer.json()["error"]["decision_id"].clone();
    let id = id.as_str().expect("an id");
    written(&service);
    let then = in_force(&service);
    engine.replace(Snapshot::load(folder.path()).expect("the folder"));

    let shown = auditor.get(&format!("/decisions/{id}")).await.ok();
    assert_eq!(shown["policy_digest"], json!(*then));
    assert_eq!(shown["explanation"]["ruling"], "not_permitted");
    let told = service.told(&["policy", "explain", id, "--json"]);
    let told: Value = serde_json::from_str(&told).expect("JSON");
    assert_eq!(told["explanation"]["ruling"], "not_permitted");
    let log = service.directory().join("decisions").display().to_string();
    let told = service.told(&["policy", "replay", &log]);
    assert!(
        told.contains(" 0 not reproduced") && !told.contains("other policies"),
        "{told}"
    );
    // What the service would refuse is not written, and the revision is named.
    let refused = service.ran(&["policy", "rollback", &number.to_string(), "--yes"]);
    assert_eq!(refused.code, Some(1), "{refused:?}");
    for told in [
        format!("`revision {number}` would be refused by this version"),
        "the schema has no permission `me:EndSession`".to_owned(),
        format!("revision {number}/schema.cedarschema:"),
    ] {
        assert!(refused.err.contains(&told), "{refused:?}");
    }
    let after = Folder::read(folder.path()).expect("a folder");
    assert_eq!(after.whole_digest(), now.whole_digest());
    service.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn only_policies_that_cannot_be_parsed_are_left_out() {
    let (folder, service) = serve_copy("tests = \"off\"\nproofs = \"off\"").await;
    let acme = service.organization("acme").await;
    let nobody = acme.signer(&[]).await;
    let now = Folder::read(folder.path()).expect("a folder");
    let before = Folder::of_revision(None, 0, earlier(now.files())).expect("a folder");
    let mut cut = before.files().clone();
    cut.insert(
        "cut.cedar".to_owned(),
        Arc::from("permit (principal, action"),
    );
    let number = record(&service, &before, cut).await;
    let engine = &service.state().engine;
    engine.replace(Snapshot::from_recorded(&before).expect("an earlier version's"));
    let answer = nobody.get("/organizations/info").await;
    let id = answer.json()["error"]["decision_id"].clone();
    let id = id.as_str().expect("an id").to_owned();
    written(&service);
    let refused = service.ran(&["policy", "explain", &id]);
    assert_eq!(refused.code, Some(2), "{refused:?}");
    let told = format!("revision {number} of the policies cannot be read by this version");
    assert!(refused.err.contains(&told), "{refused:?}");
    let log = service.directory().join("decisions").display().to_string();
    let counted = service.ran(&["policy", "replay", &log]);
    assert_eq!(counted.code, Some(2), "{counted:?}");
    let others = "decision was taken by other policies";
    assert!(
        counted.out.contains(&told) && counted.out.contains(others),
        "{counted:?}"
    );
    service.stop().await;
}

#[test]
fn a_domain_of_an_earlier_version_needs_no_more_than_to_be_parsed() {
    // Nobody says who its principals are, which this version refuses.
    let files: Files = [
        (SCHEMA, "entity User { name: String };\nentity Task;\naction \"read\" appliesTo { principal: [User], resource: [Task] };\n"),
        ("a.cedar", "@id(\"a\")\npermit (principal, action, resource);\n"),
        ("routes.toml", "[[route]]\npath = 1\n"),
    ]
    .map(|(name, text)| (name.to_owned(), Arc::from(text)))
    .into();
    let folder = Folder::of_revision(Some("todo"), 7, files).expect("a folder");
    let error = Snapshot::from_folder(&folder).expect_err("faulty routes");
    assert!(error.report().contains("revision 7/routes.toml"), "{error}");
    let recorded = Snapshot::from_recorded(&folder).expect("parsed");
    assert!(recorded.is_custom_domain() && recorded.digest() == folder.digest());
    // A carriage return alone is refused today.
    let older = "@id(\"a\")\npermit (principal, action, resource)\rwhen { true };\n";
    let mut files = folder.files().clone();
    files.insert("a.cedar".to_owned(), Arc::from(older));
    let folder = Folder::of_revision(Some("todo"), 9, files).expect("a folder");
    assert!(Snapshot::from_folder(&folder).is_err());
    Snapshot::from_recorded(&folder).expect("parsed");
}
