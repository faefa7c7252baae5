//! `charter keys reseal`: an old sealing key is retired without a secret that is lost.

use test_support::client::get;
use test_support::process::Home;
use test_support::signed_client::{Client, Credentials};

use super::Installation;

/// The settings file's line of sealing keys, with others in its place.
fn with_sealing(installation: &Installation, keys: &[&str]) {
    let file = installation.home.file("charter.toml");
    let text = std::fs::read_to_string(&file).expect("settings");
    let lines = text.lines().map(|line| {
        if line.starts_with("sealing = ") {
            format!("sealing = {keys:?}")
        } else {
            line.to_owned()
        }
    });
    let text: Vec<String> = lines.collect();
    std::fs::write(&file, text.join("\n")).expect("written");
}

fn sealing_key(installation: &Installation) -> String {
    let text = std::fs::read_to_string(installation.home.file("charter.toml")).expect("settings");
    let line = text.lines().find(|line| line.starts_with("sealing = "));
    let key = line.and_then(|line| line.split('"').nth(1));
    key.expect("a sealing key").to_owned()
}

async fn is_let_in(installation: &Installation, credentials: &Credentials) -> bool {
    let charter = installation.serve();
    let mut client = Client::http1(charter.main);
    let request = credentials.sign("GET", "/organizations/info", "");
    let status = client.send(&request).await.status;
    charter.stop();
    status == 200
}

#[tokio::test]
async fn an_old_sealing_key_is_retired_and_every_secret_still_signs() {
    let installation = Installation::in_home(Home::new().with("CHARTER__POLICIES__PROOFS", "off"));
    installation.run(&["migrate", "up"]).success();
    installation.json(&["organization", "create", "--name=Acme", "--slug=acme"]);
    let permission = "--permission=organizations:GetOrganization";
    let issued = installation.json(&["key", "issue", "acme", "--name=robot", permission]);
    let text = |member: &str| issued[member].as_str().expect("a text").to_owned();
    let credentials = Credentials::new(&text("access_key"), &text("secret_key"));
    let old = sealing_key(&installation);
    let new = sealing_key(&Installation::new());
    let reseal = || {
        installation
            .home
            .run(&["keys", "reseal", &installation.config, "--json"])
    };

    // No process has the new key yet.
    with_sealing(&installation, &[&new, &old]);
    let outcome = reseal();
    assert_eq!((outcome.code, &*outcome.out), (Some(1), ""), "{outcome:?}");
    assert!(outcome.err.contains("restart them"), "{outcome:?}");
    assert!(is_let_in(&installation, &credentials).await);
    let out = reseal().success();
    let done: serde_json::Value = serde_json::from_str(&out).expect("JSON");
    assert_eq!(done, serde_json::json!({ "sealed_anew": 1, "failed": [] }));
    with_sealing(&installation, &[&new]);
    assert!(is_let_in(&installation, &credentials).await);

    // Whatever cannot be opened is named, and stays as it is.
    let third = sealing_key(&Installation::new());
    with_sealing(&installation, &[&third, &new]);
    installation.serve().stop();
    with_sealing(&installation, &[&third]);
    let outcome = reseal();
    assert_eq!(outcome.code, Some(1), "{outcome:?}");
    assert!(outcome.out.contains("key-"), "{outcome:?}");
    with_sealing(&installation, &[&third, &new]);
    assert!(is_let_in(&installation, &credentials).await);

    // Removed all the same, it is missed before and after a start.
    assert_eq!(installation.run(&["check"]).code, Some(0));
    with_sealing(&installation, &[&third]);
    let checked = installation.run(&["check"]);
    assert_eq!(checked.code, Some(1), "{checked:?}");
    let id = new.split(':').next().expect("an id");
    let told = format!("`{id}` (access keys: 1, queued mails: 0)");
    assert!(checked.err.contains(&told), "{checked:?}");
    assert!(checked.out.contains("keys       finding"), "{checked:?}");
    let document = installation.run(&["check", "--json"]);
    assert_eq!(document.code, Some(1), "{document:?}");
    let charter = installation.serve();
    let request = credentials.sign("GET", "/organizations/info", "");
    let refused = Client::http1(charter.main).send(&request).await;
    assert_eq!(refused.status, 401);
    assert_eq!(refused.json()["error"]["code"], "INVALID_SIGNATURE");
    let readiness = loop {
        let readiness = get(charter.operations, "/readyz").await.json();
        if readiness["keys"]["status"] != "ok" {
            break readiness;
        }
    };
    assert_eq!(readiness["status"], "degraded");
    let reason = readiness["keys"]["reason"].as_str().expect("a reason");
    assert!(reason.contains(&told), "{reason}");
    let metrics = get(charter.operations, "/metrics").await.body;
    let metrics = String::from_utf8(metrics).expect("text");
    for line in [
        "charter_ready{part=\"keys\"} 0",
        "charter_ready{part=\"database\"} 1",
        "charter_access_keys_unreadable_total 1",
    ] {
        assert!(metrics.lines().any(|it| it == line), "{line}: {metrics}");
    }
    charter.stop();
}
