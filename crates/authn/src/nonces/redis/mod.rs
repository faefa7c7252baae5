//! The replay guard of several replicas: Redis (or Valkey) stores the nonces, the database the half minutes in which
//! some may have been accepted. Another server, or one that has lost the epoch key, closes every half minute that was
//! marked before.

mod address;
mod agreement;
mod config;
mod connection;
mod counters;
mod epoch;
mod fault;
mod guard;
mod server;
mod start;
mod upkeep;

pub use agreement::Disagreement;
pub use config::RedisConfig;
pub use counters::SharedCounters;
pub use fault::RedisFault;
pub use guard::RedisGuard;
pub use start::UnopenedRedisGuard;
