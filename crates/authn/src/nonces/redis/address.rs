//! The address of Redis: one server, or the master that the sentinels name.

use std::fmt;
use std::time::Duration;

use ::redis::aio::MultiplexedConnection;
use ::redis::{
    AsyncConnectionConfig, Client, ConnectionAddr, ConnectionInfo, InfoDict, IntoConnectionInfo,
    TlsCertificates, cmd,
};
use futures_util::FutureExt as _;
use futures_util::future::select_ok;
use secrecy::{ExposeSecret as _, SecretString};

use super::connection::{Connection, Keys};
use super::fault::RedisFault;

/// Beyond it a new connection is made.
const RESPONSE_TIMEOUT: Duration = Duration::from_secs(1);
/// TLS and authentication included.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(2);
const SENTINEL_PORT: u16 = 26_379;

/// The address of Redis, and the names of keys there.
pub(super) struct Address {
    servers: Servers,
    /// A PEM file's text; `None` for the machine's authorities.
    authorities: Option<String>,
    keys: Keys,
}

pub(super) enum Servers {
    One(ConnectionInfo),
    Watched {
        sentinels: Vec<ConnectionInfo>,
        name: String,
        /// Credentials and TLS; the address comes from the sentinels.
        master: ConnectionInfo,
    },
}

impl Address {
    /// `tag` distinguishes installations on one server.
    pub(super) fn new(
        url: &SecretString,
        authorities: Option<String>,
        tag: &str,
    ) -> Result<Self, RedisFault> {
        Ok(Self {
            servers: Servers::parse(url.expose_secret())?,
            authorities,
            keys: Keys::new(tag),
        })
    }

    pub(super) async fn connect(&self) -> Result<Connection, RedisFault> {
        let connection = match &self.servers {
            Servers::One(server) => self.open(server).await?,
            Servers::Watched {
                sentinels,
                name,
                master,
            } => {
                let found = sentinels
                    .iter()
                    .map(|at| self.find(at, name, master).boxed());
                // A sentinel cut off by a partition may name the old master, so the first that is a master wins. An old
                // master is refused by the epoch.
                let (connection, _others) = select_ok(found).await?;
                connection
            }
        };
        Ok(Connection::new(connection, self.keys.clone()))
    }

    /// A connection to the master that this sentinel names.
    async fn find(
        &self,
        sentinel: &ConnectionInfo,
        name: &str,
        master: &ConnectionInfo,
    ) -> Result<MultiplexedConnection, RedisFault> {
        let found = async {
            let mut connection = self.open(sentinel).await?;
            let named: Option<(String, u16)> = cmd("SENTINEL")
                .arg("GET-MASTER-ADDR-BY-NAME")
                .arg(name)
                .query_async(&mut connection)
                .await?;
            let (host, port) =
                named.ok_or_else(|| RedisFault::Unfit(format!("it knows no master `{name}`")))?;
            let address = match master.addr() {
                ConnectionAddr::TcpTls { .. } => ConnectionAddr::TcpTls {
                    host,
                    port,
                    insecure: false,
                    tls_params: None,
                },
                _ => ConnectionAddr::Tcp(host, port),
            };
            let mut connection = self.open(&master.clone().set_addr(address)).await?;
            let info: InfoDict = cmd("INFO")
                .arg("replication")
                .query_async(&mut connection)
                .await?;
            match info.get::<String>("role") {
                Some(role) if role == "master" => Ok(connection),
                role => Err(RedisFault::Role(role.unwrap_or_default())),
            }
        };
        found
            .await
            .map_err(|fault| RedisFault::Sentinel(sentinel.addr().to_string(), Box::new(fault)))
    }

    async fn open(&self, server: &ConnectionInfo) -> Result<MultiplexedConnection, RedisFault> {
        let client = match &self.authorities {
            Some(authorities) => Client::build_with_tls(
                server.clone(),
                TlsCertificates {
                    client_tls: None,
                    root_cert: Some(authorities.clone().into_bytes()),
                },
            ),
            None => Client::open(server.clone()),
        };
        let config = AsyncConnectionConfig::new()
            .set_connection_timeout(Some(CONNECT_TIMEOUT))
            .set_response_timeout(Some(RESPONSE_TIMEOUT));
        let client = client?;
        Ok(client
            .get_multiplexed_async_connection_with_config(&config)
            .await?)
    }
}

