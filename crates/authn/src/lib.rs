//! Credentials in, a `Caller` or a `Rejection` out.
//!
//! Framework-free: it sees the raw pieces of a request and never a status code.

pub mod access_token;
pub mod attempts;
pub mod credentials;
pub mod device;
mod key_cache;
pub mod last_used;
pub mod link_mails;
pub mod mint;
pub mod opaque_token;
pub mod operator;
pub mod password;
pub mod password_pool;
pub mod portal_user;
pub mod rate_limit;
pub mod rejection;
pub mod replay;
pub mod secrets;
pub mod service_account;
