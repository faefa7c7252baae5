//! A Redis (or Valkey) server of one test, which can be emptied, paused, killed and restarted.

use std::fmt::Write as _;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use tempfile::TempDir;

use super::postgres::{as_user, private_place, unprivileged_user};

/// What a server and a sentinel say when they are up.
const READY: [&str; 2] = ["eady to accept connections", "Sentinel ID is"];

/// A server without persistence; stopped when dropped.
pub struct Redis {
    program: PathBuf,
    directory: TempDir,
    port: u16,
    arguments: Vec<String>,
    process: Child,
}

impl Redis {
    /// `None`, with a message, if no such server is installed; with `CHARTER_REQUIRE_SERVICES=1` that fails.
    pub fn start() -> Option<Self> {
        Self::start_with(|port, _| {
            let port = port.to_string();
            ["--port", &port, "--save", "", "--appendonly", "no"]
                .map(str::to_owned)
                .to_vec()
        })
    }

    /// With arguments made of its port and its directory.
    pub(super) fn start_with(arguments: impl FnOnce(u16, &Path) -> Vec<String>) -> Option<Self> {
        let places = ["redis-server", "valkey-server"]
            .into_iter()
            .flat_map(|name| ["/usr/bin", "/usr/local/bin"].map(|at| Path::new(at).join(name)));
        let Some(program) = places.into_iter().find(|at| at.exists()) else {
            super::left_out("Redis");
            return None;
        };
        let (directory, port) = private_place();
        let arguments = arguments(port, directory.path());
        let process = run(&program, directory.path(), &arguments);
        Some(Self {
            program,
            directory,
            port,
            arguments,
            process,
        })
    }

    pub const fn port(&self) -> u16 {
        self.port
    }

    pub fn url(&self) -> String {
        format!("redis://127.0.0.1:{}", self.port)
    }

    /// Kills it and starts an empty one in its place.
    pub fn restart(&mut self) {
        self.kill();
        self.process = run(&self.program, self.directory.path(), &self.arguments);
    }

    pub fn kill(&mut self) {
        self.process.kill().expect("killed");
        self.process.wait().expect("its end");
    }

    /// Stops the process until [`Redis::resume`].
    pub fn pause(&self) {
        self.signal("STOP");
    }

    pub fn resume(&self) {
        self.signal("CONT");
    }

    fn signal(&self, name: &str) {
        let process = self.process.id().to_string();
        let status = Command::new("kill").args(["-s", name, &process]).status();
        assert!(status.expect("kill runs").success());
    }

    /// The first bytes of the answer to an inline command, at most 4 KiB.
    pub fn ask(&self, command: &str) -> String {
        let mut connection = TcpStream::connect(("127.0.0.1", self.port)).expect("a connection");
        write!(connection, "{command}\r\n").expect("sent");
        let mut answer = vec![0; 4096];
        let length = connection.read(&mut answer).expect("an answer");
        String::from_utf8_lossy(&answer[..length]).into_owned()
    }

    /// Loses all keys except these, as a failover that lost the last second.
    pub fn lose_all_but(&self, pattern: &str) {
        let keys = self.ask(&format!("KEYS {pattern}"));
        let kept: Vec<(String, String)> = keys
            .lines()
            .filter(|line| line.starts_with("charter:"))
            .map(|key| {
                let value = self.ask(&format!("GET {key}"));
                let value = value.lines().nth(1).expect("a value").to_owned();
                (key.to_owned(), value)
            })
            .collect();
        assert!(!kept.is_empty(), "{keys}");
        let mut script = "MULTI\r\nFLUSHALL\r\n".to_owned();
        for (key, value) in kept {
            let _ = write!(script, "SET {key} {value} EX 60\r\n");
        }
        let mut connection = TcpStream::connect(("127.0.0.1", self.port)).expect("a connection");
        write!(connection, "{script}EXEC\r\nQUIT\r\n").expect("sent");
        let mut answer = String::new();
        connection.read_to_string(&mut answer).expect("an answer");
        assert!(!answer.contains("-ERR"), "{answer}");
    }
}

impl Drop for Redis {
    fn drop(&mut self) {
        // Fails if it has ended already.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// Returns when the server is ready.
fn run(program: &Path, directory: &Path, arguments: &[String]) -> Child {
    let mut process = as_user(unprivileged_user(), program)
        .current_dir(directory)
        .args(arguments)
        .args(["--bind", "127.0.0.1", "--daemonize", "no"])
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .expect("Redis starts");
    let mut output = BufReader::new(process.stdout.take().expect("its output"));
    let mut line = String::new();
    while !READY.iter().any(|ready| line.contains(ready)) {
        line.clear();
        assert!(output.read_line(&mut line).expect("a line") > 0, "it ended");
    }
    // Read to the end, so that the pipe does not fill up.
    std::thread::spawn(move || {
        let mut rest = Vec::new();
        let _ = output.read_to_end(&mut rest);
    });
    process
}