impl Servers {
    /// `redis://[user:password@]host[:port][/database]`, or
    /// `redis+sentinel://[user:password@]host[:port],…/master[/database][?sentinel_user=…&sentinel_password=…]`;
    /// `rediss` for TLS.
    pub(super) fn parse(url: &str) -> Result<Self, RedisFault> {
        let info = |url: String| {
            url.into_connection_info()
                .map_err(|error| RedisFault::Address(error.to_string()))
        };
        let Some((scheme, rest)) = url.split_once("+sentinel://") else {
            // The library would ignore them.
            if url.contains(['?', '#']) {
                return Err(RedisFault::Address("an unknown parameter".to_owned()));
            }
            return Ok(Self::One(info(url.to_owned())?));
        };
        let (rest, query) = rest.split_once('?').unwrap_or((rest, ""));
        let (authority, path) = rest.split_once('/').unwrap_or((rest, ""));
        let (login, hosts) = authority.rsplit_once('@').unwrap_or(("", authority));
        let (name, database) = path.split_once('/').unwrap_or((path, ""));
        if name.is_empty() {
            return Err(RedisFault::Address(
                "the name of the master is missing after the sentinels, `…/mymaster`".to_owned(),
            ));
        }
        let (mut user, mut password) = ("", "");
        for pair in query.split('&').filter(|pair| !pair.is_empty()) {
            match pair.split_once('=') {
                Some(("sentinel_user", value)) => user = value,
                Some(("sentinel_password", value)) => password = value,
                _ => return Err(RedisFault::Address("an unknown parameter".to_owned())),
            }
        }
        let sentinel = |host: &str| {
            let has_port = host.rsplit(']').next().is_some_and(|end| end.contains(':'));
            let port = if has_port {
                String::new()
            } else {
                format!(":{SENTINEL_PORT}")
            };
            let login = if password.is_empty() {
                String::new()
            } else {
                format!("{user}:{password}@")
            };
            info(format!("{scheme}://{login}{host}{port}"))
        };
        let at = if login.is_empty() { "" } else { "@" };
        Ok(Self::Watched {
            sentinels: hosts.split(',').map(sentinel).collect::<Result<_, _>>()?,
            name: name.to_owned(),
            // The host stands for the one that the sentinels name.
            master: info(format!("{scheme}://{login}{at}master/{database}"))?,
        })
    }
}

impl fmt::Display for Servers {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::One(server) => write!(out, "{}", server.addr()),
            Self::Watched {
                sentinels, name, ..
            } => {
                write!(out, "`{name}` of the sentinels")?;
                let mut sentinels = sentinels.iter();
                sentinels.try_for_each(|sentinel| write!(out, " {}", sentinel.addr()))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader};
    use tokio::net::TcpListener;
    use tokio::sync::Notify;

    use super::*;

    fn watched(url: &str) -> (Vec<String>, String, ConnectionInfo) {
        match Servers::parse(url).expect("an address") {
            Servers::Watched {
                sentinels,
                name,
                master,
            } => {
                let sentinels = sentinels.iter().map(|at| at.addr().to_string()).collect();
                (sentinels, name, master)
            }
            Servers::One(_) => panic!("sentinels"),
        }
    }

    #[test]
    fn sentinels_have_ports_and_redis_its_login() {
        let (sentinels, name, master) =
            watched("rediss+sentinel://ada:p%2Fw@one,two:5000,[::1],[::2]:7/main-1/3");
        assert_eq!(sentinels, ["one:26379", "two:5000", "::1:26379", "::2:7"]);
        assert_eq!(name, "main-1");
        assert!(matches!(
            master.addr(),
            ConnectionAddr::TcpTls {
                insecure: false,
                ..
            }
        ));
        let settings = master.redis_settings();
        assert_eq!(settings.username(), Some("ada"));
        assert_eq!((settings.password(), settings.db()), (Some("p/w"), 3));
    }

