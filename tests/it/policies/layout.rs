//! `charter policy fmt` and `manifest`: the shipped folder is laid out, and laying a folder out leaves it whole. The
//! folder and its rules are those of the settings, as for every policy command.

use std::path::Path;
use std::process::Command;

use test_support::policy_solver::Edited;
use test_support::policy_world::shipped;
use test_support::process::Home;

const BINARY: &str = env!("CARGO_BIN_EXE_charter");

/// The exit code, and all that is printed.
fn policy(arguments: &[&str], folder: &Path) -> (Option<i32>, String) {
    let output = Command::new(BINARY)
        .arg("policy")
        .args(arguments)
        .arg(folder)
        .output()
        .expect("the binary runs");
    let printed = [output.stdout, output.stderr].concat();
    (
        output.status.code(),
        String::from_utf8(printed).expect("text"),
    )
}

/// A folder that the formatter has something to do in.
fn crooked() -> Edited {
    Edited::new().replace(
        "normalization.cedar",
        "  resource is Organization",
        "      resource is Organization",
    )
}

#[test]
fn the_shipped_folder_is_laid_out() {
    let (code, printed) = policy(&["fmt", "--check"], &shipped());
    assert_eq!(code, Some(0), "{printed}");
    assert_eq!(printed.lines().count(), 1, "{printed}");
    let named = format!("folder `{}`, digest ", shipped().display());
    assert!(printed.starts_with(&named), "{printed}");
}

#[test]
fn a_folder_that_a_manifest_lists_is_listed_again_once_it_is_laid_out() {
    let folder = crooked();
    assert_eq!(policy(&["manifest"], folder.path()).0, Some(0));
    let (code, printed) = policy(&["fmt", "--check"], folder.path());
    assert_eq!(code, Some(1), "{printed}");
    let (code, printed) = policy(&["check"], folder.path());
    assert_eq!(code, Some(0), "`fmt --check` changes nothing: {printed}");

    let (code, printed) = policy(&["fmt"], folder.path());
    assert_eq!(code, Some(0), "{printed}");
    assert!(printed.contains("as version 2"), "{printed}");
    let (code, printed) = policy(&["check"], folder.path());
    assert_eq!(code, Some(0), "{printed}");
    assert!(printed.contains("manifest      version 2"), "{printed}");

    // With nothing to do, nothing is written.
    let (code, printed) = policy(&["fmt"], folder.path());
    assert_eq!(code, Some(0), "{printed}");
    assert_eq!(printed.lines().count(), 1, "{printed}");
    assert!(printed.starts_with("folder "), "{printed}");
}

/// What somebody has not listed yet, the formatter does not vouch for.
#[test]
fn a_manifest_that_does_not_fit_is_left_alone_and_told() {
    let folder = crooked();
    assert_eq!(policy(&["manifest"], folder.path()).0, Some(0));
    let folder = folder.write(
        "extra.cedar",
        "@id(\"extra\")\nforbid (principal, action, resource);\n",
    );
    let (code, printed) = policy(&["fmt"], folder.path());
    assert_eq!(code, Some(0), "{printed}");
    assert!(
        printed.contains("`charter policy manifest` lists it"),
        "{printed}"
    );
    let (code, printed) = policy(&["check"], folder.path());
    assert_eq!(code, Some(2), "{printed}");
    assert!(printed.contains("`extra.cedar` is not listed"), "{printed}");
}

#[test]
fn files_that_are_not_read_are_named() {
    let folder = Edited::new();
    let named = [
        "x.cedar.txt",
        "x.ceder",
        "x.cedar~",
        ".x.cedar",
        "tests/sub/a.json",
        "test/a.json",
        "entities.json",
        "Routes.toml",
        "Manifest.json",
    ];
    for name in named {
        let file = folder.path().join(name);
        std::fs::create_dir_all(file.parent().expect("a folder")).expect("a folder");
        std::fs::write(file, "").expect("a file");
    }
    let (code, printed) = policy(&["check"], folder.path());
    assert_eq!(code, Some(0), "{printed}");
    for name in named {
        let file = folder.path().join(name);
        let told = format!("note: files: `{}` is not read", file.display());
        assert!(printed.contains(&told), "{name}: {printed}");
    }
    assert_eq!(printed.matches("note:").count(), named.len(), "{printed}");
}

#[test]
fn the_folder_and_its_rules_are_those_of_the_settings() {
    // No example shows what this forbids.
    let folder = crooked().write(
        "extra.cedar",
        "@id(\"extra\")\nforbid (principal is User, action, resource) when { context.source_ip.isMulticast() };\n",
    );
    let dir = folder.path().display().to_string();
    let home = Home::new().with("CHARTER__POLICIES__DIR", &dir);
    let file = home.file("charter.toml");
    let rules = "[policies]\nmin_coverage = 100\nmanifest = \"required\"\n";
    std::fs::write(&file, rules).expect("a file");
    let settings = file.display().to_string();
    let run = |command: &[&str]| {
        let outcome = home.run(&[&["policy"], command, &["--config", &settings]].concat());
        (outcome.code, outcome.out + &outcome.err)
    };
    let named = |printed: &str| assert!(printed.contains(&dir), "{printed}");
    let (code, printed) = run(&["check"]);
    assert_eq!(code, Some(2), "{printed}");
    assert!(printed.contains("`policies.manifest`"), "{printed}");
    let (code, printed) = run(&["fmt"]);
    assert_eq!(code, Some(0), "{printed}");
    named(&printed);
    let (code, printed) = run(&["manifest"]);
    assert_eq!(code, Some(0), "{printed}");
    named(&printed);
    let (code, printed) = run(&["check"]);
    assert_eq!(code, Some(0), "{printed}");
    named(&printed);
    let (code, printed) = run(&["test"]);
    assert_eq!(code, Some(1), "{printed}");
    named(&printed);
    // A folder that is named wins; and so does an option.
    let (code, printed) = run(&["test", &shipped().display().to_string()]);
    assert_eq!(code, Some(0), "{printed}");
    let (code, printed) = run(&["test", "--min-coverage", "0"]);
    assert_eq!(code, Some(0), "{printed}");
}
