//! A rollback does what it shows, within the policy folder.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};

use serde_json::Value;
use tempfile::TempDir;
use test_support::policy_world::copy;
use test_support::process::Home;

use super::restart::{whole_digest, world};
use super::{STOP, WIDER, until};
use crate::access::TOKEN;

#[test]
fn an_earlier_revision_comes_back_whole() {
    let (folder, home) = world(&[]);
    let dir = folder.path();
    let path = dir.display().to_string();
    home.run(&["policy", "manifest", &path]).success();
    drop(home.serve());
    let first = whole_digest(dir);
    fs::write(dir.join("wider.cedar"), WIDER).expect("an edit");
    fs::remove_file(dir.join("invariants/deactivation.cedar")).expect("removed");
    home.run(&["policy", "manifest", &path]).success();
    drop(home.serve());
    let history = home.run(&["policy", "history", "--demo"]).success();
    assert!(
        history.contains(&first) && history.contains("version 2"),
        "{history}"
    );
    // Broken by now, it can still be rolled back.
    fs::write(dir.join("broken.cedar"), "permit (").expect("a file");
    fs::remove_file(dir.join("schema.cedarschema")).expect("removed");
    let only_said = home.run(&["policy", "rollback", "1", "--demo"]).success();
    for told in [
        "gone file broken.cedar",
        "gone file wider.cedar",
        "new file schema.cedarschema",
    ] {
        assert!(only_said.contains(told), "{told}: {only_said}");
    }
    assert!(dir.join("wider.cedar").exists());
    home.run(&["policy", "rollback", &first[..12], "--yes", "--demo"])
        .success();
    assert_eq!(whole_digest(dir), first);
    drop(home.serve());
    let history = home.run(&["policy", "history", "--demo"]).success();
    assert!(
        history.starts_with('3') && history.contains("version 3"),
        "{history}"
    );
    assert_eq!(
        home.run(&["policy", "rollback", "99", "--demo"]).code,
        Some(1)
    );
}

/// All that there is below a folder, links not followed.
fn content(dir: &Path) -> BTreeMap<PathBuf, Vec<u8>> {
    let mut found = BTreeMap::new();
    for entry in fs::read_dir(dir).expect("a folder") {
        let path = entry.expect("an entry").path();
        if path.is_dir() && !path.is_symlink() {
            found.extend(content(&path));
        } else {
            let text = fs::read(&path).unwrap_or_default();
            found.insert(path, text);
        }
    }
    found
}

fn first_revision(home: &Home, domain: &[&str]) -> String {
    let command = [&["policy", "history", "--json", "--demo"], domain].concat();
    let history: Value = serde_json::from_str(&home.run(&command).success()).expect("json");
    let revisions = history.as_array().expect("a list");
    revisions.last().expect("a revision")["revision"].to_string()
}

/// Neither shown nor done.
fn assert_refused(home: &Home, dirs: &[&Path], domain: &[&str], told: &str) {
    let revision = first_revision(home, domain);
    let before: Vec<_> = dirs.iter().map(|dir| content(dir)).collect();
    let only_shown: &[&str] = &[];
    for more in [only_shown, &["--yes"]] {
        let command = [&["policy", "rollback", &revision, "--demo"], domain, more].concat();
        let refused = home.run(&command);
        assert_eq!(refused.code, Some(2), "{refused:?}");
        assert!(refused.err.contains(told), "{refused:?}");
        assert!(refused.err.contains("nothing is written"), "{refused:?}");
        let after: Vec<_> = dirs.iter().map(|dir| content(dir)).collect();
        assert!(before == after, "{told}: changed");
    }
}

#[test]
fn what_cannot_be_read_is_not_rolled_back() {
    let (folder, home) = world(&[]);
    let dir = folder.path();
    drop(home.serve());
    fs::write(dir.join("mine.cedar"), STOP).expect("a file");
    let in_the_way = dir.join("in-the-way.cedar");
    fs::create_dir(&in_the_way).expect("a folder");
    assert_refused(&home, &[dir], &[], "in-the-way.cedar` is not a file");
    fs::remove_dir(&in_the_way).expect("removed");
    fs::write(dir.join("bytes.cedar"), [0xff]).expect("a file");
    assert_refused(&home, &[dir], &[], "not UTF-8");
    fs::remove_file(dir.join("bytes.cedar")).expect("removed");
    let shown = home.run(&["policy", "rollback", "1", "--demo"]).success();
    assert!(shown.contains("gone file mine.cedar"), "{shown}");
}

#[tokio::test]
async fn a_rollback_does_not_follow_a_link_out_of_the_folder() {
    let (folder, home) = world(&[]);
    let dir = folder.path();
    let records = Path::new(env!("CARGO_MANIFEST_DIR")).join("examples/domains/records");
    let domain = dir.join("domains/records");
    copy(&records, &domain);
    let home = home.with("CHARTER__ACCESS__TOKENS", &format!("gateway:{TOKEN}"));
    let service = home.serve();
    until("recorded", async || {
        let history = home.run(&["policy", "history", "--domain=records", "--demo"]);
        history.code == Some(0)
    })
    .await;
    drop(service);
    let away = TempDir::new().expect("a directory");
    let outside = away.path();
    let both = [dir, outside];
    let link_out = |name: &str| {
        let (place, kept) = (dir.join(name), outside.join("kept"));
        fs::rename(&place, &kept).expect("moved");
        symlink(outside, &place).expect("a link");
        move || {
            fs::remove_file(&place).expect("no link");
            fs::rename(&kept, &place).expect("moved back");
        }
    };
    for other in [true, false] {
        // Without a policy file, too: files would be written there.
        let file = outside.join("other.cedar");
        if other {
            fs::write(&file, STOP).expect("a file");
        } else {
            fs::remove_file(&file).expect("removed");
        }
        let undo = link_out("invariants");
        assert_refused(
            &home,
            &both,
            &[],
            "invariants` leads out of the policy folder",
        );
        undo();
        let undo = link_out("domains/records");
        assert_refused(&home, &both, &["--domain=records"], "records` is a link");
        undo();
        let undo = link_out("domains");
        assert_refused(&home, &both, &["--domain=records"], "is a link");
        undo();
        let undo = link_out("roles.cedar");
        assert_refused(
            &home,
            &both,
            &[],
            "roles.cedar` leads out of the policy folder",
        );
        undo();
    }
    symlink(outside.join("nowhere"), dir.join("lost.cedar")).expect("a link");
    assert_refused(&home, &both, &[], "cannot read");
    fs::remove_file(dir.join("lost.cedar")).expect("removed");
    // What is gone comes back.
    fs::remove_dir_all(&domain).expect("removed");
    let first = first_revision(&home, &["--domain=records"]);
    let back = [
        "policy",
        "rollback",
        &first,
        "--domain=records",
        "--yes",
        "--demo",
    ];
    home.run(&back).success();
    assert!(content(&domain).len() > 3);
}
