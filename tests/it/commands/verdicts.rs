//! A verdict about policies names their folder and its digest, in text and in JSON.

use std::fs;

use serde_json::{Value, json};
use test_support::policy_world::whole_copy_of_shipped;
use test_support::process::Home;

use super::Installation;

#[test]
fn every_verdict_names_its_folder_and_digest() {
    let folder = whole_copy_of_shipped();
    let dir = folder.path().display().to_string();
    let home = Home::new()
        .with("CHARTER__POLICIES__DIR", &dir)
        .with("CHARTER__POLICIES__PROOFS", "off")
        .with("CHARTER__POLICIES__TESTS", "off");
    let installation = Installation::in_home(home);
    let policy = |arguments: &[&str], code| {
        let (command, rest) = arguments.split_first().expect("a command");
        let config = [*command, &installation.config];
        let outcome = installation
            .home
            .run(&[&["policy"], &config[..], rest].concat());
        assert_eq!(outcome.code, Some(code), "{arguments:?}: {outcome:?}");
        outcome.out
    };
    let document = |arguments: &[&str], code| -> Value {
        let out = policy(&[arguments, &["--json"]].concat(), code);
        serde_json::from_str(&out).unwrap_or_else(|error| panic!("{error}: {out}"))
    };
    installation.serve().stop();
    let log = installation.home.data().join("decisions");
    let log = log.display().to_string();
    let request = installation.home.file("request.json");
    let examples = fs::read_to_string(folder.path().join("tests/me.json")).expect("examples");
    let examples: Value = serde_json::from_str(&examples).expect("JSON");
    fs::write(&request, examples[0].to_string()).expect("a request");
    let request = request.display().to_string();
    let digest = document(&["check"], 0)["digest"].clone();
    let digest_text = digest.as_str().expect("a digest");
    let line = format!("folder `{dir}`, digest {digest_text}\n");
    for arguments in [
        &["test"][..],
        &["fmt", "--check"],
        &["fmt"],
        &["explain", "--request", &request],
        &["explain", "--request", &request, "--policies", &dir],
        &["replay", &log],
        &["replay", &log, "--policies", &dir],
        &["manifest"],
    ] {
        let printed = policy(arguments, 0);
        assert!(printed.ends_with(&line), "{arguments:?}: {printed}");
        let document = document(arguments, 0);
        assert_eq!(document["folder"], dir, "{arguments:?}: {document}");
        assert_eq!(document["digest"], digest, "{arguments:?}: {document}");
    }

    // Policies that the database alone has are said to be that.
    let text = "@id(\"more\")\nforbid (principal, action, resource) when { nothing };\n";
    fs::write(folder.path().join("more.cedar"), text).expect("a policy");
    let recorded = format!("policies recorded in the database, digest {digest_text}\n");
    let printed = policy(&["replay", &log], 0);
    assert!(printed.ends_with(&recorded), "{printed}");
    let replayed = document(&["replay", &log], 0);
    assert_eq!(
        (&replayed["folder"], &replayed["digest"]),
        (&Value::Null, &digest)
    );

    // So is a folder with faults named, whose digest is that of its files.
    for arguments in [
        &["check"][..],
        &["test"],
        &["replay", &log, "--policies", &dir],
    ] {
        let faulty = document(arguments, 2);
        assert_eq!(faulty["folder"], dir, "{arguments:?}: {faulty}");
        assert!(faulty["digest"].is_string(), "{arguments:?}: {faulty}");
        assert_ne!(faulty["digest"], digest, "{arguments:?}");
        let message = faulty["faults"][0]["message"].as_str();
        assert!(message.is_some(), "{arguments:?}: {faulty}");
    }
    let nowhere = document(&["check", "nowhere"], 2);
    assert_eq!(
        (&nowhere["folder"], &nowhere["digest"]),
        (&json!("nowhere"), &Value::Null)
    );
}
