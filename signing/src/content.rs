//! The hash of the body.

use sha2::{Digest, Sha256};

/// The `x-content-sha256` of a request without a body.
pub const EMPTY_BODY_SHA256: &str =
    "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";

/// The `x-content-sha256` of these bytes: SHA-256 in lowercase hexadecimal.
#[must_use]
pub fn sha256_hex(body: &[u8]) -> String {
    if body.is_empty() {
        return EMPTY_BODY_SHA256.to_owned();
    }
    let mut text = String::with_capacity(EMPTY_BODY_SHA256.len());
    for byte in Sha256::digest(body) {
        text.extend(char::from_digit(u32::from(byte >> 4), 16));
        text.extend(char::from_digit(u32::from(byte & 15), 16));
    }
    text
}

/// Whether the body is the one that was signed. Neither side is a secret, so time may tell.
#[must_use]
pub fn content_matches(body: &[u8], content_sha256: &str) -> bool {
    sha256_hex(body) == content_sha256
}
