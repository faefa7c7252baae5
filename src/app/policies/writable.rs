//! Whether this process, or every user of the machine, could change the policies that it is held by.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

use charter_authz::engine::Engine;
use charter_authz::policy_health::PolicyHealth;
use rustix::fs::{Access, AtFlags, CWD, accessat};

use super::checked_folder::Policies;
use super::folder_reading::run_on_thread;

/// `policies/domains/{name}/invariants/x.cedar`
const MAX_DEPTH: usize = 4;
const INTERVAL: Duration = Duration::from_secs(5);
/// How the warnings start.
const MARK: &str = "writable:";

impl Policies {
    /// Warnings for `/readyz`; `None` if they cannot be found out. The demo's folder is its visitor's own.
    pub(super) async fn writable_warnings(&self) -> Option<Vec<String>> {
        if self.is_demo {
            return Some(Vec::new());
        }
        let dir = self.dir.clone();
        run_on_thread(move || warnings(&dir)).await
    }
}

/// Finds out again and again, since permissions change without an edit.
pub(super) async fn follow_writable(policies: &Policies, engine: &Engine) {
    loop {
        tokio::time::sleep(INTERVAL).await;
        if let Some(found) = policies.writable_warnings().await {
            let known = engine.health();
            if !known
                .warnings
                .iter()
                .filter(|it| it.starts_with(MARK))
                .eq(&found)
            {
                engine.update(|health| report_writable(health, &known, &found));
            }
        }
    }
}

/// Keeps the warnings of writable files when the others are replaced.
pub(super) fn keep_writable(health: &mut PolicyHealth, before: &PolicyHealth) {
    let kept = before.warnings.iter().filter(|it| it.starts_with(MARK));
    health.warnings.extend(kept.cloned());
}

/// Replaces the warnings of writable files, and logs those that were not `known`.
pub(super) fn report_writable(health: &mut PolicyHealth, known: &PolicyHealth, found: &[String]) {
    for warning in found.iter().filter(|it| !known.warnings.contains(it)) {
        tracing::warn!("{warning}");
    }
    health.warnings.retain(|warning| !warning.starts_with(MARK));
    health.warnings.extend_from_slice(found);
}

fn warnings(dir: &Path) -> Vec<String> {
    let by_all = writable(dir, &is_open_to_all);
    let by_us = writable(dir, &|path| {
        accessat(CWD, path, Access::WRITE_OK, AtFlags::EACCESS).is_ok()
    });
    let user = rustix::process::geteuid().as_raw();
    let who = format!("the user that runs this process (uid {user})");
    let by_us = warning(
        &by_us,
        &who,
        "mount the folder read-only, or let another user own it",
    );
    let by_all = warning(
        &by_all,
        "every user of this machine",
        "remove that permission",
    );
    by_all.into_iter().chain(by_us).collect()
}

fn warning(paths: &[PathBuf], who: &str, remedy: &str) -> Option<String> {
    let first = paths.first()?.display();
    let others = match paths.len() - 1 {
        0 => String::new(),
        1 => " and one other file or directory".to_owned(),
        count => format!(" and {count} other files and directories"),
    };
    Some(format!(
        "{MARK} {who} can change the policies, `{first}`{others}: {remedy}"
    ))
}

/// The folder and what is below it, in order, as far as `may_write` holds. Hidden files are no policies.
fn writable(dir: &Path, may_write: &dyn Fn(&Path) -> bool) -> Vec<PathBuf> {
    let mut found = Vec::new();
    let mut next = vec![(dir.to_owned(), 0)];
    while let Some((path, depth)) = next.pop() {
        if depth < MAX_DEPTH
            && let Ok(entries) = fs::read_dir(&path)
        {
            let names = entries.flatten().map(|entry| entry.path());
            next.extend(
                names
                    .filter(|path| !is_hidden(path))
                    .map(|path| (path, depth + 1)),
            );
        }
        if may_write(&path) {
            found.push(path);
        }
    }
    found.sort_unstable();
    found
}

fn is_hidden(path: &Path) -> bool {
    let name = path.file_name().unwrap_or_default();
    name.as_encoded_bytes().starts_with(b".")
}

fn is_open_to_all(path: &Path) -> bool {
    fs::metadata(path).is_ok_and(|found| found.permissions().mode() & 0o002 != 0)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A folder of which nothing is open to all.
    fn folder() -> tempfile::TempDir {
        let dir = tempfile::tempdir().expect("a directory");
        for name in ["invariants", "tests", "domains/billing/tests"] {
            fs::create_dir_all(dir.path().join(name)).expect("a directory");
        }
        for name in [
            "owner.cedar",
            "invariants/a.cedar",
            "tests/a.json",
            "manifest.json",
            "domains/billing/tests/a.json",
        ] {
            fs::write(dir.path().join(name), "").expect("a file");
        }
        for path in writable(dir.path(), &|_| true) {
            let mode = if path.is_dir() { 0o755 } else { 0o644 };
            set_mode(&path, mode);
        }
        dir
    }

    fn set_mode(path: &Path, mode: u32) {
        fs::set_permissions(path, fs::Permissions::from_mode(mode)).expect("set");
    }

    #[test]
    fn every_file_and_directory_of_the_folder_is_looked_at() {
        let dir = folder();
        fs::write(dir.path().join(".git"), "").expect("a file");
        let all = writable(dir.path(), &|_| true);
        let names = all.iter().map(|path| path.strip_prefix(dir.path()));
        let names: Vec<_> = names
            .map(|name| name.expect("below").display().to_string())
            .collect();
        let expected = " domains domains/billing domains/billing/tests domains/billing/tests/a.json invariants invariants/a.cedar manifest.json owner.cedar tests tests/a.json";
        assert_eq!(names.join(" "), expected);
    }

    #[test]
    fn files_that_every_user_may_change_are_named() {
        let dir = folder();
        assert_eq!(writable(dir.path(), &is_open_to_all), Vec::<PathBuf>::new());
        for name in ["invariants", "tests/a.json", "domains/billing"] {
            let path = dir.path().join(name);
            let before = fs::metadata(&path).expect("it is there").permissions();
            set_mode(&path, 0o777);
            assert_eq!(
                writable(dir.path(), &is_open_to_all),
                std::slice::from_ref(&path)
            );
            fs::set_permissions(&path, before).expect("set");
        }
    }

    #[test]
    fn files_that_this_process_may_change_are_named() {
        let dir = folder();
        let [warning] = &warnings(dir.path())[..] else {
            panic!("one warning");
        };
        assert!(
            warning.starts_with("writable: the user that runs this process"),
            "{warning}"
        );
        assert!(
            warning.contains("and 10 other files and directories: mount"),
            "{warning}"
        );
        if rustix::process::geteuid().is_root() {
            println!("SKIPPED: root may write everything");
            return;
        }
        for path in writable(dir.path(), &|_| true) {
            let mode = if path.is_dir() { 0o555 } else { 0o444 };
            set_mode(&path, mode);
        }
        assert_eq!(warnings(dir.path()), Vec::<String>::new());
        // What is replaced by renaming needs the directory alone.
        set_mode(&dir.path().join("invariants"), 0o755);
        assert_eq!(warnings(dir.path()).len(), 1);
    }
}
