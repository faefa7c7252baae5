//! Credentials in, a `Caller` or a `Rejection` out.
//!
//! Framework-free: it sees the raw pieces of a request and never a status code.

pub mod access_clients;
pub mod credentials;
pub mod limits;
pub mod nonces;
pub mod operator;
pub mod operator_sessions;
pub mod record_cache;
pub mod rejection;
pub mod secrets;
pub mod signed;
pub mod users;
