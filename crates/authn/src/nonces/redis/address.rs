//! Where Redis is: one server, or whichever the sentinels name as master.

use std::fmt;
use std::time::Duration;

use ::redis::aio::MultiplexedConnection;
use ::redis::{
    AsyncConnectionConfig, Client, ConnectionAddr, ConnectionInfo, IntoConnectionInfo,
    TlsCertificates, cmd,
};
use futures_util::FutureExt as _;
use futures_util::future::select_ok;
use secrecy::{ExposeSecret as _, SecretString};

use super::connection::Connection;
use super::fault::Fault;

/// For an answer. Beyond it the connection is made anew.
const ANSWER: Duration = Duration::from_secs(1);
/// For a connection, TLS and sign-in included.
const CONNECT: Duration = Duration::from_secs(2);
const SENTINEL_PORT: u16 = 26_379;

/// Where Redis is, and what its keys are called.
pub(super) struct Address {
    servers: Servers,
    /// A PEM file's text; `None` is what the machine trusts.
    authorities: Option<String>,
    epoch_key: String,
}

pub(super) enum Servers {
    One(ConnectionInfo),
    Watched {
        sentinels: Vec<ConnectionInfo>,
        name: String,
        /// How to sign in; the address is the sentinels'.
        master: ConnectionInfo,
    },
}

impl Address {
    /// `tag` tells installations on one server apart.
    pub(super) fn new(
        url: &SecretString,
        authorities: Option<String>,
        tag: &str,
    ) -> Result<Self, Fault> {
        Ok(Self {
            servers: Servers::parse(url.expose_secret())?,
            authorities,
            epoch_key: format!("charter:{tag}:epoch"),
        })
    }

    pub(super) async fn connect(&self) -> Result<Connection, Fault> {
        let server = match &self.servers {
            Servers::One(server) => server.clone(),
            Servers::Watched {
                sentinels,
                name,
                master,
            } => {
                let asked = sentinels.iter().map(|at| self.ask(at, name).boxed());
                // The first that answers. A master of yesterday is refused by its role, or by the epoch.
                let ((host, port), _others) = select_ok(asked).await?;
                let address = match master.addr() {
                    ConnectionAddr::TcpTls { .. } => ConnectionAddr::TcpTls {
                        host,
                        port,
                        insecure: false,
                        tls_params: None,
                    },
                    _ => ConnectionAddr::Tcp(host, port),
                };
                master.clone().set_addr(address)
            }
        };
        Ok(Connection::new(
            self.open(&server).await?,
            self.epoch_key.clone(),
        ))
    }

    /// The address of the master, as this sentinel knows it.
    async fn ask(&self, sentinel: &ConnectionInfo, name: &str) -> Result<(String, u16), Fault> {
        let answer = async {
            let mut connection = self.open(sentinel).await?;
            let answer: Option<(String, u16)> = cmd("SENTINEL")
                .arg("GET-MASTER-ADDR-BY-NAME")
                .arg(name)
                .query_async(&mut connection)
                .await?;
            answer.ok_or_else(|| Fault::Unfit(format!("it knows no master `{name}`")))
        };
        answer
            .await
            .map_err(|fault| Fault::Sentinel(sentinel.addr().to_string(), Box::new(fault)))
    }

    async fn open(&self, server: &ConnectionInfo) -> Result<MultiplexedConnection, Fault> {
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
            .set_connection_timeout(Some(CONNECT))
            .set_response_timeout(Some(ANSWER));
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
    pub(super) fn parse(url: &str) -> Result<Self, Fault> {
        let info = |url: String| {
            url.into_connection_info()
                .map_err(|error| Fault::Address(error.to_string()))
        };
        let Some((scheme, rest)) = url.split_once("+sentinel://") else {
            return Ok(Self::One(info(url.to_owned())?));
        };
        let (rest, query) = rest.split_once('?').unwrap_or((rest, ""));
        let (authority, path) = rest.split_once('/').unwrap_or((rest, ""));
        let (login, hosts) = authority.rsplit_once('@').unwrap_or(("", authority));
        let (name, database) = path.split_once('/').unwrap_or((path, ""));
        if name.is_empty() {
            return Err(Fault::Address(
                "the name of the master is missing after the sentinels, `…/mymaster`".to_owned(),
            ));
        }
        let (mut user, mut password) = ("", "");
        for pair in query.split('&').filter(|pair| !pair.is_empty()) {
            match pair.split_once('=') {
                Some(("sentinel_user", value)) => user = value,
                Some(("sentinel_password", value)) => password = value,
                _ => return Err(Fault::Address("an unknown parameter".to_owned())),
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
    fn what_cannot_be_meant_is_refused() {
        for url in [
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
            assert!(matches!(refused, Err(Fault::Address(_))), "{url}");
        }
    }
}
