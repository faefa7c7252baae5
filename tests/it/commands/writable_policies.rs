//! A policy folder that the service, or everybody, could change is told of; it keeps nothing from being served.

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt as _;

use serde_json::Value;
use test_support::client::get;
use test_support::policy_world::whole_copy_of_shipped;
use test_support::process::{Charter, Home};

use super::Installation;

const BY_US: &str = "writable: the user that runs this process";
const BY_ALL: &str = "writable: every user of this machine";

fn home_on(folder: &tempfile::TempDir) -> Home {
    let dir = folder.path().display().to_string();
    Home::new()
        .with("CHARTER__POLICIES__DIR", &dir)
        .with("CHARTER__POLICIES__PROOFS", "off")
        .with("CHARTER__POLICIES__TESTS", "off")
}

fn warnings(of: &Value, start: &str) -> usize {
    let warnings = of.as_array().expect("warnings").iter();
    let texts = warnings.map(|warning| warning.as_str().expect("a text"));
    texts.filter(|text| text.starts_with(start)).count()
}

async fn policies(service: &Charter) -> Value {
    let ready = get(service.operations, "/readyz").await;
    let document = ready.json();
    assert_eq!(
        (ready.status, document["status"].as_str()),
        (200, Some("ok")),
        "{document}"
    );
    document["policies"].clone()
}

#[tokio::test]
async fn policies_that_the_service_could_change_are_told_of() {
    let folder = whole_copy_of_shipped();
    let installation = Installation::in_home(home_on(&folder));
    let checked = installation.json(&["check", "--json"]);
    let parts = checked["parts"].as_array().expect("parts");
    let part = parts.iter().find(|part| part["name"] == "policies");
    let notes = &part.expect("the policies")["notes"];
    assert_eq!(
        (warnings(notes, BY_US), warnings(notes, BY_ALL)),
        (1, 0),
        "{notes}"
    );

    let service = installation.serve();
    let before = policies(&service).await;
    assert_eq!(warnings(&before["warnings"], BY_US), 1, "{before}");
    assert_eq!(warnings(&before["warnings"], BY_ALL), 0, "{before}");
    assert!(installation.home.log().contains(BY_US));
    // Looked at again, whether the policies are edited or not.
    let invariants = folder.path().join("invariants");
    fs::set_permissions(&invariants, Permissions::from_mode(0o777)).expect("set");
    let after = loop {
        let now = policies(&service).await;
        if warnings(&now["warnings"], BY_ALL) == 1 {
            break now;
        }
        tokio::task::yield_now().await;
    };
    assert_eq!(warnings(&after["warnings"], BY_US), 1, "{after}");
    service.stop();
}

/// Whoever tries it out has the folder from an archive or a checkout of their own.
#[tokio::test]
async fn the_demo_says_nothing_of_its_own_folder() {
    let folder = whole_copy_of_shipped();
    let home = home_on(&folder);
    let checked = home.run(&["check", "--demo"]).success();
    assert!(!checked.contains("writable:"), "{checked}");
    let service = home.serve();
    let shown = policies(&service).await;
    assert_eq!(warnings(&shown["warnings"], "writable:"), 0, "{shown}");
    assert!(!home.log().contains("writable:"));
    service.stop();
}