    #[test]
    fn sentinels_have_a_login_of_their_own() {
        let url = "redis+sentinel://:redis@one/main?sentinel_user=ada&sentinel_password=p%26w";
        let Ok(Servers::Watched { sentinels, .. }) = Servers::parse(url) else {
            panic!("sentinels");
        };
        let settings = sentinels[0].redis_settings();
        assert_eq!(settings.username(), Some("ada"));
        assert_eq!(settings.password(), Some("p&w"));
        let (_, _, master) = watched("redis+sentinel://one/main");
        assert_eq!(master.redis_settings().password(), None);
    }

    #[test]
    fn malformed_addresses_are_refused() {
        for url in [
            "redis://one/0?insecure=true",
            "rediss://one/0#insecure",
            "redis+sentinel://one",
            "redis+sentinel://one/",
            "redis+sentinel:///main",
            "redis+sentinel://one,,two/main",
            "redis+sentinel://one:port/main",
            "redis+sentinel://one/main/first",
            "redis+sentinel://one/main?password=x",
            "http+sentinel://one/main",
            "redis://",
        ] {
            let refused = Servers::parse(url);
            assert!(matches!(refused, Err(RedisFault::Address(_))), "{url}");
        }
    }

    /// Answers commands as `answer` does, and `OK` where it has none.
    async fn serve<A: Future<Output = Option<String>>>(
        listener: TcpListener,
        answer: impl Fn(String) -> A,
    ) {
        let (stream, _) = listener.accept().await.expect("a connection");
        let (read, mut write) = stream.into_split();
        let mut lines = BufReader::new(read).lines();
        // An array of texts, the length of each before it.
        while let Ok(Some(head)) = lines.next_line().await {
            let mut words = Vec::new();
            for _ in 0..head[1..].parse().expect("their number") {
                let length = lines.next_line().await.expect("a length");
                assert!(length.is_some());
                words.extend(lines.next_line().await.expect("a text"));
            }
            let answer = answer(words.join(" ")).await;
            let answer = answer.unwrap_or_else(|| "+OK\r\n".to_owned());
            write.write_all(answer.as_bytes()).await.expect("sent");
        }
    }

    #[tokio::test]
    async fn a_sentinel_that_names_a_server_which_is_no_master_is_passed_over() {
        let mut listeners = Vec::new();
        for _ in 0..4 {
            listeners.push(TcpListener::bind("127.0.0.1:0").await.expect("a port"));
        }
        let ports: Vec<_> = listeners
            .iter()
            .map(|it| it.local_addr().expect("its address").port())
            .collect();
        let url = format!(
            "redis+sentinel://127.0.0.1:{},127.0.0.1:{}/main",
            ports[0], ports[1]
        );
        let address = Address::new(&url.into(), None, "tag").expect("an address");
        let was_refused = Notify::new();
        let named = |port: u16| format!("*2\r\n$9\r\n127.0.0.1\r\n:{port}\r\n");
        let sentinel = |command: String, port: u16, is_late: bool| {
            let was_refused = &was_refused;
            async move {
                if !command.starts_with("SENTINEL") {
                    return None;
                }
                if is_late {
                    was_refused.notified().await;
                }
                Some(named(port))
            }
        };
        let server = |command: String, role: &'static str, time: u8| {
            let was_refused = &was_refused;
            async move {
                if command == "TIME" {
                    return Some(format!("*2\r\n:{time}\r\n:0\r\n"));
                }
                let info = format!("role:{role}\r\n");
                was_refused.notify_one();
                (command == "INFO replication").then(|| format!("${}\r\n{info}\r\n", info.len()))
            }
        };
        let mut listeners = listeners.into_iter();
        let mut next = || listeners.next().expect("one more");
        let servers = async {
            tokio::join!(
                serve(next(), |command| sentinel(command, ports[2], false)),
                serve(next(), |command| sentinel(command, ports[3], true)),
                serve(next(), |command| server(command, "slave", 1)),
                serve(next(), |command| server(command, "master", 2)),
            )
        };
        let found = async {
            let connection = address.connect().await.expect("a master");
            connection.time().await.expect("its time")
        };
        tokio::select! {
            time = found => assert_eq!(time, Duration::from_secs(2), "of the master"),
            _ = servers => panic!("they serve on"),
        }
    }
}
