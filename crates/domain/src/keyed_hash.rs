//! HMAC-SHA256 under a key of any length (RFC 2104).

use hmac::{Hmac, KeyInit};
use sha2::Sha256;

/// A fresh computation under this key.
#[must_use]
#[expect(
    clippy::expect_used,
    clippy::missing_panics_doc,
    reason = "HMAC takes a key of any length"
)]
pub fn keyed_hash(key: &[u8]) -> Hmac<Sha256> {
    Hmac::new_from_slice(key).expect("a key of any length")
}
