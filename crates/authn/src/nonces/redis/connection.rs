//! One connection for all requests: commands are sent as they come, answers have a deadline.

use std::time::Duration;

use ::redis::aio::MultiplexedConnection;
use ::redis::{AsyncConnectionConfig, Client, InfoDict, RedisError, Value, cmd, pipe};
use secrecy::{ExposeSecret as _, SecretString};

use super::fault::Fault;
use super::server::Server;

/// For an answer. Beyond it the connection is made anew.
const ANSWER: Duration = Duration::from_secs(1);
/// For a connection, TLS and sign-in included.
const CONNECT: Duration = Duration::from_secs(2);
/// How long the epoch key outlives the last look at it. A nonce is kept for longer than its request's time by
/// [`KEPT`], so that a clock of Redis that jumps ahead loses the epoch with the first nonce that still counts.
const EPOCH_KEPT_MILLISECONDS: u64 = 60_000;
pub(super) const KEPT: Duration = Duration::from_secs(90);

/// What became of a nonce that was sent.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Answer {
    /// Whether it was not there before.
    pub(super) is_new: bool,
    /// The epoch, read after it.
    pub(super) epoch: Option<String>,
}

/// Where Redis is, and what its keys are called.
pub(super) struct Address {
    client: Client,
    epoch_key: String,
}

impl Address {
    /// `tag` tells installations on one server apart.
    pub(super) fn new(url: &SecretString, tag: &str) -> Result<Self, Fault> {
        let malformed = |error: RedisError| Fault::Address(error.to_string());
        Ok(Self {
            client: Client::open(url.expose_secret()).map_err(malformed)?,
            epoch_key: format!("charter:{tag}:epoch"),
        })
    }

    pub(super) async fn connect(&self) -> Result<Connection, Fault> {
        let config = AsyncConnectionConfig::new()
            .set_connection_timeout(Some(CONNECT))
            .set_response_timeout(Some(ANSWER));
        let connected = self
            .client
            .get_multiplexed_async_connection_with_config(&config)
            .await?;
        Ok(Connection {
            connection: connected,
            epoch_key: self.epoch_key.clone(),
        })
    }
}

/// Cheap to clone; clones share it. One that broke stays broken.
#[derive(Clone)]
pub(super) struct Connection {
    connection: MultiplexedConnection,
    epoch_key: String,
}

impl Connection {
    /// Remembers a nonce for that long, in one round trip. The epoch is read after it: whoever has lost the nonce
    /// before has lost the epoch by then.
    pub(super) async fn claim(&self, nonce: u128, keep: Duration) -> Result<Answer, RedisError> {
        let milliseconds = u64::try_from(keep.as_millis()).unwrap_or(u64::MAX);
        let (set, epoch): (Value, Option<String>) = pipe()
            .cmd("SET")
            .arg(nonce_key(nonce).as_slice())
            .arg(b"")
            .arg("NX")
            .arg("PX")
            .arg(milliseconds)
            .cmd("GET")
            .arg(&self.epoch_key)
            .query_async(&mut self.connection.clone())
            .await?;
        Ok(Answer {
            is_new: set == Value::Okay,
            epoch,
        })
    }

    /// Looks at the server, and keeps the epoch key alive.
    pub(super) async fn look(&self) -> Result<Server, Fault> {
        let (epoch, info, time): (Option<String>, InfoDict, (u64, u32)) = pipe()
            .cmd("GETEX")
            .arg(&self.epoch_key)
            .arg("PX")
            .arg(EPOCH_KEPT_MILLISECONDS)
            .cmd("INFO")
            .cmd("TIME")
            .query_async(&mut self.connection.clone())
            .await?;
        Server::read(epoch, &info, time)
    }

    /// Begins an epoch.
    pub(super) async fn begin(&self, epoch: &str) -> Result<(), Fault> {
        let begun: () = pipe()
            .cmd("SET")
            .arg(&self.epoch_key)
            .arg(epoch)
            .arg("PX")
            .arg(EPOCH_KEPT_MILLISECONDS)
            .ignore()
            .query_async(&mut self.connection.clone())
            .await?;
        Ok(begun)
    }

    /// Runs a script that returns a number.
    pub(super) async fn run(
        &self,
        script: &str,
        keys: &[String],
        args: &[u64],
    ) -> Result<u64, RedisError> {
        cmd("EVAL")
            .arg(script)
            .arg(keys.len())
            .arg(keys)
            .arg(args)
            .query_async(&mut self.connection.clone())
            .await
    }

    /// Its clock, since 1970.
    pub(super) async fn time(&self) -> Result<Duration, RedisError> {
        let ((seconds, microseconds),): ((u64, u32),) = pipe()
            .cmd("TIME")
            .query_async(&mut self.connection.clone())
            .await?;
        Ok(Duration::new(seconds, microseconds.saturating_mul(1_000)))
    }
}

/// The hashes are keyed, so that those of other installations do not meet them.
fn nonce_key(nonce: u128) -> [u8; 26] {
    const PREFIX: [u8; 10] = *b"charter:n:";
    let mut key = [0; 26];
    let (prefix, hash) = key.split_at_mut(PREFIX.len());
    prefix.copy_from_slice(&PREFIX);
    hash.copy_from_slice(&nonce.to_be_bytes());
    key
}
