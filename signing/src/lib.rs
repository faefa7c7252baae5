#![doc = include_str!("../README.md")]
#![warn(missing_docs, clippy::missing_errors_doc, clippy::must_use_candidate)]

mod authorization;
mod client;
mod content;
mod error;
mod key;
#[cfg(feature = "reqwest")]
pub mod reqwest;
mod string_to_sign;

pub use authorization::{Authorization, SCHEME};
pub use client::{Request, SignedHeaders};
pub use content::{EMPTY_BODY_SHA256, content_matches, sha256_hex};
pub use error::{InvalidSignature, Malformed};
pub use key::{Key, Signature};
pub use string_to_sign::{StringToSign, is_valid_content_hash, is_valid_nonce};

/// The header that carries the time of signing.
pub const DATE_HEADER: &str = "x-date";
/// The header that carries the value used once.
pub const NONCE_HEADER: &str = "x-nonce";
/// The header that carries the body's hash.
pub const CONTENT_SHA256_HEADER: &str = "x-content-sha256";
