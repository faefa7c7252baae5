//! A PostgreSQL server for one test run: started by the first test that needs it, shared by all test processes,
//! stopped and removed by a watchdog after the test runner has ended.

use std::fs::{self, File};
use std::net::TcpListener;
use std::os::unix::fs::{PermissionsExt as _, chown};
use std::os::unix::process::{CommandExt as _, parent_id};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};

use charter_domain::clock::SystemClock;
use charter_domain::entropy::OsEntropy;
use charter_store::{Config, Store};
use sea_orm::ConnectionTrait as _;
use tempfile::TempDir;

/// The template of a new database.
#[derive(Clone, Copy)]
pub(super) enum Template {
    Empty,
    Migrated,
}

/// The test run's server.
pub(super) struct Server {
    sockets: PathBuf,
}

/// Dropped with its test.
pub(super) struct Database {
    server: Server,
    name: String,
    url: String,
}

/// The test run's server, started if necessary. `None`, with a message, if PostgreSQL is not installed; with
/// `CHARTER_REQUIRE_SERVICES=1` that fails.
pub(super) async fn server() -> Option<Server> {
    let Some(programs) = find_programs() else {
        super::left_out("PostgreSQL");
        return None;
    };
    let directory = run_directory();
    let server = Server {
        sockets: directory.clone(),
    };
    let lock = File::create(directory.with_extension("lock")).expect("a lock file");
    lock.lock().expect("the lock of the test run's server");
    let ready = directory.join("ready");
    if !ready.exists() {
        start(&programs, &directory);
        server.make_template().await;
        fs::write(ready, "").expect("the mark of a ready server");
    }
    Some(server)
}

impl Server {
    fn url(&self, database: &str) -> String {
        format!(
            "postgres://charter@localhost/{database}?host={}",
            self.sockets.display()
        )
    }

    async fn administer(&self, statement: &str) {
        let connection = super::connect(&self.url("postgres")).await;
        connection
            .execute_unprepared(statement)
            .await
            .unwrap_or_else(|error| panic!("`{statement}`: {error}"));
        connection.close().await.expect("a closed connection");
    }

    async fn make_template(&self) {
        self.administer("CREATE DATABASE template_charter").await;
        let config = Config {
            audit_heads: None,
            ..super::config(&self.url("template_charter"), &self.sockets)
        };
        let clock = std::sync::Arc::new(SystemClock::start());
        let store = Store::open(config, clock, std::sync::Arc::new(OsEntropy))
            .await
            .expect("a store on the template");
        store.migrate_up().await.expect("a migrated template");
        store.close().await;
    }

    pub(super) async fn create_database(self, template: Template) -> Database {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let count = COUNT.fetch_add(1, Ordering::Relaxed);
        let name = format!("test_{}_{count}", std::process::id());
        let template = match template {
            Template::Empty => "template0",
            Template::Migrated => "template_charter",
        };
        let statement = format!("CREATE DATABASE {name} TEMPLATE {template} STRATEGY file_copy");
        self.administer(&statement).await;
        Database {
            url: self.url(&name),
            name,
            server: self,
        }
    }
}

impl Database {
    pub(super) fn url(&self) -> &str {
        &self.url
    }
}

impl Drop for Database {
    fn drop(&mut self) {
        let statement = format!("DROP DATABASE IF EXISTS {} WITH (FORCE)", self.name);
        std::thread::scope(|scope| {
            scope.spawn(|| {
                tokio::runtime::Builder::new_current_thread()
                    .enable_all()
                    .build()
                    .expect("a runtime")
                    .block_on(self.server.administer(&statement));
            });
        });
    }
}

/// The directory of `initdb` and the other programs: from the path, or Debian's.
pub(super) fn find_programs() -> Option<PathBuf> {
    let versions = fs::read_dir("/usr/lib/postgresql")
        .into_iter()
        .flatten()
        .flatten();
    let mut places: Vec<PathBuf> = versions
        .map(|version| version.path().join("bin"))
        .filter(|place| place.join("initdb").exists() && place.join("pg_ctl").exists())
        .collect();
    places.sort();
    if let Some(newest) = places.pop() {
        return Some(newest);
    }
    let found = Command::new("pg_config").arg("--bindir").output().ok()?;
    let place = PathBuf::from(String::from_utf8(found.stdout).ok()?.trim());
    place.join("initdb").exists().then_some(place)
}

/// Named by the runner, which is the parent of every test process, with its process id and start time.
fn run_directory() -> PathBuf {
    let runner = parent_id();
    let started = fs::read_to_string(format!("/proc/{runner}/stat"))
        .ok()
        .and_then(|stat| {
            stat.rsplit(") ")
                .next()?
                .split(' ')
                .nth(19)
                .map(str::to_owned)
        })
        .unwrap_or_default();
    scratch().join(format!("charter-postgres-{runner}-{started}"))
}

/// In memory, where there is room for the databases: each test makes one of three hundred files and removes it.
fn scratch() -> PathBuf {
    const ROOM: u64 = 2 << 30; // bytes
    let memory = Path::new("/dev/shm");
    let has_room = rustix::fs::statvfs(memory)
        .is_ok_and(|disk| disk.f_bavail.saturating_mul(disk.f_frsize) >= ROOM);
    if has_room && tempfile::tempfile_in(memory).is_ok() {
        memory.to_owned()
    } else {
        std::env::temp_dir()
    }
}

