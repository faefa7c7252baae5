//! Folders as people have them: each odd file is taken or named in a clear line, in the form that was
//! asked for, and nothing of it reaches the terminal that would be obeyed.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;

use charter_authz::snapshot::Snapshot;
use charter_policy::diff::revision;
use serde_json::Value;
use tempfile::TempDir;
use test_support::policy_world::{copy, shipped, whole_copy_of_shipped};
use test_support::process::Home;

use crate::policies::diff_revisions::git;

const POLICY: &str = "@id(\"extra\")\nforbid (principal is User, action, resource) when { !principal.email_verified };\n";

#[track_caller]
fn fault(name: &str, text: &str) -> String {
    let folder = whole_copy_of_shipped();
    let file = folder.path().join(name);
    fs::create_dir_all(file.parent().expect("a folder")).expect("a folder");
    fs::write(file, text).expect("a file");
    let error = Snapshot::load(folder.path()).expect_err("a fault");
    error.report()
}

#[test]
fn a_file_that_would_not_be_read_as_people_see_it_is_named() {
    for (name, text, told) in [
        (
            "extra.cedar",
            format!("\u{feff}{POLICY}"),
            "begins with a byte order mark",
        ),
        (
            "extra.cedar",
            format!("// Everybody.\r{POLICY}"),
            "carriage return without a line feed in line 1",
        ),
        (
            "team/extra.cedar",
            POLICY.to_owned(),
            "team/extra.cedar` is not read",
        ),
        (
            "invariants/more/extra.cedar",
            POLICY.to_owned(),
            "extra.cedar` is not read",
        ),
        (
            "domains/stop.cedar",
            POLICY.to_owned(),
            "domains/stop.cedar` is not read",
        ),
        ("stop.CEDAR", POLICY.to_owned(), "stop.CEDAR` is not read"),
        ("tests/team.Json", "[]".to_owned(), "team.Json` is not read"),
    ] {
        let report = fault(name, &text);
        assert!(report.contains(told), "{name}: {report}");
    }
    let folder = whole_copy_of_shipped();
    fs::write(
        folder.path().join("extra.cedar"),
        POLICY.replace('\n', "\r\n"),
    )
    .expect("a file");
    fs::create_dir(folder.path().join(".git")).expect("a folder");
    fs::write(folder.path().join(".git/extra.cedar"), "hidden").expect("a file");
    Snapshot::load(folder.path()).expect("a good folder");
    // As a mounted ConfigMap has it.
    let (data, link) = (
        folder.path().join("..data"),
        folder.path().join("invariants"),
    );
    fs::create_dir(&data).expect("a folder");
    fs::rename(&link, data.join("invariants")).expect("moved");
    std::os::unix::fs::symlink("..data/invariants", &link).expect("a link");
    Snapshot::load(folder.path()).expect("a good folder");
    fs::write(data.join("invariants/more.CEDAR"), POLICY).expect("a file");
    let report = Snapshot::load(folder.path()).expect_err("a fault").report();
    assert!(
        report.contains("invariants/more.CEDAR` is not read"),
        "{report}"
    );
}

#[test]
fn a_mistake_made_thousands_of_times_is_shown_a_hundred_times() {
    let folder = whole_copy_of_shipped();
    let many = "permit (principal, action, resource);\n".repeat(12_000);
    fs::write(folder.path().join("many.cedar"), many).expect("a file");
    let report = Snapshot::load(folder.path()).expect_err("faults").report();
    assert_eq!(report.matches("the policy has no `@id`").count(), 100);
    assert!(
        report.ends_with("… and 11900 more faults\n"),
        "{}",
        &report[report.len() - 100..]
    );
}

#[test]
fn thousands_of_invalid_policies_in_a_file_are_shown_where_they_are() {
    let policy = |number| {
        format!(
            "@id(\"many.{number}\")\nforbid (principal, action, resource) when {{ principal.nope }};\n"
        )
    };
    let many: String = (0..150).map(policy).collect();
    let folder = whole_copy_of_shipped();
    fs::write(folder.path().join("many.cedar"), &many).expect("a file");
    let document = Snapshot::load(folder.path())
        .expect_err("faults")
        .document();
    let count = document["count"].as_u64().expect("a count");
    assert!(count >= 150 && count.is_multiple_of(150), "{count}");
    let faults = document["faults"].as_array().expect("faults");
    let lines: Vec<&str> = many.lines().collect();
    for fault in faults {
        let line = fault["line"].as_u64().expect("a line");
        let line = usize::try_from(line).expect("small") - 1;
        let column = lines[line].find("principal.nope").expect("the mistake") + 1;
        assert_eq!(fault["column"], column, "{fault}");
    }
    let first: Vec<&Value> = faults.iter().map(|fault| &fault["line"]).collect();
    assert!(first.is_sorted_by_key(|line| line.as_u64()), "{first:?}");
}

