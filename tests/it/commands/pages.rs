//! What shells and `man` read of the commands.

use test_support::process::Home;

#[test]
fn a_shell_can_complete_every_command() {
    let home = Home::new();
    for shell in ["bash", "zsh", "fish", "elvish", "powershell"] {
        let script = home.run(&["completions", shell]).success();
        for command in ["serve", "policy", "revoke"] {
            assert!(script.contains(command), "{shell}: {command}");
        }
    }
}

#[test]
fn every_command_has_a_manual_page() {
    let home = Home::new();
    let pages = tempfile::tempdir().expect("a directory");
    let dir = pages.path().display().to_string();
    // Whoever may write there could have put a link in a page's place.
    let theirs = pages.path().join("theirs");
    std::fs::write(&theirs, "theirs").expect("a file");
    std::os::unix::fs::symlink(&theirs, pages.path().join("charter-serve.1")).expect("a link");
    home.run(&["man", &dir]).success();
    assert_eq!(std::fs::read(&theirs).expect("a file"), b"theirs");
    for page in [
        "charter.1",
        "charter-serve.1",
        "charter-policy-prove.1",
        "charter-key-list.1",
    ] {
        let text = std::fs::read_to_string(pages.path().join(page)).expect(page);
        assert!(
            text.contains(".SH NAME") && text.contains("charter"),
            "{page}"
        );
    }
}
