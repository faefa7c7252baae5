//! The replay guard: a nonce can be claimed once for each access key, and is kept until its request's date has left the
//! window (contract section 3). If it is full, broken, or may have lost nonces, it refuses. It knows nothing of
//! signatures or HTTP.

mod bucket;
mod claim_error;
mod config;
mod directory;
mod fingerprint;
mod guard;
mod half_minute;
mod half_minutes;
mod in_memory_guard;
mod journal;
mod lease;
mod left_journals;
mod nonce_store;
mod open_error;
mod quota;
mod record_counts;
mod recovery;
mod redis;
mod set;
mod shared_writes;
mod state;
mod status;
mod telemetry;
mod unopened_guard;
mod unread_journals;
mod upkeep;

pub use claim_error::ClaimError;
pub use config::ReplayGuardConfig;
pub use guard::ReplayGuard;
pub use lease::{FoundLease, LeaseHolder, find_lease, live_holder};
pub use nonce_store::NonceStore;
pub use open_error::{LeaseError, OpenError};
pub use quota::Bounds;
pub use redis::{
    Disagreement, RedisConfig, RedisFault, RedisGuard, SharedCounters, UnopenedRedisGuard,
};
pub use status::Status;
pub use unopened_guard::UnopenedGuard;
