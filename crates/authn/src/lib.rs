//! Authenticates requests: from credentials to a `Caller` or a `Rejection`.
//!
//! It knows neither the web framework nor status codes.

pub mod access_clients;
pub mod credentials;
pub mod exact_time;
pub mod limits;
pub mod nonces;
pub mod operator;
pub mod operator_sessions;
pub mod rejection;
pub mod secrets;
pub mod signed;
pub mod users;
