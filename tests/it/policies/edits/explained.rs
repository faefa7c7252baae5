//! A decision is explained, and asked again, by the policies that took it, whatever the folder holds by now.

use std::fs;

use charter_domain::permission::Permission;
use serde_json::{Value, json};
use test_support::service::Persona as _;

use super::{in_force, live, serve_copy};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn decisions_are_explained_by_the_policies_that_made_them() {
    let (folder, service) = serve_copy("tests = \"off\"\nproofs = \"off\"").await;
    let dir = folder.path();
    let acme = service.organization("acme").await;
    let nobody = acme.signer(&[]).await;
    let auditor = acme.signer(&[Permission::GetDecision]).await;
    let answer = nobody.get("/organizations/info").await;
    answer.assert_refused(403, "NOT_PERMITTED");
    let answer = answer.json();
    let id = answer["error"]["decision_id"]
        .as_str()
        .expect("an id")
        .to_owned();
    let then = in_force(&service);

    let open = "@id(\"open-all\")\npermit (principal, action, resource);\n";
    fs::write(dir.join("open.cedar"), open).expect("an edit");
    live(&service, dir, "open to all").await;
    let shown = auditor.get(&format!("/decisions/{id}")).await.ok();
    assert_eq!(shown["policy_digest"], json!(*then));
    assert_eq!(shown["explanation"]["policy_digest"], json!(*then));
    assert_eq!(shown["explanation"]["ruling"], "not_permitted");

    // A folder that cannot even be read explains nothing, and need not.
    fs::write(dir.join("broken.cedar"), "permit (").expect("an edit");
    let told = service.told(&["policy", "explain", &id, "--json"]);
    let told: Value = serde_json::from_str(&told).expect("JSON");
    assert_eq!(told["explanation"]["ruling"], "not_permitted");
    assert_eq!(told["notes"], json!([]));
    let log = service.directory().join("decisions").display().to_string();
    let told = service.told(&["policy", "replay", &log]);
    assert!(
        told.contains(" 0 not reproduced") && !told.contains("other policies"),
        "{told}"
    );
    service.stop().await;
}
