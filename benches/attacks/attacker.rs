//! Attackers with their own address, their own organization and keys, on one thread, and counters of the results.

use std::collections::BTreeMap;
use std::fmt::Display;
use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::pin::Pin;
use std::sync::{Arc, Mutex};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::{TcpSocket, TcpStream};
use tokio_util::sync::CancellationToken;

use crate::charter::{Charter, Client, processor_seconds};

/// The attackers' address; the well-behaved client has 127.0.0.1.
pub(crate) const ADDRESS: Ipv4Addr = Ipv4Addr::new(127, 0, 0, 2);

/// Attacks until it is dropped.
pub(crate) type Attacking = Pin<Box<dyn Future<Output = ()> + Send>>;

pub(crate) struct Attacker {
    pub(crate) host: SocketAddr,
    pub(crate) keys: Vec<Client>,
    database: PathBuf,
    counts: Mutex<BTreeMap<String, u64>>,
}

/// A running attack.
pub(crate) struct AtWork {
    thread: JoinHandle<f64>,
    stop: CancellationToken,
}

impl Attacker {
    /// With an organization and keys, if the attack needs them.
    pub(crate) fn prepare(server: &Charter, keys: &[&[&str]]) -> Self {
        if !keys.is_empty() {
            let named = ["--name", "Mallory", "--slug", "mallory"];
            server.command(&[&["organization", "--demo", "create"][..], &named].concat());
        }
        let key = |permissions: &&[&str]| issue_key(server, "mallory", permissions);
        Self {
            host: server.host.parse().expect("an address"),
            keys: keys.iter().map(key).collect(),
            database: server.database_file(),
            counts: Mutex::default(),
        }
    }

    pub(crate) fn start(self: &Arc<Self>, begin: fn(Arc<Self>) -> Attacking) -> AtWork {
        let stop = CancellationToken::new();
        let (attacker, stopped) = (Arc::clone(self), stop.clone());
        let thread = thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread()
                .enable_all()
                .build()
                .expect("a runtime");
            runtime.block_on(stopped.run_until_cancelled(begin(attacker)));
            processor_seconds("/proc/thread-self/stat")
        });
        AtWork { thread, stop }
    }

    pub(crate) fn count(&self, what: impl Display) {
        let mut counts = self.counts.lock().expect("no panic");
        *counts.entry(what.to_string()).or_default() += 1;
    }

    pub(crate) fn counts(&self) -> String {
        let counts = self.counts.lock().expect("no panic");
        let each = counts
            .iter()
            .map(|(what, times)| format!("{times} × {what}"));
        each.collect::<Vec<_>>().join(", ")
    }

    /// The size of the database with its write-ahead log.
    pub(crate) fn database_bytes(&self) -> u64 {
        let log = self.database.with_extension("db-wal");
        let length = |file| std::fs::metadata(file).map_or(0, |file| file.len());
        length(&self.database) + length(&log)
    }

    pub(crate) async fn connect(&self) -> io::Result<TcpStream> {
        self.connect_by(TcpSocket::new_v4()?).await
    }

    pub(crate) async fn connect_by(&self, socket: TcpSocket) -> io::Result<TcpStream> {
        socket.bind((ADDRESS, 0).into())?;
        let stream = socket.connect(self.host).await?;
        stream.set_nodelay(true)?;
        Ok(stream)
    }

    /// Sends requests at this rate over so many connections; at a lower one if responses take longer.
    pub(crate) async fn send(
        self: Arc<Self>,
        connections: u32,
        a_second: u32,
        request: impl Fn(u64) -> Vec<u8> + Clone + Send + 'static,
    ) {
        let every = Duration::from_secs(1) * connections / a_second;
        let each = (0..connections).map(|connection| {
            let (attacker, request) = (Arc::clone(&self), request.clone());
            let first = tokio::time::Instant::now() + every * connection / connections;
            async move {
                let mut ticks = tokio::time::interval_at(first, every);
                let mut kept = None;
                let numbers = (u64::from(connection)..).step_by(connections as usize);
                for number in numbers {
                    ticks.tick().await;
                    match attacker.ask(&mut kept, &request(number)).await {
                        Ok(status) => attacker.count(status),
                        Err(_closed) => attacker.count("closed"),
                    }
                }
            }
        });
        futures_util::future::join_all(each).await;
    }

    /// Returns the status, and the connection if it is still open.
    async fn ask(
        &self,
        kept: &mut Option<BufReader<TcpStream>>,
        request: &[u8],
    ) -> io::Result<String> {
        let mut connection = match kept.take() {
            Some(connection) => connection,
            None => BufReader::new(self.connect().await?),
        };
        connection.write_all(request).await?;
        let (mut head, mut length) = (String::new(), 0);
        let status = loop {
            let start = head.len();
            if connection.read_line(&mut head).await? == 0 {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
            let line = &head[start..];
            if let Some(value) = line.strip_prefix("content-length: ") {
                length = value.trim().parse().expect("a length");
            } else if line == "\r\n" {
                break head[9..12].to_owned();
            }
        };
        let mut body = vec![0; length];
        connection.read_exact(&mut body).await?;
        if !head.contains("connection: close") {
            *kept = Some(connection);
        }
        Ok(status)
    }
}

impl AtWork {
    /// Returns the processor time used, in seconds.
    pub(crate) fn stop(self) -> f64 {
        self.stop.cancel();
        self.thread.join().expect("no attacker panics")
    }
}

/// Issues a key for a new service account, as an operator.
pub(crate) fn issue_key(server: &Charter, organization: &str, permissions: &[&str]) -> Client {
    let mut arguments = vec!["key", "--demo", "issue", organization, "--name", "Bench"];
    for permission in permissions {
        arguments.extend(["--permission", permission]);
    }
    let printed: serde_json::Value =
        serde_json::from_str(&server.command(&arguments)).expect("JSON");
    let value = |name: &str| {
        printed[name]
            .as_str()
            .expect("in what is printed")
            .to_owned()
    };
    Client {
        access_key: value("access_key"),
        secret_key: value("secret_key"),
    }
}