#[test]
fn what_is_no_text_is_shown_where_it_is() {
    for name in [
        "roles.cedar",
        "schema.cedarschema",
        "tests/team.json",
        "manifest.json",
    ] {
        let folder = whole_copy_of_shipped();
        fs::write(folder.path().join(name), b"first\nsec\xffond").expect("a file");
        let error = Snapshot::load(folder.path()).expect_err("a fault");
        let (report, document) = (error.report(), error.document());
        assert!(
            report.contains("not UTF-8: here is the byte 0xff"),
            "{report}"
        );
        assert!(report.contains("save it as UTF-8"), "{report}");
        let fault = &document["faults"][0];
        assert_eq!(
            (&fault["line"], &fault["column"]),
            (&Value::from(2), &Value::from(4))
        );
        assert!(
            fault["file"]
                .as_str()
                .is_some_and(|file| file.ends_with(name)),
            "{fault}"
        );
    }
}

#[test]
fn a_byte_order_mark_of_any_file_is_named() {
    for (name, command) in [("tests/team.json", "test"), ("manifest.json", "check")] {
        let folder = whole_copy_of_shipped();
        fs::write(folder.path().join(name), "\u{feff}[]").expect("a file");
        let (code, out, err) = run(&["policy", command, &folder.path().display().to_string()]);
        assert_eq!(code, Some(2), "{name}: {out}{err}");
        assert!(
            err.contains("begins with a byte order mark"),
            "{name}: {err}"
        );
    }
    let domain = "examples/domains/records";
    let folder = tempfile::tempdir().expect("a directory");
    let records = folder.path().join("domains/records");
    fs::create_dir(folder.path().join("domains")).expect("a directory");
    copy(&test_support::repository().join(domain), &records);
    fs::write(records.join("entities.json"), "\u{feff}[]").expect("a file");
    let report = Snapshot::load(&records).expect_err("a fault").report();
    assert!(report.contains("begins with a byte order mark"), "{report}");
}

#[test]
fn an_annotation_is_shown_where_it_is() {
    for (annotation, told) in [
        ("@code(\"1A\")", "cannot be the code"),
        ("@message(\"\")", "cannot be shown to a client"),
    ] {
        let text = format!("@id(\"extra\")\n{annotation}\nforbid (principal, action, resource);\n");
        let folder = whole_copy_of_shipped();
        fs::write(folder.path().join("extra.cedar"), text).expect("a file");
        let document = Snapshot::load(folder.path())
            .expect_err("a fault")
            .document();
        let fault = &document["faults"][0];
        assert!(
            fault["message"]
                .as_str()
                .is_some_and(|it| it.contains(told)),
            "{fault}"
        );
        assert_eq!(
            (&fault["line"], &fault["column"]),
            (&Value::from(2), &Value::from(1))
        );
    }
    let text = "@code(\"A\")\n@id(\"a b\")\nforbid (principal, action, resource);\n";
    let folder = whole_copy_of_shipped();
    fs::write(folder.path().join("extra.cedar"), text).expect("a file");
    let document = Snapshot::load(folder.path())
        .expect_err("a fault")
        .document();
    assert_eq!(document["faults"][0]["line"], 2, "{document}");
}

#[test]
fn control_characters_of_a_policy_are_written_out() {
    let report = fault(
        "extra.cedar",
        "@id(\"extra\")\nforbid (principal, action, resource) when { principal.\u{1b}[2J };\n",
    );
    assert!(
        report.contains("hidden character U+001B in line 2") && !report.contains('\u{1b}'),
        "{report:?}"
    );
    let report = fault(
        "extra.cedar",
        "@id(\"extra\")\nforbid (principal in Role::\"\\u{202e}\\u{9b}1mrenwo\", action, resource);\n",
    );
    assert!(
        report.contains("\\u{202e}\\u{9b}1m") && !report.contains('\u{202e}'),
        "{report:?}"
    );
}

#[test]
fn what_cannot_be_seen_is_refused_in_policies_and_names() {
    for (file, hidden, line) in [
        (
            "extra.cedar",
            "// kept \u{202e}\nforbid (principal, action, resource);\n",
            1,
        ),
        (
            "extra.cedar",
            "@id(\"extra\")\nforbid (principal, /\u{8}, action, resource);\n",
            2,
        ),
    ] {
        let report = fault(file, hidden);
        let told = format!("in line {line}: what is shown is not what is read");
        assert!(report.contains(&told), "{report}");
    }
    // In a string it can be written; not in a name that people are given.
    let schema = fs::read_to_string(shipped().join("schema.cedarschema")).expect("the schema");
    for (hidden, told) in [
        ("\\u{202e}", "`own\\u{202e}er`"),
        ("\\u{200b}", "`own\\u{200b}er`"),
        ("\u{200b}", "`own\\u{200b}er`"),
        ("\\u{ad}", "`own\\u{ad}er`"),
    ] {
        let more = format!("entity Role enum [\"own{hidden}er\", ");
        let schema = schema.replacen("entity Role enum [", &more, 1);
        let report = fault("schema.cedarschema", &schema);
        let whole = format!("the id {told} of `Role` has a hidden character");
        assert!(report.contains(&whole), "{report}");
    }
}

