//! The file of audit heads, when the disk is full, somebody removes it, or the power fails.

use std::os::unix::fs::symlink;
use std::path::Path;

use charter_system::lines::LineFile;
use test_support::services::TestDatabase;

use super::world::World;

async fn changed(world: &World, slug: &str) {
    world.organization(slug).await;
}

fn lines(path: &Path) -> Vec<String> {
    let text = std::fs::read_to_string(path).expect("the file");
    text.lines().map(str::to_owned).collect()
}

#[test]
fn heads_refused_by_a_full_disk_are_written_later() {
    let home = tempfile::tempdir().expect("a directory");
    let path = home.path().join("lines");
    symlink("/dev/full", &path).expect("a full disk");
    let mut file = LineFile::open(&path).expect("open");
    for line in ["one\n", "two\n"] {
        let refused = file.append(line.as_bytes()).expect_err("there is no room");
        assert!(!refused.lost);
    }
    assert!(file.sync().is_err());
    // What would not fit into memory is lost, and said to be.
    let long = "x".repeat(2 << 20);
    assert!(file.append(long.as_bytes()).expect_err("no room").lost);
    std::fs::remove_file(&path).expect("an empty disk");
    assert!(file.append(b"three\n").expect("appended").missed);
    assert_eq!(lines(&path), ["one", "two", "three"]);
}

#[test]
fn a_torn_line_is_cut_off_before_the_next_one() {
    let home = tempfile::tempdir().expect("a directory");
    let path = home.path().join("lines");
    let torn = "x".repeat(200_000);
    for before in [String::new(), "whole\n".to_owned()] {
        std::fs::write(&path, format!("{before}{torn}")).expect("a torn file");
        let mut file = LineFile::open(&path).expect("open");
        file.append(b"next\n").expect("appended");
        let text = std::fs::read_to_string(&path).expect("the file");
        assert_eq!(text, format!("{before}next\n"));
    }
}

#[test]
fn appended_heads_stay_due_until_synced() {
    let home = tempfile::tempdir().expect("a directory");
    let mut file = LineFile::open(&home.path().join("lines")).expect("open");
    let is_to_be_synced = |file: &mut LineFile| {
        let (_, open) = file.to_sync().expect("nothing is pending");
        open.is_some()
    };
    for _ in 0..2 {
        file.append(b"line\n").expect("appended");
        assert!(is_to_be_synced(&mut file));
        assert!(!is_to_be_synced(&mut file));
        file.mark_unsynced();
        assert!(is_to_be_synced(&mut file));
    }
}

#[test]
fn a_file_that_is_cut_is_missed_once() {
    let home = tempfile::tempdir().expect("a directory");
    for (name, kept, rest) in [("all", 0, ""), ("half", 6, "one\n"), ("last", 4, "one\n")] {
        let path = home.path().join(name);
        std::fs::write(&path, "one\ntorn").expect("what a crash left");
        let mut file = LineFile::open(&path).expect("open");
        assert!(!file.append(b"two\n").expect("appended").missed, "{name}");
        let mut other = LineFile::open(&path).expect("open");
        assert!(!other.append(b"three\n").expect("appended").missed);
        assert!(!file.to_sync().expect("whole").0.missed, "{name}");
        let open = std::fs::File::options().write(true).open(&path);
        open.and_then(|open| open.set_len(kept)).expect("cut");
        // Also where nothing is written.
        assert!(file.to_sync().expect("there").0.missed, "{name}");
        assert!(!file.append(b"four\n").expect("appended").missed, "{name}");
        let text = std::fs::read_to_string(&path).expect("the file");
        assert_eq!(text, format!("{rest}four\n"), "{name}");
    }
}

#[test]
fn several_processes_append_whole_lines() {
    let home = tempfile::tempdir().expect("a directory");
    let path = home.path().join("lines");
    std::thread::scope(|scope| {
        for name in ["a", "b", "c"] {
            let path = &path;
            scope.spawn(move || {
                let mut file = LineFile::open(path).expect("open");
                for _ in 0..200 {
                    let line = format!("{}\n", name.repeat(100));
                    file.append(line.as_bytes()).expect("appended");
                }
            });
        }
    });
    let lines = lines(&path);
    assert_eq!(lines.len(), 600);
    assert!(lines.iter().all(|line| line.len() == 100));
}

#[tokio::test]
async fn heads_go_on_in_another_file_when_theirs_is_gone() {
    let world = World::on(TestDatabase::sqlite()).await;
    let heads = world.heads();
    changed(&world, "one").await;
    assert_eq!(world.store.audit_heads_fault(), None);
    let away = heads.with_extension("away");
    for step in ["two", "three"] {
        std::fs::rename(&heads, &away).expect("moved away");
        changed(&world, step).await;
        assert!(!lines(&heads).is_empty());
        let fault = world.store.audit_heads_fault().expect("it is told");
        assert!(fault.contains("while the service runs"), "{fault}");
    }
    // Also where nothing is written.
    std::fs::remove_file(&heads).expect("removed");
    world.store.sync_audit_heads();
    assert!(heads.exists());
    world.clock.advance(3_600);
    assert_eq!(world.store.audit_heads_fault(), None);
    assert_eq!(world.audit().await.findings, []);
}

#[tokio::test]
async fn a_head_that_a_full_disk_refused_is_told_and_written_later() {
    let world = World::on(TestDatabase::sqlite()).await;
    let heads = world.heads();
    std::fs::remove_file(&heads).expect("removed");
    symlink("/dev/full", &heads).expect("a full disk");
    changed(&world, "one").await;
    let fault = world.store.audit_heads_fault().expect("it is told");
    assert!(fault.contains("No space left"), "{fault}");
    std::fs::remove_file(&heads).expect("an empty disk");
    world.store.sync_audit_heads();
    let report = world.audit().await;
    assert_eq!((report.findings, report.heads), (vec![], 2));
}

#[tokio::test]
async fn a_torn_line_that_swallowed_a_head_is_told_as_what_it_is() {
    let world = World::on(TestDatabase::sqlite()).await;
    changed(&world, "one").await;
    let heads = world.heads();
    let whole = std::fs::read_to_string(&heads).expect("the file");
    let (first, second) = whole.split_once('\n').expect("two lines");
    let torn = &first[..first.len() / 2];
    std::fs::write(&heads, format!("{first}\n{torn}{second}{torn}")).expect("torn twice");
    let report = world.audit().await;
    assert_eq!(report.findings, []);
    assert_eq!((report.heads, report.torn_heads), (2, vec![2, 3]));
    // Whatever else stands there is not excused.
    std::fs::write(&heads, format!("{first} \u{1}\n{second}")).expect("edited");
    assert_eq!(world.audit().await.findings.len(), 1);
}
