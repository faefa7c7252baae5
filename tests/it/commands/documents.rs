//! `charter keys generate` and `charter openapi`: what they print can be used as it is.

use std::collections::BTreeSet;
use std::process::Stdio;

use charter::settings::Settings;
use test_support::process::Home;
use test_support::signed_client::Http1;

#[test]
fn generated_keys_are_a_settings_file_and_never_the_same() {
    let home = Home::new();
    let mut seen = BTreeSet::new();
    for _ in 0..3 {
        let printed = home.run(&["keys", "generate"]).success();
        let settings = Settings::from_sources(&printed, []).expect("settings");
        let keys = settings.require_keys().expect("keys");
        let json = home.run(&["keys", "generate", "--json"]).success();
        let json: serde_json::Value = serde_json::from_str(&json).expect("JSON");
        let same = toml::to_string(&json).expect("TOML");
        let settings_of_json = Settings::from_sources(&same, []).expect("settings");
        let others = settings_of_json.require_keys().expect("keys");
        assert!(seen.insert(*others.replay.expose()));
        assert!(seen.insert(*others.refresh[0].expose()));
        assert!(seen.insert(*keys.replay.expose()));
        assert!(seen.insert(*keys.sealing[0].expose()));
        assert_eq!((keys.token.len(), keys.refresh.len()), (1, 1));
    }
}

#[tokio::test]
async fn openapi_prints_what_the_service_serves() {
    let home = Home::new();
    let printed = home.run(&["openapi"]).success();
    let charter = home.serve();
    let mut connection = Http1::open(charter.main).await.expect("a connection");
    connection
        .write(b"GET /openapi.json HTTP/1.1\r\nhost: a\r\n\r\n")
        .await
        .expect("it reads");
    let (answer, _) = connection.answer().await.expect("an answer");
    assert_eq!(answer.status, 200);
    let printed: serde_json::Value = serde_json::from_str(&printed).expect("JSON");
    assert_eq!(printed, answer.json());
    assert_eq!(printed["openapi"], "3.1.0");
    charter.stop();
}

#[test]
fn a_reader_that_has_seen_enough_is_told_nothing_more() {
    for arguments in [&["openapi"][..], &["completions", "bash"]] {
        let mut child = Home::new()
            .command(arguments)
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("the binary runs");
        // As `| head -0` does.
        drop(child.stdout.take());
        let output = child.wait_with_output().expect("its end");
        assert_eq!(String::from_utf8_lossy(&output.stderr), "", "{arguments:?}");
        assert_eq!(output.status.code(), Some(141), "{arguments:?}");
    }
}