fn run(arguments: &[&str]) -> (Option<i32>, String, String) {
    let output = Home::new()
        .command(arguments)
        .output()
        .expect("the command");
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    (
        output.status.code(),
        text(&output.stdout),
        text(&output.stderr),
    )
}

#[test]
fn machines_are_told_of_a_broken_folder_in_their_form() {
    let folder = whole_copy_of_shipped();
    fs::write(folder.path().join("extra.cedar"), "\npermit (principal").expect("a file");
    let dir = folder.path().display().to_string();
    let report = TempDir::new().expect("a folder");
    let junit = report.path().join("junit.xml").display().to_string();
    let good = shipped().display().to_string();
    for arguments in [
        vec!["policy", "test", "--json", "--junit", &junit, &dir],
        vec!["policy", "prove", "--json", &dir],
        vec!["policy", "prove", "--json", "--against", &dir, &good],
        vec!["policy", "fmt", "--json", &dir],
        vec!["policy", "fmt", "--check", "--json", &dir],
        vec!["policy", "manifest", "--json", &dir],
        vec!["policy", "diff", "--json", &dir, &good],
    ] {
        let (code, out, err) = run(&arguments);
        assert_eq!(code, Some(2), "{arguments:?}: {out}{err}");
        let document: Value = serde_json::from_str(&out).expect("one document");
        let first = &document["faults"][0];
        assert_eq!(
            (&first["line"], &document["count"]),
            (&2.into(), &1.into()),
            "{document}"
        );
        assert!(
            first["file"]
                .as_str()
                .expect("a file")
                .ends_with("extra.cedar"),
            "{document}"
        );
    }
    let junit = fs::read_to_string(junit).expect("a report");
    assert!(
        junit.contains("<error") && junit.contains("extra.cedar:2:"),
        "{junit}"
    );
    let (code, out, err) = run(&["policy", "test", &dir]);
    assert!(
        code == Some(2) && out.is_empty() && err.contains("extra.cedar:2:"),
        "{out}{err}"
    );
}

/// `charter policy diff` and its kin take what git calls a folder of a revision.
#[test]
fn a_folder_of_a_revision_may_be_the_top_be_relative_and_hold_links() {
    let repository = TempDir::new().expect("a temporary folder");
    let dir = repository.path();
    git(dir, &["init", "--quiet"]);
    for entry in fs::read_dir(shipped()).expect("the shipped folder") {
        let path = entry.expect("an entry").path();
        let to = dir.join(path.file_name().expect("a name"));
        if path.is_dir() {
            copy(&path, &to);
        } else {
            fs::copy(&path, to).expect("a copy");
        }
    }
    // As a mounted volume has them: links to links.
    copy(&shipped(), &dir.join("mounted"));
    let data = dir.join("mounted/..2026");
    fs::create_dir(&data).expect("a folder");
    fs::rename(dir.join("mounted/roles.cedar"), data.join("roles.cedar")).expect("moved");
    symlink("..2026", dir.join("mounted/..data")).expect("a link");
    symlink("..data/roles.cedar", dir.join("mounted/roles.cedar")).expect("a link");
    git(dir, &["add", "."]);
    git(dir, &["commit", "--quiet", "-m", "one"]);
    let digest = |snapshot: &Snapshot| snapshot.digest().to_string();
    let expected = digest(&Snapshot::load(&shipped()).expect("the shipped folder"));
    for (from, spec) in [
        (dir.to_owned(), "HEAD:mounted"),
        (dir.to_owned(), "HEAD:mounted/"),
        (dir.to_owned(), "HEAD:./mounted"),
        (dir.join("tests"), "HEAD:../mounted"),
        (dir.join("mounted"), "HEAD:./"),
    ] {
        assert_eq!(at(&from, spec), Ok(expected.clone()), "{spec}");
    }
    // The top itself is a folder with another one below it, whose policies would not be read.
    let top = at(dir, "HEAD:").expect_err("a fault");
    assert!(
        top.contains("HEAD:/mounted/roles.cedar` is not read"),
        "{top}"
    );
}

/// The digest of a folder of a revision, read from within a folder.
fn at(dir: &Path, spec: &str) -> Result<String, String> {
    revision::load_from(dir, spec)
        .map(|loaded| loaded.snapshot.digest().to_string())
        .map_err(|error| error.to_string())
}
