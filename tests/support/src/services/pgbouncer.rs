//! A pgbouncer in session mode in front of the test run's PostgreSQL server.

use std::fs;
use std::os::unix::fs::{PermissionsExt as _, chown};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use super::TestDatabase;
use super::postgres::{as_user, unprivileged_user};

/// Stopped when dropped.
pub struct Pooler {
    directory: tempfile::TempDir,
    url: String,
}

impl Pooler {
    /// `None`, with a message, if pgbouncer is not installed.
    pub fn before(database: &TestDatabase) -> Option<Self> {
        let places = ["/usr/sbin/pgbouncer", "/usr/bin/pgbouncer"];
        let Some(program) = places.map(Path::new).into_iter().find(|at| at.exists()) else {
            super::left_out("pgbouncer");
            return None;
        };
        let directory = tempfile::tempdir().expect("a directory");
        let place = directory.path();
        let url = url::Url::parse(database.url()).expect("a url");
        let mut hosts = url.query_pairs().filter(|(name, _)| name == "host");
        let (_, server) = hosts.next().expect("a directory of sockets");
        let place_text = place.display();
        let settings = format!(
            "[databases]\n* = host={server} user=charter\n[pgbouncer]\nlisten_addr =\n\
             listen_port = 6432\nunix_socket_dir = {place_text}\nauth_type = any\n\
             pool_mode = session\npidfile = {place_text}/pid\nlogfile = {place_text}/log\n"
        );
        fs::write(place.join("settings.ini"), settings).expect("its settings");
        fs::set_permissions(place, fs::Permissions::from_mode(0o755)).expect("its permissions");
        let user = unprivileged_user();
        if let Some((uid, gid)) = user {
            chown(place, Some(uid), Some(gid)).expect("its owner");
        }
        let status = as_user(user, program)
            .args(["-d", "-q"])
            .arg(place.join("settings.ini"))
            .current_dir("/")
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .status();
        let log = fs::read_to_string(place.join("log")).unwrap_or_default();
        assert!(status.expect("pgbouncer runs").success(), "{log}");
        let url = format!(
            "postgres://charter@localhost{}?host={place_text}&port=6432",
            url.path()
        );
        Some(Self { directory, url })
    }

    pub fn url(&self) -> &str {
        &self.url
    }

    fn pid_file(&self) -> PathBuf {
        self.directory.path().join("pid")
    }
}

impl Drop for Pooler {
    fn drop(&mut self) {
        if let Ok(process) = fs::read_to_string(self.pid_file()) {
            // Fails if it has ended already.
            let _ = Command::new("kill")
                .args(["-KILL", process.trim()])
                .status();
        }
    }
}
