//! The secret and what it makes.

use std::fmt;
use std::str::FromStr;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use hmac::{Hmac, KeyInit};
use sha2::Sha256;

use crate::error::Malformed;

/// Base64 of 32 bytes, padding included.
const SIGNATURE_TEXT_LENGTH: usize = 44;

/// A secret key, ready to sign with.
///
/// Wiped when dropped, and `Debug` shows nothing of it.
#[derive(Clone)]
pub struct Key(Hmac<Sha256>);

impl Key {
    /// Takes the secret as it was shown (`charter_sk_…`, or in whatever form): its bytes, prefix included, are the key.
    #[must_use]
    #[expect(
        clippy::expect_used,
        clippy::missing_panics_doc,
        reason = "HMAC takes a key of any length"
    )]
    pub fn new(secret_key: &str) -> Self {
        Self(Hmac::new_from_slice(secret_key.as_bytes()).expect("a key of any length"))
    }

    /// A fresh computation under this key.
    pub(crate) fn mac(&self) -> Hmac<Sha256> {
        self.0.clone()
    }
}

impl fmt::Debug for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Key(…)")
    }
}

/// The 32 bytes of a signature; its text is base64, standard alphabet, padded.
///
/// Not comparable with `==`, which would take longer the more bytes agree: use
/// [`StringToSign::verify`](crate::StringToSign::verify).
#[derive(Debug, Clone, Copy)]
pub struct Signature([u8; 32]);

impl Signature {
    /// Wraps the bytes.
    #[must_use]
    pub const fn from_bytes(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }

    /// The bytes.
    #[must_use]
    pub const fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }
}

impl fmt::Display for Signature {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&STANDARD.encode(self.0))
    }
}

impl FromStr for Signature {
    type Err = Malformed;

    /// Reads the one canonical spelling: 44 characters, padded, no stray bits, no white space.
    fn from_str(text: &str) -> Result<Self, Malformed> {
        if text.len() != SIGNATURE_TEXT_LENGTH {
            return Err(Malformed::Signature);
        }
        // The standard engine demands padding and refuses trailing bits.
        let bytes = STANDARD.decode(text).map_err(|_| Malformed::Signature)?;
        bytes.try_into().map(Self).map_err(|_| Malformed::Signature)
    }
}
