//! Why a start fails is one clear paragraph, and the exit code is 2.

use std::net::TcpListener;

use test_support::policy_solver::played;
use test_support::policy_world::copy_of_shipped;
use test_support::process::{Home, Outcome};

/// The paragraph, without this machine's paths. Nothing is printed on standard output.
#[track_caller]
fn paragraph(home: &Home, outcome: &Outcome) -> String {
    assert_eq!(outcome.code, Some(2), "{outcome:?}");
    assert_eq!(outcome.out, "");
    // Log lines of a start that got further stand before it.
    let lines = outcome.err.lines().filter(|line| !line.starts_with('{'));
    home.redacted(&lines.collect::<Vec<_>>().join("\n"))
}

/// What `serve --demo` says of these settings.
#[track_caller]
fn demo_with(settings: &[(&str, &str)]) -> String {
    let mut home = Home::new();
    for (name, value) in settings {
        home = home.with(name, value);
    }
    let outcome = home.run(&["serve", "--demo"]);
    paragraph(&home, &outcome)
}

#[test]
fn without_keys_it_says_how_to_make_them() {
    let home = Home::new();
    let outcome = home.run(&["serve"]);
    insta::assert_snapshot!(paragraph(&home, &outcome));
    assert!(!home.data().exists(), "nothing is made");
}

#[test]
fn all_faults_of_the_settings_are_told_at_once() {
    insta::assert_snapshot!(demo_with(&[
        ("CHARTER__SERVER__LISTEN", "nowhere"),
        ("CHARTER__SERVER__BODY_LIMIT", "-3"),
        ("CHARTER__SERVER__LISTN", "127.0.0.1:1"),
        ("CHARTER__SIGNING__MAX_SKEW", "soon"),
        (
            "CHARTER__DATABASE__URL",
            "mysql://root:hunter22@localhost/a"
        ),
        ("CHARTER__KEYS__SEALING", "a:c2hvcnQ="),
        ("CHARTER__LOG__FORMAT", "xml"),
    ]));
}

#[test]
fn a_settings_file_that_is_no_toml_is_shown_where_it_breaks() {
    let home = Home::new();
    let file = home.file("charter.toml");
    std::fs::write(&file, "[server]\nlisten = \"127.0.0.1:0\nbody_limit = 1\n").expect("a file");
    let outcome = home.run(&["serve", "--config", &file.display().to_string()]);
    insta::assert_snapshot!(paragraph(&home, &outcome));
}

#[test]
fn a_missing_settings_file_is_named() {
    let home = Home::new();
    let file = home.file("missing.toml");
    let outcome = home.run(&["serve", "--config", &file.display().to_string()]);
    insta::assert_snapshot!(paragraph(&home, &outcome));
}

#[test]
fn the_demo_listens_on_this_machine_only() {
    insta::assert_snapshot!(demo_with(&[
        ("CHARTER__SERVER__LISTEN", "0.0.0.0:0"),
        ("CHARTER__SERVER__OPS_LISTEN", "[::]:0"),
    ]));
}

#[test]
fn a_broken_policy_is_shown_with_file_line_and_caret() {
    let folder = copy_of_shipped();
    let text = "@id(\"extra\")\npermit (principal, action, resource)\nwhen { principal.is_active = true };\n";
    std::fs::write(folder.path().join("extra.cedar"), text).expect("a policy");
    let path = folder.path().display().to_string();
    let said = demo_with(&[("CHARTER__POLICIES__DIR", &path)]);
    insta::assert_snapshot!(said.replace(&path, "POLICIES"));
}

#[test]
fn the_solver_is_looked_for_on_the_path() {
    let (_, dir) = played("exit 3");
    let said = demo_with(&[("PATH", &dir.path().display().to_string())]);
    // That one proves nothing.
    assert!(
        said.contains("proofs:") && said.contains("cvc5 9.9"),
        "{said}"
    );
}

#[test]
fn a_solver_that_was_named_must_be_there() {
    let said = demo_with(&[("CHARTER__POLICIES__SOLVER", "/nowhere/cvc5")]);
    assert!(
        said.contains("proofs: cannot start the solver `/nowhere/cvc5`"),
        "{said}"
    );
}

#[test]
fn a_missing_policy_folder_is_named() {
    insta::assert_snapshot!(demo_with(&[("CHARTER__POLICIES__DIR", "nowhere")]));
}

#[test]
fn an_address_in_use_is_named() {
    let taken = TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = taken.local_addr().expect("an address").to_string();
    let said = demo_with(&[("CHARTER__SERVER__LISTEN", &address)]);
    insta::assert_snapshot!(said.replace(&address, "ADDRESS"));
}

#[test]
fn a_data_directory_that_cannot_be_made_is_named() {
    let home = Home::new();
    std::fs::write(home.file("file"), "").expect("a file");
    let inside = home.file("file").join("data").display().to_string();
    let home = home.with("CHARTER__DATA_DIR", &inside);
    let outcome = home.run(&["serve", "--demo"]);
    insta::assert_snapshot!(paragraph(&home, &outcome));
}

#[test]
fn a_database_that_does_not_answer_is_told_without_its_password() {
    let said = demo_with(&[
        (
            "CHARTER__DATABASE__URL",
            "postgres://charter:hunter22@127.0.0.1:1/none",
        ),
        ("CHARTER__DATABASE__START_TIMEOUT", "0s"),
    ]);
    assert!(!said.contains("hunter22"), "{said}");
    insta::assert_snapshot!(said);
}

#[test]
fn a_log_level_that_is_none_is_told() {
    insta::assert_snapshot!(demo_with(&[("CHARTER__LOG__LEVEL", "charter=loud")]));
}

#[test]
fn redis_without_an_address_is_told() {
    insta::assert_snapshot!(demo_with(&[("CHARTER__REPLAY__STORE", "redis")]));
}

#[test]
fn a_second_service_on_the_same_directory_is_refused() {
    let home = Home::new();
    let first = home.serve();
    let outcome = home.run(&["serve", "--demo"]);
    insta::assert_snapshot!(paragraph(&home, &outcome));
    first.stop();
}

#[test]
fn a_second_service_on_the_same_database_is_refused_and_told_of_the_first() {
    let home = Home::new();
    let first = home.serve();
    let url = format!("sqlite://{}", home.data().join("charter.db").display());
    let other = Home::new().with("CHARTER__DATABASE__URL", &url);
    let outcome = other.run(&["serve", "--demo"]);
    let text = paragraph(&other, &outcome);
    assert!(
        text.contains("the database is in use by another running process (process "),
        "{text}"
    );
    let journal = home.data().join("replay").display().to_string();
    assert!(text.contains(&journal), "{text}");
    first.stop();
}

#[test]
fn a_start_that_failed_leaves_nothing_that_hinders_the_next() {
    let taken = TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = taken.local_addr().expect("an address").to_string();
    let home = Home::new();
    let mut failing = home.command(&["serve", "--demo"]);
    let status = failing.env("CHARTER__SERVER__LISTEN", address).output();
    assert_eq!(status.expect("the binary runs").status.code(), Some(2));
    let charter = home.serve();
    assert!(!charter.demo.value("CHARTER_ACCESS_KEY").is_empty());
    charter.stop();
    assert!(!home.log().contains("WARN"), "{}", home.log());
}
