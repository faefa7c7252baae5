//! The service itself, as an operator starts it, with the demo's keys.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

/// A running `charter serve --demo` on a directory of its own.
pub(crate) struct Charter {
    pub(crate) host: String,
    child: Child,
    demo_env: String,
    directory: tempfile::TempDir,
}

static NONCE: AtomicU64 = AtomicU64::new(0);

impl Charter {
    pub(crate) fn start() -> Self {
        Self::start_with(&[])
    }

    /// With these settings, as the environment gives them.
    pub(crate) fn start_with(settings: &[(&str, &str)]) -> Self {
        let directory = tempfile::tempdir().expect("a directory");
        let (child, host) = spawn_with(directory.path(), settings);
        let file = directory.path().join("demo.env");
        Self {
            host,
            child,
            demo_env: std::fs::read_to_string(file).expect("demo.env"),
            directory,
        }
    }

    /// A value of `demo.env`.
    pub(crate) fn demo_value(&self, name: &str) -> String {
        self.demo_env
            .lines()
            .find_map(|line| {
                line.trim_start_matches("export ")
                    .strip_prefix(&format!("{name}="))
            })
            .map(|text| text.trim_matches(['\'', '"']).to_owned())
            .expect("in demo.env")
    }

    /// Its SQLite file.
    pub(crate) fn database_file(&self) -> std::path::PathBuf {
        self.directory.path().join("charter.db")
    }

    fn signed_get(&self, host: &str) -> Vec<u8> {
        let value = |name| self.demo_value(name);
        signed_get(
            &value("CHARTER_ACCESS_KEY"),
            &value("CHARTER_SECRET_KEY"),
            host,
        )
    }

    /// Freshly signed `GET /organizations/info`, each with a nonce of its own.
    pub(crate) fn signed_requests(&self, count: usize, host: &str) -> Vec<Vec<u8>> {
        (0..count).map(|_| self.signed_get(host)).collect()
    }

    /// The body of one answer.
    pub(crate) fn answer_once(&self) -> String {
        let request = self.signed_get(&self.host);
        let answer = exchange(&self.host, &request).expect("an answer");
        assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
        answer.split_once("\r\n\r\n").expect("a body").1.to_owned()
    }

    /// What it wrote to its log.
    pub(crate) fn log(&self) -> String {
        std::fs::read_to_string(self.directory.path().join("log")).unwrap_or_default()
    }

    /// Processor time that it has used, all its threads together, in seconds.
    pub(crate) fn processor_seconds(&self) -> f64 {
        let path = format!("/proc/{}/stat", self.child.id());
        let stat = std::fs::read_to_string(path).expect("a live process");
        let (_, fields) = stat.rsplit_once(')').expect("a name");
        // Fields 14 and 15, in hundredths of a second; the name is the second.
        let used = fields.split_whitespace().skip(11).take(2);
        let ticks: f64 = used.filter_map(|it| it.parse::<f64>().ok()).sum();
        ticks / 100.0
    }

    pub(crate) fn resident_kib(&self) -> u64 {
        resident_kib(self.child.id())
    }
}

impl Drop for Charter {
    fn drop(&mut self) {
        self.child.kill().ok();
        self.child.wait().ok();
    }
}

/// Time from the start of the process to its first answer, on an existing database; and memory then.
pub(crate) fn start_up() {
    let directory = tempfile::tempdir().expect("a directory");
    drop(Stopped(spawn(directory.path()).0));
    let mut times = Vec::new();
    let mut resident = 0;
    for _ in 0..9 {
        let started = Instant::now();
        let (child, host) = spawn(directory.path());
        let request = format!("GET /healthz HTTP/1.1\r\nhost: {host}\r\nconnection: close\r\n\r\n");
        while exchange(&host, request.as_bytes()).is_none() {
            std::thread::sleep(Duration::from_millis(1));
        }
        times.push(started.elapsed());
        resident = resident_kib(child.id());
        drop(Stopped(child));
    }
    times.sort();
    println!(
        "start to first answer with an existing database: median {:?} of {}",
        times[times.len() / 2],
        times.len()
    );
    println!("resident memory at rest: {resident} KiB");
}

struct Stopped(Child);

impl Drop for Stopped {
    fn drop(&mut self) {
        Command::new("kill")
            .args(["-TERM", &self.0.id().to_string()])
            .status()
            .ok();
        self.0.wait().ok();
    }
}

fn spawn(directory: &Path) -> (Child, String) {
    spawn_with(directory, &[])
}

fn spawn_with(directory: &Path, settings: &[(&str, &str)]) -> (Child, String) {
    let log = std::fs::File::create(directory.join("log")).expect("a file");
    let mut child = Command::new(env!("CARGO_BIN_EXE_charter"))
        .args(["serve", "--demo"])
        .env("CHARTER__DATA_DIR", directory)
        .env("CHARTER__SERVER__LISTEN", "127.0.0.1:0")
        .env("CHARTER__SERVER__OPS_LISTEN", "127.0.0.1:0")
        .envs(settings.iter().copied())
        .stdout(Stdio::piped())
        .stderr(log)
        .spawn()
        .expect("charter starts");
    let mut lines = BufReader::new(child.stdout.take().expect("piped")).lines();
    let host = lines
        .by_ref()
        .find_map(|line| {
            let line = line.expect("utf-8");
            let (_, rest) = line.split_once("http://")?;
            Some(rest.split([' ', ',', '/']).next()?.to_owned())
        })
        .expect("the line with the address");
    // Keep reading, or the pipe fills up.
    std::thread::spawn(move || lines.for_each(drop));
    (child, host)
}

fn signed_get(access_key: &str, secret_key: &str, host: &str) -> Vec<u8> {
    let date = chrono::Utc::now().format("%Y-%m-%dT%H:%M:%SZ").to_string();
    let nonce = format!(
        "bench-{}-{:012}",
        std::process::id(),
        NONCE.fetch_add(1, Ordering::Relaxed)
    );
    let signed = signing::Request {
        method: "GET",
        target: "/organizations/info",
        body: b"",
        date: &date,
        nonce: &nonce,
    }
    .sign(access_key, &signing::Key::new(secret_key))
    .expect("signed");
    let mut text = format!("GET /organizations/info HTTP/1.1\r\nhost: {host}\r\n");
    for (name, value) in signed.pairs() {
        text.extend([name, ": ", value, "\r\n"]);
    }
    text.push_str("\r\n");
    text.into_bytes()
}

fn exchange(host: &str, request: &[u8]) -> Option<String> {
    let mut stream = TcpStream::connect(host).ok()?;
    stream.write_all(request).ok()?;
    stream
        .set_read_timeout(Some(Duration::from_millis(500)))
        .ok()?;
    let mut answer = Vec::new();
    let mut chunk = [0; 4096];
    while let Ok(read) = stream.read(&mut chunk) {
        if read == 0 {
            break;
        }
        answer.extend_from_slice(chunk.get(..read)?);
        if answer.ends_with(b"}") {
            break;
        }
    }
    Some(String::from_utf8_lossy(&answer).into_owned())
}

fn resident_kib(process: u32) -> u64 {
    std::fs::read_to_string(format!("/proc/{process}/status"))
        .ok()
        .and_then(|status| {
            status.lines().find_map(|line| {
                line.strip_prefix("VmRSS:")?
                    .trim()
                    .trim_end_matches(" kB")
                    .parse()
                    .ok()
            })
        })
        .unwrap_or(0)
}
