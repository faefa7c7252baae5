//! A PostgreSQL server of one test, which can be paused, killed and started again, and has TLS or a standby if wanted.

use std::fs;
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::time::Duration;

use sea_orm::{ConnectionTrait as _, DatabaseConnection, DbBackend, Statement};
use tempfile::TempDir;

use super::certificates::Certificates;
use super::faults::Faults;
use super::postgres::{as_user, find_programs, give, private_place, unprivileged_user};

const PASSWORD: &str = "secret";

/// Stopped when dropped.
pub struct PrivatePostgres {
    programs: PathBuf,
    directory: TempDir,
    port: u16,
    options: String,
    faults: Option<Faults>,
}

impl PrivatePostgres {
    /// `None`, with a message, if PostgreSQL is not installed. With certificates it takes connections under TLS only.
    pub fn start(certificates: Option<&Certificates>) -> Option<Self> {
        let Some(programs) = find_programs() else {
            super::left_out("PostgreSQL");
            return None;
        };
        let tls = certificates.map_or_else(String::new, |certificates| {
            format!(
                " -c ssl=on -c ssl_cert_file={} -c ssl_key_file={}",
                certificates.certificate().display(),
                certificates.key().display()
            )
        });
        let server = Self::unmade(programs, &tls);
        let password = server.directory.path().join("password");
        fs::write(&password, PASSWORD).expect("written");
        let mut initdb = server.program("initdb");
        initdb
            .args([
                "--username=charter",
                "--auth=scram-sha-256",
                "--encoding=UTF8",
            ])
            .args(["--no-sync", "--no-instructions", "--locale=C", "--pwfile"])
            .arg(&password);
        server.run(initdb);
        if certificates.is_some() {
            let rules = server.directory.path().join("data/pg_hba.conf");
            fs::write(rules, "hostssl all all 127.0.0.1/32 scram-sha-256\n").expect("written");
        }
        server.start_again();
        Some(server)
    }

    fn unmade(programs: PathBuf, options: &str) -> Self {
        let (directory, port) = private_place();
        Self {
            options: format!(
                "-k {} -c listen_addresses=127.0.0.1 -p {port} -c fsync=off{options}",
                directory.path().display()
            ),
            programs,
            faults: None,
            directory,
            port,
        }
    }

    /// It waits for its disk from now on.
    pub fn durable(mut self) -> Self {
        self.stop();
        self.options.push_str(" -c fsync=on");
        self.start_again();
        self
    }

    /// It counts what each statement reads, in `pg_stat_statements`, and plans with what statistics a test makes.
    pub fn with_statistics(mut self) -> Self {
        self.stop();
        self.options.push_str(
            " -c shared_preload_libraries=pg_stat_statements -c pg_stat_statements.track=all -c autovacuum=off",
        );
        self.start_again();
        self
    }

    /// Makes it possible to fail its system calls from the next start on; `None`, with a message, if this machine
    /// cannot.
    pub fn with_faults(mut self) -> Option<Self> {
        let faults = Faults::below(self.directory.path())?;
        for file in faults.files() {
            give(file);
        }
        self.faults = Some(faults);
        Some(self)
    }

    pub const fn faults(&self) -> &Faults {
        self.faults.as_ref().expect("a server with faults")
    }

    /// A standby that follows this server, or a link to it, on that port. Nothing waits for it.
    pub fn standby(&self, port: u16) -> Self {
        let mut standby = Self::unmade(self.programs.clone(), "");
        if self.faults.is_some() {
            standby = standby.with_faults().expect("as this one");
        }
        let mut copy = standby.program("pg_basebackup");
        copy.args(["--write-recovery-conf", "--checkpoint=fast", "--no-sync"])
            .arg("--dbname")
            .arg(Self::url("127.0.0.1", port, "application_name=standby"));
        standby.run(copy);
        standby.start_again();
        standby
    }