fn start(programs: &Path, directory: &Path) {
    // Left by a runner that was killed.
    let _leftover = fs::remove_dir_all(directory);
    fs::create_dir_all(directory).expect("the server's directory");
    fs::set_permissions(directory, fs::Permissions::from_mode(0o755)).expect("its permissions");
    let user = unprivileged_user();
    give(directory);
    let data = directory.join("data");
    let initdb = |locale: &[&str]| {
        let mut command = as_user(user, &programs.join("initdb"));
        command
            .current_dir(directory)
            .args(["--username=charter", "--auth=trust", "--encoding=UTF8"])
            .args(["--no-sync", "--no-instructions"])
            .args(locale)
            .arg("-D")
            .arg(&data);
        command.output().expect("initdb runs")
    };
    // If possible, a collation that is not by code point: the service must not depend on it.
    if !initdb(&["--locale-provider=icu", "--icu-locale=en-US"])
        .status
        .success()
    {
        let _leftover = fs::remove_dir_all(&data);
        let output = initdb(&["--locale=C"]);
        assert!(
            output.status.success(),
            "initdb: {}",
            String::from_utf8_lossy(&output.stderr)
        );
    }
    let options = format!(
        "-k {} -c listen_addresses= -c max_connections=400 -c fsync=off \
         -c synchronous_commit=off -c full_page_writes=off -c shared_buffers=64MB \
         -c max_wal_size=256MB -c autovacuum=off",
        directory.display()
    );
    // The server's output goes to the log, so that runners do not wait for a daemon to close their streams.
    let log = directory.join("log");
    let status = as_user(user, &programs.join("pg_ctl"))
        .current_dir(directory)
        .args(["start", "--wait", "--silent", "-D"])
        .arg(&data)
        .arg("-l")
        .arg(&log)
        .args(["-o", &options])
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status()
        .expect("pg_ctl runs");
    assert!(
        status.success(),
        "the server did not start: {}",
        fs::read_to_string(&log).unwrap_or_default()
    );
    watch(programs, user, directory);
}

/// Outlives the test; stops the server when the runner has ended, or after an hour.
fn watch(programs: &Path, user: Option<(u32, u32)>, directory: &Path) {
    let pg_ctl = as_user(user, &programs.join("pg_ctl"));
    let pg_ctl: Vec<String> = std::iter::once(pg_ctl.get_program())
        .chain(pg_ctl.get_args())
        .map(|word| word.to_string_lossy().into_owned())
        .collect();
    let script = "runner=$1 directory=$2; shift 2; i=0
        while kill -0 $runner 2>/dev/null && [ $i -lt 7200 ]; do sleep 0.5; i=$((i+1)); done
        \"$@\" stop -m immediate -D $directory/data
        rm -rf $directory $directory.lock";
    #[expect(
        clippy::zombie_processes,
        reason = "it outlives this process, nobody waits for it"
    )]
    Command::new("sh")
        .args(["-c", script, "watchdog"])
        .arg(parent_id().to_string())
        .arg(directory)
        .args(pg_ctl)
        .current_dir("/")
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .process_group(0)
        .spawn()
        .expect("the watchdog starts");
}

/// The server refuses to run as root, so then an unprivileged user runs it.
pub(super) fn unprivileged_user() -> Option<(u32, u32)> {
    let own = std::os::unix::fs::MetadataExt::uid(&fs::metadata("/proc/self").ok()?);
    if own != 0 {
        return None;
    }
    let users = fs::read_to_string("/etc/passwd").ok()?;
    ["postgres", "nobody"].iter().find_map(|name| {
        let mut fields = users
            .lines()
            .find(|line| line.split(':').next() == Some(name))?
            .split(':')
            .skip(2);
        Some((fields.next()?.parse().ok()?, fields.next()?.parse().ok()?))
    })
}

/// A directory of the server's own, and a port that was free.
pub(super) fn private_place() -> (TempDir, u16) {
    let directory = tempfile::tempdir().expect("a directory");
    let mode = fs::Permissions::from_mode(0o755);
    fs::set_permissions(directory.path(), mode).expect("its mode");
    give(directory.path());
    let free = TcpListener::bind("127.0.0.1:0").expect("a port");
    let port = free.local_addr().expect("its number").port();
    (directory, port)
}

/// Makes a file or directory that user's.
pub(super) fn give(path: &Path) {
    if let Some((uid, gid)) = unprivileged_user() {
        chown(path, Some(uid), Some(gid)).expect("its owner");
    }
}

pub(super) fn as_user(user: Option<(u32, u32)>, program: &Path) -> Command {
    let Some((uid, gid)) = user else {
        return Command::new(program);
    };
    let mut command = Command::new("setpriv");
    command
        .arg(format!("--reuid={uid}"))
        .arg(format!("--regid={gid}"))
        .arg("--clear-groups")
        .arg(program);
    command
}
