//! Edits of the policy folder while requests are served: sound ones go live however they are
//! written, others change nothing and are told.

use std::fs::{self, File, OpenOptions};
use std::io::Write;
use std::os::unix::fs::symlink;
use std::sync::Arc;

use charter_authz::folder::Folder;
use charter_authz::policy_health::PolicyHealth;
use charter_policy::gates::check_manifest;
use charter_policy::manifest::Manifest;
use tempfile::TempDir;
use test_support::policy_world::whole_copy_of_shipped;
use test_support::service::Service;

use super::{in_force, live, serve, serve_copy, sound, until};

const STOP: &str =
    "\n// Nobody does anything.\n@id(\"stop\")\nforbid (principal, action, resource);\n";

const NO_GATES: &str = "tests = \"off\"\nproofs = \"off\"";

async fn refused(service: &Service, what: &str) -> Arc<PolicyHealth> {
    let engine = &service.state().engine;
    until(what, async || engine.health().refused.is_some()).await;
    engine.health()
}

fn text(number: usize) -> String {
    format!(
        "@id(\"edit\")\nforbid (principal is User, action, resource) when {{ context.source_ip == ip(\"192.0.2.{number}\") }};\n"
    )
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn files_that_are_not_read_are_told_for_as_long_as_they_are_there() {
    let folder = whole_copy_of_shipped();
    let dir = folder.path();
    fs::write(dir.join("stop.cedar.txt"), STOP).expect("a file");
    let service = serve(dir, NO_GATES).await;
    let engine = &service.state().engine;
    let told = || -> Vec<String> {
        let warnings = engine.health().warnings.clone();
        let files = warnings.into_iter().filter(|it| it.starts_with("files:"));
        files.collect()
    };
    assert!(
        told().len() == 1 && told()[0].contains("stop.cedar.txt` is not read"),
        "{:?}",
        told()
    );
    fs::create_dir(dir.join("test")).expect("a folder");
    fs::write(dir.join("test/a.json"), "[]").expect("a file");
    until("both", async || told().len() == 2).await;
    fs::write(dir.join("edit.cedar"), text(1)).expect("an edit");
    live(&service, dir, "an edit").await;
    assert_eq!(told().len(), 2, "{:?}", told());
    fs::remove_file(dir.join("stop.cedar.txt")).expect("removed");
    fs::remove_file(dir.join("test/a.json")).expect("removed");
    until("neither", async || told().is_empty()).await;
    service.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_edit_goes_live_however_it_is_written() {
    // As a mount of a configuration map looks: the folder is a link, and edits exchange it.
    let home = TempDir::new().expect("a folder");
    let first = whole_copy_of_shipped();
    let dir = home.path().join("policies");
    symlink(first.path(), &dir).expect("a link");
    let service = serve(&dir, NO_GATES).await;
    let file = dir.join("edit.cedar");

    fs::write(&file, text(1)).expect("a new file");
    live(&service, &dir, "a new file").await;
    fs::write(&file, text(2)).expect("in place");
    live(&service, &dir, "in place").await;
    let mut appended = OpenOptions::new().append(true).open(&file).expect("open");
    for byte in STOP.bytes() {
        appended.write_all(&[byte]).expect("one byte");
    }
    live(&service, &dir, "appended byte by byte").await;
    fs::write(dir.join(".new"), text(3)).expect("beside");
    fs::rename(dir.join(".new"), &file).expect("renamed over");
    live(&service, &dir, "renamed over").await;
    fs::remove_file(&file).expect("removed");
    fs::write(&file, text(4)).expect("made anew");
    live(&service, &dir, "removed and made anew").await;
    fs::rename(&file, dir.join("edit.cedar~")).expect("an editor's backup");
    fs::write(&file, text(5)).expect("written beside its backup");
    live(&service, &dir, "with an editor's backup").await;
    let second = whole_copy_of_shipped();
    fs::write(second.path().join("edit.cedar"), text(6)).expect("elsewhere");
    let new = home.path().join("..new");
    symlink(second.path(), &new).expect("a link");
    fs::rename(&new, &dir).expect("exchanged");
    live(&service, &dir, "another folder under the same name").await;
    // The watch has followed the link.
    fs::write(second.path().join("edit.cedar"), text(7)).expect("in the new folder");
    live(&service, &dir, "an edit in the new folder").await;
    fs::remove_file(&file).expect("removed");
    live(&service, &dir, "removed").await;
    assert_eq!(service.state().engine.health().refused, None);
    service.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_wrong_edit_is_refused_with_its_reason_and_changes_nothing() {
    let (folder, service) = serve_copy(NO_GATES).await;
    let dir = folder.path();
    let before = in_force(&service);
    let edit = dir.join("edit.cedar");
    let schema = dir.join("schema.cedarschema");
    let good_schema = fs::read(&schema).expect("the schema");
    let outside = TempDir::new().expect("a folder");
    fs::write(outside.path().join("p.cedar"), text(1)).expect("a file");

    let permit = |condition: &str| {
        format!("@id(\"edit\")\npermit (principal, action, resource) when {{ {condition} }};\n")
    };
    let nested = |depth: usize| permit(&format!("{}true{}", "(".repeat(depth), ")".repeat(depth)));
    let long_sum = permit(&format!("{} > 0", vec!["1"; 4_000].join(" + ")));
    let texts = [
        (
            "a typo",
            permit("principal.organisation.is_active"),
            "organisation",
        ),
        (
            "cut off",
            "@id(\"edit\")\npermit (principal, act".to_owned(),
            "edit.cedar:2",
        ),
        ("empty", String::new(), "holds no policy"),
        ("a comment only", "// soon\n".to_owned(), "holds no policy"),
        (
            "a doubled id",
            "@id(\"roles.owner\")\nforbid (principal, action, resource);\n".to_owned(),
            "roles.owner",
        ),
        (
            "no id",
            "forbid (principal, action, resource);\n".to_owned(),
            "no `@id`",
        ),
        ("200 parentheses", nested(200), "nested"),
        ("10,000 parentheses", nested(4_900), "nested"),
        ("a million parentheses", nested(500_000), "edit.cedar"),
        ("a long sum", long_sum, "bytes"),
    ];
    for (what, text, told) in &texts {
        fs::write(&edit, text).expect("an edit");
        let health = refused(&service, what).await;
        let reason = &health.refused.as_ref().expect("a reason").reason;
        assert!(reason.contains(told), "{what}: {reason}");
        assert_eq!(in_force(&service), before, "{what}");
        fs::remove_file(&edit).expect("taken back");
        sound(&service, what).await;
    }

    let undo_edit = || fs::remove_file(&edit).expect("taken back");
    File::create(&edit)
        .and_then(|file| file.set_len(100 * 1024 * 1024))
        .expect("100 MiB");
    told(&service, "100 MiB", "larger than", undo_edit).await;
    symlink(outside.path().join("p.cedar"), &edit).expect("a link");
    told(
        &service,
        "a link out",
        "leads out of the policy folder",
        undo_edit,
    )
    .await;
    fs::create_dir(&edit).expect("a folder");
    told(&service, "a folder", "is not a file", || {
        fs::remove_dir(&edit).expect("gone");
    })
    .await;
    fs::write(&edit, b"\xff\xfe").expect("bytes");
    told(&service, "not UTF-8", "UTF-8", undo_edit).await;
    let restore = || fs::write(&schema, &good_schema).expect("the schema");
    fs::write(&schema, "entity User;").expect("another schema");
    told(
        &service,
        "a broken schema",
        "unrecognized entity type",
        restore,
    )
    .await;
    fs::remove_file(&schema).expect("no schema");
    told(&service, "no schema", "schema", restore).await;
    let away = outside.path().join("away");
    fs::rename(dir, &away).expect("unmounted");
    told(
        &service,
        "no folder",
        "cannot open the policy folder",
        || {
            fs::rename(&away, dir).expect("mounted");
        },
    )
    .await;
    assert_eq!(in_force(&service), before);
    fs::write(&edit, text(9)).expect("a good edit");
    live(&service, dir, "the next good edit").await;
    service.stop().await;
}

async fn told(service: &Service, what: &str, told: &str, undo: impl FnOnce()) {
    let before = in_force(service);
    let health = refused(service, what).await;
    let reason = &health.refused.as_ref().expect("a reason").reason;
    assert!(reason.contains(told), "{what}: {reason}");
    assert_eq!(in_force(service), before, "{what}");
    undo();
    sound(service, what).await;
}

#[test]
fn a_file_cut_at_any_byte_does_not_match_the_manifest() {
    let folder = whole_copy_of_shipped();
    let dir = folder.path();
    let whole = Folder::read(dir).expect("a folder");
    let manifest = serde_json::to_string(&Manifest::of(&whole, 7)).expect("a text");
    fs::write(dir.join("manifest.json"), manifest).expect("a manifest");
    let path = dir.join("guardrails.cedar");
    let text = fs::read(&path).expect("a file");
    let check = || Folder::read(dir).and_then(|folder| check_manifest(&folder, true));
    assert_eq!(check().expect("a whole folder"), Some(7));
    for end in 0..text.len() {
        fs::write(&path, &text[..end]).expect("a cut file");
        assert!(check().is_err(), "cut at {end}");
    }
    fs::write(&path, &text).expect("the whole file");
    assert_eq!(check().expect("a whole folder"), Some(7));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_folder_under_a_manifest_is_taken_whole_and_never_goes_back() {
    let folder = whole_copy_of_shipped();
    let dir = folder.path();
    let list = |version: u64| {
        let whole = Folder::read(dir).expect("a folder");
        let manifest = serde_json::to_string(&Manifest::of(&whole, version)).expect("a text");
        fs::write(dir.join(".manifest"), manifest).expect("written");
        fs::rename(dir.join(".manifest"), dir.join("manifest.json")).expect("renamed");
    };
    list(3);
    let service = serve(dir, &format!("{NO_GATES}\nmanifest = \"required\"")).await;
    let first = in_force(&service);
    let guardrails = fs::read(dir.join("guardrails.cedar")).expect("a file");

    // Without the last policy it would be sound, and weaker.
    let text = String::from_utf8(guardrails.clone()).expect("text");
    let cut = text.rfind("// A disabled person").expect("the last policy");
    fs::write(dir.join("guardrails.cedar"), &text[..cut]).expect("half a file");
    let health = refused(&service, "half a file").await;
    let reason = &health.refused.as_ref().expect("a reason").reason;
    assert!(
        reason.contains("`guardrails.cedar` is not the file that the manifest lists"),
        "{reason}"
    );
    assert_eq!(in_force(&service), first);

    fs::write(
        dir.join("guardrails.cedar"),
        [&guardrails[..], STOP.as_bytes()].concat(),
    )
    .expect("an edit");
    list(4);
    live(&service, dir, "version 4").await;
    fs::write(dir.join("guardrails.cedar"), &guardrails).expect("the old file");
    list(3);
    let older = "the manifest has version 3, but version 4 was in force";
    until("an older version", async || {
        let refused = service.state().engine.health().refused.clone();
        refused.is_some_and(|refused| refused.reason.contains(older))
    })
    .await;
    assert_ne!(in_force(&service), first);
    list(5);
    live(&service, dir, "rolled back under a newer version").await;
    assert_eq!(in_force(&service), first);
    service.stop().await;
}
