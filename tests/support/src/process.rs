//! Runs the binary as an operator does, with a temporary directory.

use std::fs::File;
use std::io::{BufRead as _, BufReader};
use std::net::SocketAddr;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::thread::JoinHandle;

use tempfile::TempDir;

use crate::services::TestDatabase;
use crate::services::faults::Faults;
use crate::signed_client::Credentials;
use crate::{binary, repository};

/// What survives a restart: data directory, database, settings.
pub struct Home {
    directory: TempDir,
    settings: Vec<(String, String)>,
    umask: Option<&'static str>,
    /// Dropped with the home, which removes the database.
    database: Option<TestDatabase>,
    faults: Option<Faults>,
}

impl Home {
    /// On SQLite.
    pub fn new() -> Self {
        let directory = TempDir::new().expect("a temporary directory");
        Self {
            directory,
            settings: Vec::new(),
            umask: None,
            database: None,
            faults: None,
        }
    }

    /// Makes it possible to fail system calls of its services; `None`, with a message, if this machine cannot.
    pub fn with_faults(mut self) -> Option<Self> {
        self.faults = Some(Faults::below(self.directory.path())?);
        Some(self)
    }

    pub fn faults(&self) -> &Faults {
        self.faults.as_ref().expect("a home with faults")
    }

    /// With a test database instead of its own.
    pub fn on(database: TestDatabase) -> Self {
        let mut home = Self::new().with("CHARTER__DATABASE__URL", database.url());
        home.database = Some(database);
        home
    }

    /// With a further setting.
    pub fn with(mut self, name: &str, value: &str) -> Self {
        self.settings.push((name.to_owned(), value.to_owned()));
        self
    }

    /// With this umask, in octal digits.
    pub fn with_umask(mut self, umask: &'static str) -> Self {
        self.umask = Some(umask);
        self
    }

    pub fn data(&self) -> PathBuf {
        self.file("data")
    }

    /// The path of a file beside the data directory.
    pub fn file(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    /// The text without this machine's paths.
    pub fn redacted(&self, text: &str) -> String {
        text.replace(&self.directory.path().display().to_string(), "HOME")
    }

    /// Of the test database, or the value of the setting.
    pub fn database_url(&self) -> String {
        let set = || {
            let mut settings = self.settings.iter().rev();
            let set = settings.find(|(name, _)| name == "CHARTER__DATABASE__URL");
            set.map(|(_, value)| value.clone())
        };
        let own = || format!("sqlite://{}", self.data().join("charter.db").display());
        let database = self.database.as_ref().map(|it| it.url().to_owned());
        database.or_else(set).unwrap_or_else(own)
    }

    /// The standard error of all services that ran here.
    pub fn log(&self) -> String {
        std::fs::read_to_string(self.log_file()).unwrap_or_default()
    }

    fn log_file(&self) -> PathBuf {
        self.file("log")
    }

    /// The binary with these arguments and this home's settings as its only environment.
    pub fn command(&self, arguments: &[&str]) -> Command {
        let mut command = match self.umask {
            None => Command::new(binary()),
            Some(umask) => {
                let mut shell = Command::new("/bin/sh");
                let script = format!("umask {umask}; exec \"$@\"");
                shell.args(["-c", &script, "sh"]).arg(binary());
                shell
            }
        };
        command
            .args(arguments)
            .env_clear()
            .env("CHARTER__DATA_DIR", self.data())
            .env("CHARTER__SERVER__LISTEN", "127.0.0.1:0")
            .env("CHARTER__SERVER__OPS_LISTEN", "127.0.0.1:0")
            .env("CHARTER__SERVER__SHUTDOWN_DRAIN", "0s")
            .env("CHARTER__POLICIES__DIR", policies())
            .envs(self.settings.iter().map(|(name, value)| (name, value)))
            .stdin(Stdio::null());
        command
    }

    /// Starts `charter serve --demo` and waits until it answers.
    pub fn serve(&self) -> Charter {
        self.start(&["serve", "--demo"])
    }

    /// Starts a service and waits until it answers.
    pub fn start(&self, arguments: &[&str]) -> Charter {
        let started = self.try_start(arguments);
        started.unwrap_or_else(|ended| panic!("it ended with {ended}: {}", self.log()))
    }

    /// Starts a service and waits until it answers; the error is its exit status.
    pub fn try_start(&self, arguments: &[&str]) -> Result<Charter, ExitStatus> {
        let log = File::options()
            .create(true)
            .append(true)
            .open(self.log_file())
            .expect("a log file");
        let mut command = self.command(arguments);
        if let Some(faults) = &self.faults {
            faults.load_into(&mut command);
        }
        let mut child = command
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(log)
            .spawn()
            .expect("charter starts");
        let mut output = BufReader::new(child.stdout.take().expect("its output"));
        let mut line = String::new();
        output.read_line(&mut line).expect("its first line");
        if line.is_empty() {
            return Err(child.wait().expect("its end"));
        }
        let mut addresses = line
            .split("http://")
            .skip(1)
            .filter_map(|rest| rest.split([',', '\n']).next()?.parse().ok());
        let (Some(main), Some(operations)) = (addresses.next(), addresses.next()) else {
            panic!("no addresses in `{line}`: {}", self.log());
        };
        // Read to the end, so that the pipe does not fill up.
        let rest = std::thread::spawn(move || {
            let mut rest = line;
            while output.read_line(&mut rest).is_ok_and(|read| read > 0) {}
            rest
        });
        Ok(Charter {
            child,
            main,
            operations,
            demo: Demo::read(&self.data()),
            output: Some(rest),
        })
    }

    /// Writes a settings file with new keys, as `docs/operating.md` has it; returns the argument that names it.
    pub fn with_new_keys(&self) -> String {
        let file = self.file("charter.toml");
        let keys = self.run(&["keys", "generate"]).success();
        std::fs::File::options()
            .write(true)
            .create_new(true)
            .mode(0o600)
            .open(&file)
            .and_then(|mut file| std::io::Write::write_all(&mut file, keys.as_bytes()))
            .expect("a settings file");
        format!("--config={}", file.display())
    }

    /// Runs `charter` to its end.
    pub fn run(&self, arguments: &[&str]) -> Outcome {
        let output = self.command(arguments).output().expect("the binary runs");
        Outcome {
            code: output.status.code(),
            out: String::from_utf8(output.stdout).expect("text"),
            err: String::from_utf8(output.stderr).expect("text"),
        }
    }

    /// Runs `charter serve --demo`, which must fail to start.
    #[track_caller]
    pub fn refused(&self) -> Outcome {
        let mut child = self
            .command(&["serve", "--demo"])
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("charter starts");
        let mut out = String::new();
        let mut output = BufReader::new(child.stdout.take().expect("its output"));
        output.read_line(&mut out).expect("text");
        if !out.is_empty() {
            child.kill().expect("it can be stopped");
        }
        let output = child.wait_with_output().expect("it ends");
        assert_eq!(out, "", "it started");
        Outcome {
            code: output.status.code(),
            out,
            err: String::from_utf8(output.stderr).expect("text"),
        }
    }

    /// Verifies the audit log, which must be intact.
    #[track_caller]
    pub fn verify_audit(&self) -> Outcome {
        let verified = self.run(&["audit", "--demo", "verify"]);
        assert_eq!(verified.code, Some(0), "{verified:?}");
        verified
    }
}

pub fn policies() -> PathBuf {
    repository().join("policies")
}

/// The result of a command.
#[derive(Debug)]
pub struct Outcome {
    pub code: Option<i32>,
    pub out: String,
    pub err: String,
}

impl Outcome {
    /// The standard output; the command must have succeeded.
    #[track_caller]
    pub fn success(self) -> String {
        assert_eq!(self.code, Some(0), "{self:?}");
        self.out
    }
}

/// The values of `demo.env`.
#[derive(Debug, Clone)]
pub struct Demo {
    text: String,
}

impl Demo {
    fn read(data: &Path) -> Self {
        // Only the demo has the file.
        let text = std::fs::read_to_string(data.join("demo.env")).unwrap_or_default();
        Self { text }
    }

