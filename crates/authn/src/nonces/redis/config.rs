//! Configuration of the guard on Redis.

use std::path::PathBuf;
use std::time::Duration;

use charter_domain::timestamp::Timestamp;
use charter_store::Store;
use secrecy::{ExposeSecret as _, SecretBox, SecretString};

use super::address::{Address, Servers};
use super::agreement::{Disagreement, check_key, key_id};
use super::fault::RedisFault;
use crate::nonces::fingerprint::Fingerprints;
use crate::nonces::half_minute::HalfMinute;
use crate::nonces::open_error::OpenError;
use crate::nonces::quota::Bounds;

pub struct RedisConfig {
    /// `redis://[user:password@]host:port[/database]` or `redis+sentinel://…`; `rediss` for TLS.
    pub url: SecretString,
    /// A PEM file with the authorities trusted under TLS; `None` for the machine's.
    pub ca_file: Option<PathBuf>,
    /// How far a request's date may lie from the server's clock, either way.
    pub window: Duration,
    /// Of all replicas together; each has its share.
    pub bounds: Bounds,
    /// Key of the nonces' hashes; the same at all replicas.
    pub hash_key: SecretBox<[u8; 32]>,
    /// How long a process with a guard of its own waits for replicas' lease to expire.
    pub lease: Duration,
    /// How far this machine's clock may be from that of Redis; `None` in tests that move the clock.
    pub clock_tolerance: Option<Duration>,
}

impl RedisConfig {
    /// Checks Redis as a start would. Writes no more than that start: a key that expires.
    ///
    /// # Errors
    ///
    /// [`OpenError::Redis`].
    pub async fn check(&self) -> Result<(), OpenError> {
        let address = self.address(&Fingerprints::new(&self.hash_key))?;
        let connection = address.connect().await.map_err(Disagreement::from)?;
        connection.poll().await.map_err(Disagreement::from)?;
        Ok(())
    }

    /// Checks, on a current schema, that no live replica has another key.
    ///
    /// # Errors
    ///
    /// [`OpenError::Redis`].
    pub async fn check_key(&self, store: &Store, now: Timestamp) -> Result<(), OpenError> {
        let checked = async {
            let guard = store.shared_guard().await?;
            let own = self.key_id();
            if guard.epoch.is_empty() || guard.hash_key == own {
                return Ok(());
            }
            check_key(store, (&own, &guard), now).await
        };
        Ok(checked.await?)
    }

    /// Identifies the key of the nonces' hashes, without revealing it.
    #[must_use]
    pub fn key_id(&self) -> String {
        key_id(&Fingerprints::new(&self.hash_key))
    }

    /// The servers' addresses, without credentials.
    #[must_use]
    pub fn servers(&self) -> String {
        Servers::parse(self.url.expose_secret())
            .map_or_else(|_| "malformed".to_owned(), |servers| servers.to_string())
    }

    pub(super) fn address(&self, fingerprints: &Fingerprints) -> Result<Address, Disagreement> {
        let tag = fingerprints.check(HalfMinute(0), b"the tag of shared nonces");
        let read = |path: &PathBuf| {
            let why = match std::fs::read_to_string(path) {
                Ok(text) if text.contains("BEGIN CERTIFICATE") => return Ok(text),
                Ok(_) => "it has none".to_owned(),
                Err(error) => error.to_string(),
            };
            Err(RedisFault::Authorities(path.display().to_string(), why))
        };
        let authorities = self.ca_file.as_ref().map(read).transpose()?;
        Ok(Address::new(&self.url, authorities, &hex::encode(tag))?)
    }
}
