//! What a command line may look like, and what is said of one that may not.

use test_support::process::Home;

use super::Installation;

#[test]
fn settings_stand_before_or_behind_a_subcommand() {
    let installation = Installation::migrated();
    let config = installation.config.as_str();
    installation
        .run(&["organization", "create", "--name=Acme", "--slug=acme"])
        .success();
    for command in [
        &["organization", "list"][..],
        &["user", "list", "acme"],
        &["key", "list", "acme"],
        &["audit", "verify"],
        &["migrate", "status"],
    ] {
        let before = installation.run(command).success();
        let behind = installation.home.run(&[command, &[config]].concat());
        assert_eq!(behind.success(), before, "{command:?}");
        let help = installation.home.run(&[command, &["--help"]].concat());
        let help = help.success();
        assert!(
            help.contains("--config") && help.contains("--demo"),
            "{help}"
        );
    }
}

#[test]
fn refusals_name_what_was_given() {
    let home = Home::new().with("CHARTER_ACCESS_KEY", "sa_x");
    let missing = home.run(&["request", "GET"]);
    assert!(
        missing
            .err
            .contains("Usage: charter request [OPTIONS] <METHOD> <PATH>\n"),
        "{missing:?}"
    );
    let withdrawn = home.run(&["policy", "withdraw", "x-1", "--by=ada", "--demo"]);
    assert_eq!(withdrawn.code, Some(2), "{withdrawn:?}");
    assert!(
        withdrawn.err.contains("`x-1` is not a well-formed id"),
        "{withdrawn:?}"
    );
}

#[test]
fn advice_is_about_what_was_given() {
    let home = Home::new();
    for (command, argument) in [
        (&["policy", "test", "nope"][..], "DIR"),
        (&["policy", "check", "nope"], "DIR"),
        (&["policy", "fmt", "nope"], "DIR"),
        (&["policy", "prove", "nope"], "DIR"),
        (&["policy", "manifest", "nope"], "DIR"),
        (
            &["policy", "replay", "nope", "--policies=nope"],
            "--policies",
        ),
    ] {
        let refused = home.run(command);
        assert_eq!(refused.code, Some(2), "{command:?}: {refused:?}");
        let told = format!("name an existing folder with `{argument}`");
        assert!(refused.err.contains(&told), "{command:?}: {refused:?}");
    }
    let unset = home
        .command(&["policy", "test"])
        .env("CHARTER__POLICIES__DIR", "nope")
        .output();
    let unset = String::from_utf8(unset.expect("the binary runs").stderr).expect("text");
    assert!(unset.contains("the setting `policies.dir`"), "{unset}");
    let log = home.run(&["policy", "replay", "nope"]);
    let told = "the decision log `nope` cannot be read: No such file";
    assert!(log.err.contains(told), "{log:?}");
}

#[test]
fn a_decision_of_another_replica_is_looked_for_there() {
    let home = Home::new();
    std::fs::create_dir_all(home.data().join("decisions")).expect("a directory");
    let id = "dec-00000000000000000000000001";
    let alone = home.run(&["policy", "explain", id]);
    assert!(!alone.err.contains("GET /decisions"), "{alone:?}");
    let home = home
        .with("CHARTER__REPLAY__STORE", "redis")
        .with("CHARTER__REPLAY__URL", "redis://127.0.0.1:1");
    let one_of_many = home.run(&["policy", "explain", id]);
    assert_eq!(one_of_many.code, alone.code);
    let told = "`GET /decisions/{id}` tells at any of them";
    assert!(one_of_many.err.contains(told), "{one_of_many:?}");
}