    /// Returns when it takes writes.
    pub fn promote(&self) {
        let mut promote = self.program("pg_ctl");
        promote.args(["promote", "--wait", "--silent"]);
        self.run(promote);
    }

    /// Returns when standbys have all that was committed.
    pub async fn wait_until_followed(&self) {
        const FOLLOWED: &str =
            "SELECT 1 FROM pg_stat_replication HAVING bool_and(replay_lsn >= pg_current_wal_lsn())";
        let connection = super::connect(&self.own_url()).await;
        while !query(&connection, FOLLOWED).await {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    }

    /// The address of the server itself.
    pub fn own_url(&self) -> String {
        Self::url("127.0.0.1", self.port, "sslmode=disable")
    }

    pub const fn port(&self) -> u16 {
        self.port
    }

    /// Of this host and port, and with these parameters.
    pub fn url(host: &str, port: u16, parameters: &str) -> String {
        format!("postgres://charter:{PASSWORD}@{host}:{port}/postgres?{parameters}")
    }

    /// Returns when it takes connections.
    pub fn start_again(&self) {
        let mut start = self.program("pg_ctl");
        start.args(["start", "--wait", "--silent", "-o", &self.options]);
        start.arg("-l").arg(self.directory.path().join("log"));
        if let Some(faults) = &self.faults {
            faults.load_into(&mut start);
        }
        self.run(start);
    }

    /// All its processes die at once.
    pub fn kill(&self) {
        self.run(self.stop_in("immediate"));
    }

    /// Starts it after whatever has become of it.
    pub fn recover(&self) {
        // Fails if it has ended already.
        let _ = self.stop_in("immediate").output();
        self.start_again();
    }

    /// Ends its connections, and stops.
    pub fn stop(&self) {
        self.run(self.stop_in("fast"));
    }

    fn stop_in(&self, mode: &str) -> Command {
        let mut stop = self.program("pg_ctl");
        stop.args(["stop", "--silent", "--mode", mode]);
        stop
    }

    /// Stops all its processes until [`PrivatePostgres::resume`].
    pub fn pause(&self) {
        self.signal("STOP");
    }

    pub fn resume(&self) {
        self.signal("CONT");
    }

    fn signal(&self, name: &str) {
        let file = self.directory.path().join("data/postmaster.pid");
        let Some(first) = fs::read_to_string(file)
            .ok()
            .and_then(|text| text.lines().next().map(str::to_owned))
        else {
            return;
        };
        let children = Command::new("pgrep").args(["-P", &first]).output();
        let children = children.expect("pgrep runs").stdout;
        let children = String::from_utf8_lossy(&children).into_owned();
        // The first one first, so that it starts no others. One that has ended meanwhile is no fault.
        let _status = Command::new("kill")
            .args(["-s", name, &first])
            .args(children.lines())
            .stderr(Stdio::null())
            .status();
    }

    /// On the data directory.
    fn program(&self, name: &str) -> Command {
        let mut command = as_user(unprivileged_user(), &self.programs.join(name));
        command
            .current_dir(self.directory.path())
            .arg("-D")
            .arg(self.directory.path().join("data"));
        command
    }

    fn run(&self, mut command: Command) {
        let silent = || Stdio::null();
        let status = command
            .stdin(silent())
            .stdout(silent())
            .stderr(silent())
            .status();
        assert!(
            status.expect("it runs").success(),
            "{command:?}: {}",
            fs::read_to_string(self.directory.path().join("log")).unwrap_or_default()
        );
    }
}

/// Whether there is a row.
async fn query(connection: &DatabaseConnection, text: &str) -> bool {
    let statement = Statement::from_string(DbBackend::Postgres, text);
    let row = connection.query_one_raw(statement).await;
    row.expect("an answer").is_some()
}

impl Drop for PrivatePostgres {
    fn drop(&mut self) {
        self.resume();
        // Fails if it has ended already.
        let mut stop = self.stop_in("immediate");
        let _ = stop.stdout(Stdio::null()).stderr(Stdio::null()).status();
    }
}