    pub fn value(&self, name: &str) -> &str {
        self.text
            .lines()
            .find_map(|line| {
                line.strip_prefix("export ")?
                    .strip_prefix(name)?
                    .strip_prefix('=')
            })
            .unwrap_or_else(|| panic!("no {name} in demo.env"))
            .trim_matches('\'')
    }

    fn credentials(&self, prefix: &str) -> Credentials {
        Credentials::new(
            self.value(&format!("{prefix}_ACCESS_KEY")),
            self.value(&format!("{prefix}_SECRET_KEY")),
        )
    }
}

/// A running service; killed when dropped.
pub struct Charter {
    child: Child,
    pub main: SocketAddr,
    /// The operators' listener.
    pub operations: SocketAddr,
    pub demo: Demo,
    output: Option<JoinHandle<String>>,
}

impl Charter {
    /// Can read and change the organization.
    pub fn writer(&self) -> Credentials {
        self.demo.credentials("CHARTER")
    }

    /// Can read the organization.
    pub fn reader(&self) -> Credentials {
        self.demo.credentials("CHARTER_READER")
    }

    /// Has all permissions of the machine surface.
    pub fn manager(&self) -> Credentials {
        self.demo.credentials("CHARTER_MANAGER")
    }

    /// `kill -9`; waits for the end.
    pub fn kill(mut self) {
        self.child.kill().expect("killed");
        self.child.wait().expect("its end");
    }

    /// Requests a stop without waiting.
    pub fn terminate(&self) {
        self.signal("TERM");
    }

    /// The signal's name is without `SIG`.
    pub fn signal(&self, name: &str) {
        let process = self.child.id().to_string();
        let status = Command::new("kill").args(["-s", name, &process]).status();
        assert!(status.expect("kill runs").success());
    }

    /// Waits for its end; returns the exit status and the output.
    pub fn ended(mut self) -> (ExitStatus, String) {
        let status = self.child.wait().expect("its end");
        let output = self.output.take().expect("its output");
        (status, output.join().expect("read to its end"))
    }

    /// Stops it gracefully, which must succeed; returns the output.
    pub fn stop(self) -> String {
        self.terminate();
        let (status, output) = self.ended();
        assert_eq!(status.code(), Some(0));
        output
    }

    pub fn id(&self) -> u32 {
        self.child.id()
    }

    pub fn resident_kib(&self) -> u64 {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.child.id()));
        status
            .expect("a live process")
            .lines()
            .find_map(|line| {
                line.strip_prefix("VmRSS:")?
                    .trim()
                    .strip_suffix(" kB")?
                    .parse()
                    .ok()
            })
            .expect("its resident memory")
    }
}

impl Drop for Charter {
    fn drop(&mut self) {
        // Fails if it has ended already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
