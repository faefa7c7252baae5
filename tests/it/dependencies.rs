//! What we build on: known bugs stay out, one stack of each kind, licences that we may use.
//!
//! Reads `Cargo.lock`, `security-floor.toml` and `deny.toml`, and asks cargo, offline.

use std::path::Path;
use std::process::Command;

use semver::Version;
use toml::{Table, Value};

fn table(path: &str) -> Table {
    let text =
        std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join(path)).expect(path);
    text.parse().expect(path)
}

fn entries<'a>(table: &'a Table, key: &str) -> Vec<&'a Table> {
    let entries = table[key].as_array().expect(key);
    entries
        .iter()
        .map(|entry| entry.as_table().expect(key))
        .collect()
}

fn text<'a>(table: &'a Table, key: &str) -> &'a str {
    table
        .get(key)
        .and_then(Value::as_str)
        .unwrap_or_else(|| panic!("`{key}` in {table:?}"))
}

/// Every crate that is too old, refused, or there twice.
fn faults(floor: &Table, lock: &Table) -> Vec<String> {
    let packages: Vec<(&str, Version)> = entries(lock, "package")
        .iter()
        .map(|package| {
            (
                text(package, "name"),
                text(package, "version").parse().expect("a version"),
            )
        })
        .collect();
    let versions = |name: &str| -> Vec<&Version> {
        packages
            .iter()
            .filter(|(found, _)| *found == name)
            .map(|(_, version)| version)
            .collect()
    };
    let mut faults = Vec::new();
    for entry in entries(floor, "floor") {
        let (name, reason) = (text(entry, "crate"), text(entry, "reason"));
        let lowest: Version = text(entry, "at_least").parse().expect("a version");
        for version in versions(name)
            .into_iter()
            .filter(|version| **version < lowest)
        {
            faults.push(format!("{name} {version} is below {lowest}: {reason}"));
        }
    }
    for entry in entries(floor, "refused") {
        let (name, reason) = (text(entry, "crate"), text(entry, "reason"));
        if !versions(name).is_empty() {
            faults.push(format!("{name} is refused: {reason}"));
        }
    }
    for name in floor["single"]["crates"].as_array().expect("a list") {
        let name = name.as_str().expect("a name");
        if versions(name).len() > 1 {
            faults.push(format!(
                "{name} is there in several versions: {:?}",
                versions(name)
            ));
        }
    }
    faults
}

#[test]
fn no_dependency_is_below_the_security_floor() {
    let faults = faults(&table("security-floor.toml"), &table("Cargo.lock"));
    assert!(faults.is_empty(), "{}", faults.join("\n"));
}

#[test]
fn an_old_a_refused_and_a_doubled_crate_are_found() {
    let lock = "[[package]]\nname = 'h2'\nversion = '0.4.15'\n\
                [[package]]\nname = 'h2'\nversion = '0.4.20'\n\
                [[package]]\nname = 'rsa'\nversion = '0.9.0'\n";
    let found = faults(&table("security-floor.toml"), &lock.parse().expect("TOML"));
    let expected = [
        "h2 0.4.15 is below 0.4.16",
        "rsa is refused",
        "h2 is there in several",
    ];
    assert_eq!(found.len(), expected.len(), "{found:?}");
    for (fault, expected) in found.iter().zip(expected) {
        assert!(fault.starts_with(expected), "{fault}");
    }
}

#[test]
fn every_dependency_comes_from_one_registry_with_a_checksum() {
    let lock = table("Cargo.lock");
    let is_ours = |name: &str| {
        matches!(name, "charter" | "migration" | "signing" | "test-support")
            || name.starts_with("charter-")
    };
    let mut sources: Vec<&str> = Vec::new();
    for package in entries(&lock, "package") {
        if !is_ours(text(package, "name")) {
            sources.push(text(package, "source"));
            assert!(!text(package, "checksum").is_empty());
        }
    }
    sources.dedup();
    assert!(
        sources.len() == 1 && sources[0].starts_with("registry+"),
        "{sources:?}"
    );
}

fn output(program: &str, arguments: &[&str]) -> String {
    let output = Command::new(program)
        .args(arguments)
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .output()
        .expect(program);
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    String::from_utf8(output.stdout).expect("text")
}

#[test]
fn every_licence_is_one_that_we_may_use() {
    let deny = table("deny.toml");
    let allowed: Vec<spdx::Licensee> = deny["licenses"]["allow"]
        .as_array()
        .expect("a list")
        .iter()
        .map(|licence| spdx::Licensee::parse(licence.as_str().expect("text")).expect("an SPDX id"))
        .collect();
    // Only this platform's packages are sure to have been fetched by the build.
    let platform = output("rustc", &["--print", "host-tuple"]);
    let offline = [
        "metadata",
        "--offline",
        "--locked",
        "--format-version=1",
        "--filter-platform",
    ];
    let metadata = output(env!("CARGO"), &[&offline[..], &[platform.trim()]].concat());
    let metadata: serde_json::Value = serde_json::from_str(&metadata).expect("JSON");
    let packages = metadata["packages"].as_array().expect("packages");
    assert!(
        packages.len() > 100,
        "cargo told of {} packages",
        packages.len()
    );
    for package in packages {
        let licence = package["license"]
            .as_str()
            .unwrap_or_else(|| panic!("{}: no licence", package["name"]));
        let expression =
            spdx::Expression::parse_mode(licence, spdx::ParseMode::LAX).expect(licence);
        let fine =
            expression.evaluate(|asked| allowed.iter().any(|licence| licence.satisfies(asked)));
        assert!(fine, "{}: `{licence}` is not in deny.toml", package["name"]);
    }
}
