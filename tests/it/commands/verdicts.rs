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

#[test]
fn a_check_names_the_folder_that_it_refuses_apart_from_the_policies_in_force() {
    let folder = whole_copy_of_shipped();
    let dir = folder.path().display().to_string();
    let home = Home::new()
        .with("CHARTER__POLICIES__DIR", &dir)
        .with("CHARTER__POLICIES__PROOFS", "off")
        .with("CHARTER__POLICIES__TESTS", "off");
    let installation = Installation::in_home(home);
    installation.serve().stop();
    let policies = || {
        let document = installation.json(&["check", "--json"]);
        assert_eq!(document["ok"], true, "{document}");
        let parts = document["parts"].as_array().expect("parts");
        let part = parts.iter().find(|part| part["name"] == "policies");
        part.expect("a part").clone()
    };
    let accepted = policies()["facts"].clone();
    assert!(accepted.get("in_force").is_none(), "{accepted}");
    let text = "@id(\"more\")\nforbid (principal, action, resource) when { nothing };\n";
    fs::write(folder.path().join("more.cedar"), text).expect("a policy");
    let part = policies();
    let facts = &part["facts"];
    assert_eq!(facts["folder"], dir);
    assert_eq!(facts["in_force"], "the policies accepted last");
    for same in ["digest", "whole_folder", "policies", "invariants"] {
        assert_eq!(facts[same], accepted[same], "{same}");
    }
    let refused = facts["refused_whole_folder"].as_str().expect("a digest");
    assert_ne!(facts["whole_folder"], refused);
    let note = part["notes"][0].as_str().expect("a note");
    assert!(note.contains("more.cedar:2:"), "{note}");
    let printed = installation.run(&["check"]).success();
    let digest = accepted["digest"].as_str().expect("a digest");
    let line = format!(
        "folder {dir}, refused whole folder {refused}, in force the policies accepted last, digest {digest}, "
    );
    assert!(printed.contains(&line), "{printed}");

    // Where a start would not go on with them, it is a fault.
    let mut strict = installation.home.command(&["check", &installation.config]);
    let strict = strict.env("CHARTER__POLICIES__START", "strict").output();
    assert_eq!(strict.expect("the binary runs").status.code(), Some(2));
}
