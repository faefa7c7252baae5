//! A policy folder with any fault is refused, and the report says where and what to do.

use std::fs;
use std::path::Path;

use charter_authz::snapshot::Snapshot;
use test_support::policy_world::{copy_of_shipped, shipped};

/// The report on a copy of the shipped folder after an edit.
fn report(edit: impl FnOnce(&Path)) -> String {
    let folder = copy_of_shipped();
    edit(folder.path());
    let Err(error) = Snapshot::load(folder.path()) else {
        panic!("the folder was accepted");
    };
    error
        .report()
        .replace(&folder.path().display().to_string(), "policies")
}

/// The report after a file was added.
fn report_on(text: &str) -> String {
    report(|folder| write(folder, "extra.cedar", text))
}

fn write(folder: &Path, name: &str, text: &str) {
    fs::write(folder.join(name), text).expect("a written file");
}

fn edit(folder: &Path, name: &str, from: &str, to: &str) {
    let text = fs::read_to_string(folder.join(name)).expect("a file");
    assert!(text.contains(from), "`{name}` has no `{from}`");
    write(folder, name, &text.replace(from, to));
}

#[test]
fn the_shipped_folder_is_accepted() {
    let snapshot = Snapshot::load(&shipped()).expect("the shipped policies");
    assert_eq!(snapshot.digest().len(), 64);
    assert_eq!(
        snapshot.catalogue().roles().collect::<Vec<_>>(),
        ["admin", "member", "owner"]
    );
}

#[test]
fn the_digest_covers_names_and_contents() {
    let digest = |edit: &dyn Fn(&Path)| {
        let folder = copy_of_shipped();
        edit(folder.path());
        let snapshot = Snapshot::load(folder.path()).expect("a good folder");
        snapshot.digest().to_string()
    };
    let untouched = digest(&|_| {});
    assert_eq!(digest(&|_| {}), untouched);
    // Other files are not part of the policies.
    assert_eq!(digest(&|folder| write(folder, "NOTES.md", "x")), untouched);
    assert_ne!(
        digest(&|folder| edit(folder, "roles.cedar", "// An owner", "// The owner")),
        untouched
    );
    assert_ne!(
        digest(&|folder| {
            fs::rename(folder.join("roles.cedar"), folder.join("people.cedar")).expect("renamed");
        }),
        untouched
    );
    assert_ne!(
        digest(&|folder| edit(folder, "schema.cedarschema", "// ---- names", "// -- names")),
        untouched
    );
}

#[test]
fn a_syntax_error_is_shown_where_it_is() {
    insta::assert_snapshot!(report_on(
        "@id(\"extra\")\npermit (principal, action, resource)\nwhen { principal.is_active = true };\n"
    ));
}

#[test]
fn a_cut_off_file_is_refused() {
    insta::assert_snapshot!(report_on("@id(\"extra\")\npermit (principal, action"));
}

#[test]
fn an_unknown_attribute_is_refused() {
    insta::assert_snapshot!(report_on(
        "@id(\"extra\")\npermit (principal, action, resource)\nwhen { principal.metadata.team == \"ops\" };\n"
    ));
}

#[test]
fn an_unknown_action_is_refused() {
    insta::assert_snapshot!(report_on(
        "@id(\"extra\")\npermit (principal, action == Action::\"organizations:GetOrganisation\", resource);\n"
    ));
}

#[test]
fn an_unknown_role_is_refused() {
    insta::assert_snapshot!(report_on(
        "@id(\"extra\")\npermit (principal in Role::\"onwer\", action, resource);\n"
    ));
}

#[test]
fn a_warning_is_a_fault() {
    insta::assert_snapshot!(report_on(
        "@id(\"extra\")\nforbid (principal is User, action == Action::\"normalization:Normalize\", resource);\n"
    ));
}

#[test]
fn a_policy_without_an_id_is_refused() {
    insta::assert_snapshot!(report_on(
        "// Everybody reads.\npermit (principal, action in Action::\"reads\", resource);\n"
    ));
}

#[test]
fn an_id_that_would_blur_a_log_is_refused() {
    insta::assert_snapshot!(report_on(
        "@id(\"two words\")\npermit (principal, action in Action::\"reads\", resource);\n"
    ));
}

#[test]
fn a_doubled_id_is_refused() {
    insta::assert_snapshot!(report_on(
        "@id(\"roles.owner\")\nforbid (principal, action, resource) when { !principal.is_active };\n"
    ));
}

#[test]
fn a_template_is_refused() {
    insta::assert_snapshot!(report_on(
        "@id(\"extra\")\npermit (principal == ?principal, action, resource);\n"
    ));
}

#[test]
fn a_file_without_policies_is_refused() {
    insta::assert_snapshot!(report_on("// permit (principal, action, resource);\n"));
}

#[test]
fn every_fault_is_reported_at_once() {
    insta::assert_snapshot!(report(|folder| {
        write(
            folder,
            "a.cedar",
            "permit (principal, action, resource)\nwhen { principal.nmae == \"x\" };\n\n\
             @id(\"roles.owner\")\npermit (principal, action, resource) when { context.now };\n",
        );
        write(folder, "b.cedar", "permit (");
        edit(
            folder,
            "schema.cedarschema",
            "\"owner\", \"admin\", \"member\"",
            "\"owner\", \"member\"",
        );
    }));
}

