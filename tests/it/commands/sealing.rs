//! `charter keys reseal`: an old sealing key is retired without a secret that is lost.

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
    let installation = Installation::migrated();
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
}
