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
