//! What guards share: a database, a Redis and a clock.

use charter_authn::nonces::{RedisConfig, RedisGuard, UnopenedRedisGuard};
use charter_store::{SharedGuard, Store};
use test_support::services::TestDatabase;
use test_support::services::redis::Redis;

use super::*;

pub(super) const LEASE: Duration = Duration::from_millis(200);

/// A database and a Redis that guards share, and one key.
pub(super) struct Shared {
    pub(super) clock: Arc<HandClock>,
    pub(super) redis: Redis,
    pub(super) store: Arc<Store>,
    pub(super) bounds: Bounds,
    pub(super) key: AccessKeyId,
    pub(super) organization: OrganizationId,
    pub(super) _database: TestDatabase,
}

impl Shared {
    /// `None` where Redis is not installed.
    pub(super) async fn with(bounds: Bounds) -> Option<Self> {
        Self::on(TestDatabase::sqlite(), bounds).await
    }

    pub(super) async fn on(database: TestDatabase, bounds: Bounds) -> Option<Self> {
        let redis = Redis::start()?;
        let clock = HandClock::new();
        let store = Store::open(database.config(), clock.clone(), Arc::new(OsEntropy)).await;
        let store = store.expect("a store");
        store.migrate_up().await.expect("a schema");
        Some(Self {
            redis,
            store: Arc::new(store),
            bounds,
            key: key(&clock),
            organization: organization(&clock),
            clock,
            _database: database,
        })
    }

    pub(super) async fn open(&self) -> Result<RedisGuard, OpenError> {
        self.open_at(&self.config()).await
    }

    pub(super) async fn open_with(&self, hash_key: [u8; 32]) -> Result<RedisGuard, OpenError> {
        let config = RedisConfig {
            hash_key: SecretBox::new(Box::new(hash_key)),
            ..self.config()
        };
        self.open_at(&config).await
    }

    pub(super) fn config(&self) -> RedisConfig {
        RedisConfig {
            url: self.redis.url().into(),
            ca_file: None,
            window: WINDOW,
            bounds: self.bounds,
            hash_key: SecretBox::new(Box::new([7; 32])),
            lease: LEASE,
            clock_tolerance: None,
        }
    }

    pub(super) async fn open_at(&self, config: &RedisConfig) -> Result<RedisGuard, OpenError> {
        let clock: Arc<dyn Clock> = self.clock.clone();
        let entropy: Arc<dyn Entropy> = Arc::new(OsEntropy);
        let pending = UnopenedRedisGuard::wait(&self.store, LEASE).await?;
        pending.open(config, &self.store, &clock, &entropy).await
    }

    pub(super) async fn claim(&self, guard: &RedisGuard, nonce: &str) -> Result<(), ClaimError> {
        self.claim_at(guard, nonce, self.clock.now()).await
    }

    pub(super) async fn claim_at(
        &self,
        guard: &RedisGuard,
        nonce: &str,
        date: Timestamp,
    ) -> Result<(), ClaimError> {
        guard.claim(self.key, self.organization, nonce, date).await
    }

    /// Until requests of now are not those that may be lost.
    pub(super) async fn wait_until_open(&self, guard: &RedisGuard) {
        let until = guard.status().closed_until.expect("it is closed");
        let wait = (until - self.clock.now()).to_std().expect("later");
        assert!(wait <= Duration::from_mins(1), "{wait:?}");
        self.clock.pass(wait);
        guard.maintain().await;
    }

    pub(super) async fn agreed(&self) -> SharedGuard {
        let turn = self.store.begin_shared_guard().await.expect("a row");
        turn.guard.clone()
    }
}

pub(super) const ROOMY: Bounds = Bounds {
    per_key: 1_000,
    per_organization: 1_000,
    total: 4_000,
};
