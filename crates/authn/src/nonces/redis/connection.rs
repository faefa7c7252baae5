//! One connection for all requests: commands are sent as they come, answers have a deadline.

use std::time::Duration;

use ::redis::aio::MultiplexedConnection;
use ::redis::{FromRedisValue, InfoDict, RedisError, Value, cmd, pipe};

use super::fault::Fault;
use super::server::Server;

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

/// Cheap to clone; clones share it. One that broke stays broken.
#[derive(Clone)]
pub(super) struct Connection {
    connection: MultiplexedConnection,
    epoch_key: String,
}

impl Connection {
    pub(super) const fn new(connection: MultiplexedConnection, epoch_key: String) -> Self {
        Self {
            connection,
            epoch_key,
        }
    }

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

/// The hashes are keyed, so that those of other installations do not meet them.
fn nonce_key(nonce: u128) -> [u8; 26] {
    const PREFIX: [u8; 10] = *b"charter:n:";
    let mut key = [0; 26];
    let (prefix, hash) = key.split_at_mut(PREFIX.len());
    prefix.copy_from_slice(&PREFIX);
    hash.copy_from_slice(&nonce.to_be_bytes());
    key
}