#[test]
fn a_permission_that_the_schema_lacks_is_a_fault() {
    insta::assert_snapshot!(report(|folder| {
        edit(
            folder,
            "schema.cedarschema",
            "action \"accounts:UpdateAccount\"",
            "action \"accounts:ChangeAccount\"",
        );
        edit(
            folder,
            "schema.cedarschema",
            "  \"team:AssignRole\",\n",
            "  \"team:PromoteMember\",\n",
        );
        fs::remove_file(folder.join("accounts.cedar")).expect("a removed file");
    }));
}

#[test]
fn a_role_that_the_service_needs_must_exist() {
    insta::assert_snapshot!(report(|folder| {
        edit(
            folder,
            "schema.cedarschema",
            "\"owner\", \"admin\", \"member\"",
            "\"admin\", \"member\", \"auditor\"",
        );
        fs::remove_file(folder.join("roles.cedar")).expect("a removed file");
    }));
}

#[test]
fn a_schema_that_describes_other_records_is_refused() {
    insta::assert_snapshot!(report(|folder| edit(
        folder,
        "schema.cedarschema",
        "  plan_tier: String,\n",
        "  plan_tier: Long,\n  region: String,\n"
    )));
}

#[test]
fn a_broken_schema_is_shown_where_it_is() {
    insta::assert_snapshot!(report(|folder| edit(
        folder,
        "schema.cedarschema",
        "is_default: Bool,",
        "is_default: Boolean,"
    )));
}

#[test]
fn deep_nesting_is_refused_and_the_process_lives() {
    let nested = |open: &str, close: &str, levels: usize| {
        format!(
            "@id(\"extra\")\npermit (principal, action, resource) when {{ {}true{} }};\n",
            open.repeat(levels),
            close.repeat(levels)
        )
    };
    insta::assert_snapshot!(report_on(&nested("(", ")", 4_000)));
    for text in [
        nested("(", ")", 200),
        nested("(", ")", 10_000),
        nested("(", "", 1_000_000),
        nested("[", "]", 10_000),
        nested("if true then true else ", "", 400),
        nested("!", "", 5_000),
        nested("-", "", 5_000),
        nested("true || ", "", 100_000),
        format!("@id(\"{}\")", "x".repeat(900_000)),
    ] {
        assert!(!report_on(&text).is_empty());
    }
    let types = "Set<".repeat(20_000);
    assert!(!report(|folder| edit(folder, "schema.cedarschema", "Bool", &types)).is_empty());
}

#[test]
fn large_files_are_refused() {
    insta::assert_snapshot!(report(|folder| {
        write(folder, "large.cedar", &"// padding\n".repeat(100_000));
        write(folder, "schema.cedarschema", &"// padding\n".repeat(10_000));
    }));
    let total = report(|folder| {
        for file in 0..17 {
            write(
                folder,
                &format!("{file}.cedar"),
                &"// padding\n".repeat(95_000),
            );
        }
    });
    assert!(total.contains("together"), "{total}");
}

#[test]
fn unreadable_files_are_refused() {
    insta::assert_snapshot!(report(|folder| {
        fs::create_dir(folder.join("folder.cedar")).expect("a folder");
        fs::write(folder.join("latin.cedar"), b"// caf\xe9\n").expect("a written file");
        fs::remove_file(folder.join("schema.cedarschema")).expect("a removed file");
    }));
}

#[test]
fn an_empty_folder_is_refused() {
    let folder = tempfile::TempDir::new().expect("a temporary folder");
    fs::copy(
        shipped().join("schema.cedarschema"),
        folder.path().join("schema.cedarschema"),
    )
    .expect("a copy");
    let error = Snapshot::load(folder.path()).expect_err("no policies");
    assert!(error.report().contains("holds no policy file"), "{error}");
    let error = Snapshot::load(&folder.path().join("missing")).expect_err("no folder");
    assert!(
        error.report().contains("cannot open the policy folder"),
        "{error}"
    );
}

#[cfg(unix)]
#[test]
fn a_link_out_of_the_folder_is_refused_and_one_within_is_not() {
    use std::os::unix::fs::symlink;

    let outside = tempfile::TempDir::new().expect("a temporary folder");
    write(
        outside.path(),
        "policy.cedar",
        "@id(\"extra\") permit (principal, action, resource);",
    );
    let report = report(|folder| {
        symlink(
            outside.path().join("policy.cedar"),
            folder.join("extra.cedar"),
        )
        .expect("a link");
    });
    assert!(
        report.contains("leads out of the policy folder"),
        "{report}"
    );

    // The way mounted configuration is laid out.
    let folder = copy_of_shipped();
    let data = folder.path().join("..2025_09_30");
    fs::create_dir(&data).expect("a folder");
    fs::rename(folder.path().join("roles.cedar"), data.join("roles.cedar")).expect("moved");
    symlink(&data, folder.path().join("..data")).expect("a link");
    symlink("..data/roles.cedar", folder.path().join("roles.cedar")).expect("a link");
    assert!(Snapshot::load(folder.path()).is_ok());
}
