//! The replay guard: a nonce is claimed once for each access key and remembered until its request's
//! date has left the window (contract section 3). It answers for never forgetting early; when it is
//! full, broken, or may have forgotten, it refuses. It knows nothing of signatures or of HTTP.

mod bucket;
mod claim_error;
mod config;
mod directory;
mod fingerprint;
mod guard;
mod half_minute;
mod half_minutes;
mod journal;
mod lease;
mod left_journals;
mod memory;
mod nonce_store;
mod open_error;
mod pending;
mod quota;
mod recovery;
mod redis;
mod set;
mod shared_writes;
mod state;
mod status;
mod tally;
mod telemetry;
mod unread;
mod upkeep;

pub use claim_error::ClaimError;
pub use config::Config;
pub use guard::ReplayGuard;
pub use lease::{Occupant, live_holder, occupant};
pub use nonce_store::NonceStore;
pub use open_error::{LeaseError, OpenError};
pub use pending::Pending;
pub use quota::Bounds;
pub use redis::{Disagreement, Fault, RedisConfig, RedisGuard, SharedCounters, SharedPending};
pub use status::Status;
