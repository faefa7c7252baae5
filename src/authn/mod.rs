//! Credentials in, a caller or a rejection out. Knows no HTTP framework and no policy.

pub mod replay;
