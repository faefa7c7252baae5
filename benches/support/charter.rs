//! The service as an operator starts it, with the demo's keys.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

#[derive(Clone, Copy)]
pub(crate) struct Start<'a> {
    pub(crate) program: &'a Path,
    /// Environment variables.
    pub(crate) settings: &'a [(&'a str, &'a str)],
    /// Whether standard error is a pipe that nobody reads.
    pub(crate) unread_log: bool,
}

impl Default for Start<'_> {
    /// This build with default settings.
    fn default() -> Self {
        Self {
            program: Path::new(env!("CARGO_BIN_EXE_charter")),
            settings: &[],
            unread_log: false,
        }
    }
}

/// A running `charter serve --demo` with its own directory.
pub(crate) struct Charter {
    pub(crate) host: String,
    /// The address for operators.
    pub(crate) operations: String,
    child: Child,
    demo_env: String,
    directory: tempfile::TempDir,
}

static NONCE: AtomicU64 = AtomicU64::new(0);

impl Charter {
    pub(crate) fn start() -> Self {
        Self::start_with(&[])
    }

    /// With these environment variables.
    pub(crate) fn start_with(settings: &[(&str, &str)]) -> Self {
        let start = Start {
            settings,
            ..Start::default()
        };
        Self::try_start(start).expect("it starts; run it by hand to see why not")
    }

    /// `None` if it does not start.
    pub(crate) fn try_start(start: Start<'_>) -> Option<Self> {
        let directory = tempfile::tempdir().expect("a directory");
        let (child, [host, operations]) = spawn(directory.path(), start)?;
        let file = directory.path().join("demo.env");
        Some(Self {
            host,
            operations,
            child,
            demo_env: std::fs::read_to_string(file).expect("demo.env"),
            directory,
        })
    }

    /// Runs an operator's command on its data directory and returns the output.
    pub(crate) fn command(&self, arguments: &[&str]) -> String {
        let output = Command::new(env!("CARGO_BIN_EXE_charter"))
            .args(arguments)
            .env("CHARTER__DATA_DIR", self.directory.path())
            .output()
            .expect("it runs");
        assert!(output.status.success(), "{output:?}");
        String::from_utf8(output.stdout).expect("text")
    }

    /// Stops it gracefully and returns how long that took.
    pub(crate) fn stop(&mut self) -> Duration {
        let started = Instant::now();
        terminate(&mut self.child);
        started.elapsed()
    }

    /// Restarts it on its data.
    pub(crate) fn start_again(&mut self, start: Start<'_>) {
        let (child, [host, operations]) = spawn(self.data(), start).expect("it starts");
        (self.child, self.host, self.operations) = (child, host, operations);
    }

    pub(crate) fn id(&self) -> u32 {
        self.child.id()
    }

    pub(crate) fn data(&self) -> &Path {
        self.directory.path()
    }

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

    pub(crate) fn database_file(&self) -> std::path::PathBuf {
        self.directory.path().join("charter.db")
    }

    /// The demo's key with this prefix in `demo.env`.
    pub(crate) fn client(&self, prefix: &str) -> Client {
        Client {
            access_key: self.demo_value(&format!("{prefix}_ACCESS_KEY")),
            secret_key: self.demo_value(&format!("{prefix}_SECRET_KEY")),
        }
    }

    /// Signed `GET /organizations/info` requests, each with its own nonce.
    pub(crate) fn signed_requests(&self, count: usize, host: &str) -> Vec<Vec<u8>> {
        let client = self.client("CHARTER");
        let signed = || client.request("GET", "/organizations/info", "", host);
        (0..count).map(|_| signed()).collect()
    }

    /// The body of one response.
    pub(crate) fn answer_once(&self) -> String {
        let request = self.signed_requests(1, &self.host).concat();
        let answer = exchange(&self.host, &request).expect("an answer");
        assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
        answer.split_once("\r\n\r\n").expect("a body").1.to_owned()
    }

    /// Its log so far.
    pub(crate) fn log(&self) -> String {
        std::fs::read_to_string(self.directory.path().join("log")).unwrap_or_default()
    }

