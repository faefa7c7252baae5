//! Redis as operators run it where it must not fail: a master and a replica that a sentinel watches, all of them under
//! TLS and with passwords.

use std::net::TcpListener;
use std::path::Path;
use std::process::Command;

use super::certificates::Certificates;
use super::postgres::give;
use super::redis::Redis;

const USER: &str = "ada";
const PASSWORD: &str = "p/w of redis";
const SENTINEL_PASSWORD: &str = "p&w";

/// A server under TLS that knows one user.
pub struct TlsRedis {
    pub certificates: Certificates,
    redis: Redis,
}

impl TlsRedis {
    /// `None` where Redis or openssl is not installed.
    pub fn start() -> Option<Self> {
        let certificates = Certificates::new()?;
        let redis = Redis::start_with(|port, at| server(&certificates, (port, at), ""))?;
        Some(Self {
            certificates,
            redis,
        })
    }

    /// The address for this user and host.
    pub fn url(&self, login: &str, host: &str) -> String {
        format!("rediss://{login}@{host}:{}/2", self.redis.port())
    }

    /// For whom it knows.
    pub fn login() -> String {
        format!("{USER}:p%2Fw%20of%20redis")
    }
}

/// The sentinel's master is called `main`.
pub struct WatchedRedis {
    pub certificates: Certificates,
    servers: [Redis; 2],
    sentinel: Redis,
    /// Takes connections and says nothing.
    silent: TcpListener,
}

impl WatchedRedis {
    /// `None` where Redis or openssl is not installed.
    pub fn start() -> Option<Self> {
        let certificates = Certificates::new()?;
        let master = Redis::start_with(|port, at| server(&certificates, (port, at), ""))?;
        let follow = format!("replicaof 127.0.0.1 {}", master.port());
        let replica = Redis::start_with(|port, at| server(&certificates, (port, at), &follow))?;
        let sentinel =
            Redis::start_with(|port, at| sentinel(&certificates, (port, at), master.port()))?;
        Some(Self {
            certificates,
            servers: [master, replica],
            sentinel,
            silent: TcpListener::bind("127.0.0.1:0").expect("a port"),
        })
    }

    /// Of two sentinels, the first of which says nothing.
    pub fn url(&self) -> String {
        let login = TlsRedis::login();
        let silent = self.silent.local_addr().expect("its address");
        let port = self.sentinel.port();
        format!(
            "rediss+sentinel://{login}@{silent},127.0.0.1:{port}/main/2?sentinel_password=p%26w"
        )
    }

    /// Makes the replica the master; returns when both say so.
    pub fn fail_over(&self) {
        let before = self.master();
        // It may not have heard of the replica yet.
        while self.ask_sentinel(&["SENTINEL", "FAILOVER", "main"]) != "OK" {}
        while self.master() == before {}
        for server in &self.servers {
            let role = if server.port() == before {
                "slave"
            } else {
                "master"
            };
            let login = ["--user", USER, "-a", PASSWORD];
            while !self.ask(server.port(), &login, &["ROLE"]).starts_with(role) {}
        }
    }

    fn master(&self) -> u16 {
        let answer = self.ask_sentinel(&["SENTINEL", "GET-MASTER-ADDR-BY-NAME", "main"]);
        let port = answer.lines().nth(1).expect("an address");
        let port = port.parse().expect("a port");
        assert!(self.servers.iter().any(|server| server.port() == port));
        port
    }

    fn ask_sentinel(&self, command: &[&str]) -> String {
        self.ask(self.sentinel.port(), &["-a", SENTINEL_PASSWORD], command)
    }

    fn ask(&self, port: u16, login: &[&str], command: &[&str]) -> String {
        let answer = Command::new("redis-cli")
            .args([
                "--tls",
                "--no-auth-warning",
                "-p",
                &port.to_string(),
                "--cacert",
            ])
            .arg(self.certificates.authority())
            .args(login)
            .args(command)
            .output()
            .expect("redis-cli runs");
        String::from_utf8_lossy(&answer.stdout).trim().to_owned()
    }
}

/// A settings file: the server's own lines, and those for TLS.
fn settings(certificates: &Certificates, (port, directory): (u16, &Path), own: &str) -> String {
    let [certificate, key, authority] = [
        certificates.certificate(),
        certificates.key(),
        certificates.authority(),
    ]
    .map(|path| path.display().to_string());
    let text = format!(
        "port 0
         tls-port {port}
         tls-cert-file {certificate}
         tls-key-file {key}
         tls-ca-cert-file {authority}
         tls-auth-clients no
         tls-replication yes
         {own}"
    );
    let file = directory.join("settings.conf");
    std::fs::write(&file, text).expect("a settings file");
    // A sentinel writes to it.
    give(&file);
    file.display().to_string()
}

fn server(certificates: &Certificates, at: (u16, &Path), follow: &str) -> Vec<String> {
    let own = format!(
        "save \"\"
         repl-diskless-sync-delay 0
         user default off
         user {USER} on \">{PASSWORD}\" ~* &* +@all
         masteruser {USER}
         masterauth \"{PASSWORD}\"
         {follow}\n"
    );
    vec![settings(certificates, at, &own)]
}

fn sentinel(certificates: &Certificates, at: (u16, &Path), master: u16) -> Vec<String> {
    let own = format!(
        "requirepass \"{SENTINEL_PASSWORD}\"
         sentinel monitor main 127.0.0.1 {master} 1
         sentinel auth-user main {USER}
         sentinel auth-pass main \"{PASSWORD}\"
         sentinel down-after-milliseconds main 60000
         sentinel failover-timeout main 10000\n"
    );
    vec![settings(certificates, at, &own), "--sentinel".to_owned()]
}
