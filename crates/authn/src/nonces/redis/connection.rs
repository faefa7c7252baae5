//! One multiplexed connection for all requests; responses have a deadline.

use std::time::Duration;

use ::redis::aio::MultiplexedConnection;
use ::redis::{FromRedisValue, InfoDict, RedisError, Value, cmd, pipe};

use super::fault::RedisFault;
use super::server::Server;

/// How long the epoch key lives after the latest poll. Nonces live longer than their request's time by
/// [`RETENTION_MARGIN`], so if Redis' clock jumps ahead, the epoch expires before any nonce that still counts.
const EPOCH_KEY_MILLISECONDS: u64 = 60_000;
pub(super) const RETENTION_MARGIN: Duration = Duration::from_secs(90);

/// What became of a nonce that was sent.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct ClaimAnswer {
    /// Whether it was not there before.
    pub(super) is_new: bool,
    /// The epoch, read after it.
    pub(super) epoch: Option<String>,
}

/// Cheap to clone; clones share it. One that broke stays broken.
#[derive(Clone)]
pub(super) struct Connection {
    connection: MultiplexedConnection,
    keys: Keys,
}

/// Names in Redis of what is there once for an installation.
#[derive(Clone)]
pub(super) struct Keys {
    /// The current epoch; it expires soon after the latest poll.
    epoch: String,
    /// The latest epoch that began. It never expires: where it is gone, so may be nonces.
    begun: String,
    /// Written by each poll.
    probe: String,
}

impl Keys {
    /// `tag` distinguishes installations on one server.
    pub(super) fn new(tag: &str) -> Self {
        let key = |name: &str| format!("charter:{tag}:{name}");
        Self {
            epoch: key("epoch"),
            begun: key("begun"),
            probe: key("probe"),
        }
    }
}

impl Connection {
    pub(super) const fn new(connection: MultiplexedConnection, keys: Keys) -> Self {
        Self { connection, keys }
    }

    /// Remembers a nonce for that long, in one round trip. The epoch is read after it: whoever has lost the nonce
    /// before has lost the epoch by then.
    pub(super) async fn claim(
        &self,
        nonce: u128,
        keep: Duration,
    ) -> Result<ClaimAnswer, RedisError> {
        let milliseconds = u64::try_from(keep.as_millis()).unwrap_or(u64::MAX);
        let (set, epoch): (Value, Option<String>) = pipe()
            .cmd("SET")
            .arg(nonce_key(nonce).as_slice())
            .arg(b"")
            .arg("NX")
            .arg("PX")
            .arg(milliseconds)
            .cmd("GET")
            .arg(&self.keys.epoch)
            .query_async(&mut self.connection.clone())
            .await?;
        Ok(ClaimAnswer {
            is_new: set == Value::Okay,
            epoch,
        })
    }

    /// Reads the server's state, and extends the life of the epoch key. Fails if the server takes no nonces, for
    /// example because its memory is full.
    pub(super) async fn poll(&self) -> Result<Server, RedisFault> {
        type State = (Option<String>, Option<String>, InfoDict, (u64, u32));
        let (epoch, begun, info, time): State = pipe()
            .cmd("SET")
            .arg(&self.keys.probe)
            .arg("")
            .arg("PX")
            .arg(EPOCH_KEY_MILLISECONDS)
            .ignore()
            .cmd("GETEX")
            .arg(&self.keys.epoch)
            .arg("PX")
            .arg(EPOCH_KEY_MILLISECONDS)
            .cmd("GET")
            .arg(&self.keys.begun)
            .cmd("INFO")
            .cmd("TIME")
            .query_async(&mut self.connection.clone())
            .await?;
        Server::read((epoch, begun), &info, time)
    }

    /// Begins an epoch.
    pub(super) async fn begin(&self, epoch: &str) -> Result<(), RedisFault> {
        let begun: () = pipe()
            .cmd("SET")
            .arg(&self.keys.begun)
            .arg(epoch)
            .ignore()
            .cmd("SET")
            .arg(&self.keys.epoch)
            .arg(epoch)
            .arg("PX")
            .arg(EPOCH_KEY_MILLISECONDS)
            .ignore()
            .query_async(&mut self.connection.clone())
            .await?;
        Ok(begun)
    }

    /// Runs a script that returns a number, or numbers.
    pub(super) async fn run<T: FromRedisValue>(
        &self,
        script: &str,
        keys: &[String],
        args: &[u64],
    ) -> Result<T, RedisError> {
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

/// The hashes are keyed, so those of other installations differ.
fn nonce_key(nonce: u128) -> [u8; 26] {
    const PREFIX: [u8; 10] = *b"charter:n:";
    let mut key = [0; 26];
    let (prefix, hash) = key.split_at_mut(PREFIX.len());
    prefix.copy_from_slice(&PREFIX);
    hash.copy_from_slice(&nonce.to_be_bytes());
    key
}