    /// Processor time of all its threads so far, in seconds.
    pub(crate) fn processor_seconds(&self) -> f64 {
        processor_seconds(&format!("/proc/{}/stat", self.child.id()))
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

/// Time from the start of the process to its first response, on an existing database; and memory then.
pub(crate) fn start_up() {
    let directory = tempfile::tempdir().expect("a directory");
    let start = || spawn(directory.path(), Start::default()).expect("it starts");
    terminate(&mut start().0);
    let mut times = Vec::new();
    let mut resident = 0;
    for _ in 0..9 {
        let started = Instant::now();
        let (mut child, [host, _]) = start();
        let request = format!("GET /healthz HTTP/1.1\r\nhost: {host}\r\nconnection: close\r\n\r\n");
        while exchange(&host, request.as_bytes()).is_none() {
            std::thread::sleep(Duration::from_millis(1));
        }
        times.push(started.elapsed());
        resident = resident_kib(child.id());
        terminate(&mut child);
    }
    times.sort();
    println!(
        "start to first answer with an existing database: median {:?} of {}",
        times[times.len() / 2],
        times.len()
    );
    println!("resident memory at rest: {resident} KiB");
}

fn terminate(child: &mut Child) {
    Command::new("kill")
        .args(["-TERM", &child.id().to_string()])
        .status()
        .ok();
    child.wait().ok();
}

/// The process and its addresses for clients and operators; `None` if it exits.
fn spawn(directory: &Path, start: Start<'_>) -> Option<(Child, [String; 2])> {
    let log = if start.unread_log {
        Stdio::piped()
    } else {
        let file = std::fs::File::create(directory.join("log"));
        file.expect("a file").into()
    };
    let mut child = Command::new(start.program)
        .args(["serve", "--demo"])
        .env("CHARTER__DATA_DIR", directory)
        .env("CHARTER__SERVER__LISTEN", "127.0.0.1:0")
        .env("CHARTER__SERVER__OPS_LISTEN", "127.0.0.1:0")
        .envs(start.settings.iter().copied())
        .stdout(Stdio::piped())
        .stderr(log)
        .spawn()
        .expect("it runs");
    let mut lines = BufReader::new(child.stdout.take().expect("piped")).lines();
    let Some(Ok(line)) = lines.next() else {
        child.wait().ok();
        return None;
    };
    let mut addresses = line.split("http://").skip(1).map(|rest| {
        let address = rest.split([' ', ',']).next();
        address.expect("an address").to_owned()
    });
    let addresses = [(); 2].map(|()| addresses.next().expect("two addresses"));
    // Read to the end, so that the pipe does not fill up.
    std::thread::spawn(move || lines.for_each(drop));
    Some((child, addresses))
}

/// Signs requests.
#[derive(Clone)]
pub(crate) struct Client {
    pub(crate) access_key: String,
    pub(crate) secret_key: String,
}

impl Client {
    /// The headers of a newly signed request.
    pub(crate) fn sign(&self, method: &str, target: &str, body: &str) -> Vec<(String, String)> {
        let date = chrono::Utc::now().format("%Y-%m-%dT%H:%M:%SZ").to_string();
        let nonce = NONCE.fetch_add(1, Ordering::Relaxed);
        let nonce = format!("bench-{}-{nonce:012}", std::process::id());
        let signed = signing::Request {
            method,
            target,
            body: body.as_bytes(),
            date: &date,
            nonce: &nonce,
        }
        .sign(&self.access_key, &signing::Key::new(&self.secret_key))
        .expect("signed");
        let pairs = signed.pairs().into_iter();
        pairs
            .map(|(name, value)| (name.to_owned(), value.to_owned()))
            .collect()
    }

    /// A newly signed request.
    pub(crate) fn request(&self, method: &str, target: &str, body: &str, host: &str) -> Vec<u8> {
        let mut text = format!("{method} {target} HTTP/1.1\r\nhost: {host}\r\n");
        for (name, value) in self.sign(method, target, body) {
            text.extend([&name, ": ", &value, "\r\n"]);
        }
        if !body.is_empty() {
            let length = body.len().to_string();
            let json = "content-type: application/json\r\ncontent-length: ";
            text.extend([json, &length, "\r\n"]);
        }
        text.extend(["\r\n", body]);
        text.into_bytes()
    }
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
    memory_kib(process, "VmRSS:")
}

/// A value of the process's status.
pub(crate) fn memory_kib(process: u32, line_start: &str) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{process}/status")).unwrap_or_default();
    let value = status
        .lines()
        .find_map(|line| line.strip_prefix(line_start));
    let number = value.and_then(|text| text.trim().trim_end_matches(" kB").parse().ok());
    number.unwrap_or(0)
}

/// Processor time of a process or thread so far, from its `stat` file.
pub(crate) fn processor_seconds(stat: &str) -> f64 {
    let stat = std::fs::read_to_string(stat).expect("a live process");
    let (_, fields) = stat.rsplit_once(')').expect("a name");
    // Fields 14 and 15, in hundredths of a second; the name is the second.
    let used = fields.split_whitespace().skip(11).take(2);
    let ticks: f64 = used.filter_map(|it| it.parse::<f64>().ok()).sum();
    ticks / 100.0
}
