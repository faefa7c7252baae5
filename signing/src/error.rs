//! What can be wrong with the parts of a signed request.

use std::error::Error;
use std::fmt;

/// A part that cannot be signed, or was not signed by this scheme.
///
/// Its text names the part and what is expected, never the value: it may be logged.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Malformed {
    /// The method is empty, or not in capitals.
    Method,
    /// The path does not start with `/`, or something in the target cannot stand in one.
    Target,
    /// The target ends in a `?` with nothing behind it.
    EmptyQuery,
    /// `x-date` is empty or holds something other than visible ASCII.
    Date,
    /// `x-nonce` breaks the grammar of [`is_valid_nonce`](crate::is_valid_nonce).
    Nonce,
    /// `x-content-sha256` is not 64 lowercase hexadecimal digits.
    ContentHash,
    /// A string to sign does not have exactly six lines.
    Lines,
    /// The credentials are not `HMAC {access_key}:{signature}`.
    Authorization,
    /// The access key is not 1 to 128 characters of `A-Za-z0-9._~-`.
    AccessKey,
    /// The signature is not the canonical base64 of 32 bytes.
    Signature,
}

impl fmt::Display for Malformed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Method => "the method must be in capitals, such as `GET`",
            Self::Target => {
                "the target must start with `/` and hold no space, control character or `#`; \
                 percent-encode them"
            }
            Self::EmptyQuery => "the target ends in `?` with no query behind it; leave the `?` out",
            Self::Date => "`x-date` must be written `YYYY-MM-DDTHH:MM:SSZ`",
            Self::Nonce => "`x-nonce` must be 8 to 128 characters of `A-Za-z0-9._~-`",
            Self::ContentHash => {
                "`x-content-sha256` must be the body's sha-256 in 64 lowercase hexadecimal digits"
            }
            Self::Lines => "a string to sign must have exactly six lines",
            Self::Authorization => {
                "`authorization` must be written `HMAC {access_key}:{signature}`"
            }
            Self::AccessKey => "the access key must be 1 to 128 characters of `A-Za-z0-9._~-`",
            Self::Signature => {
                "the signature must be 32 bytes in base64: 44 characters, standard alphabet, padded"
            }
        })
    }
}

impl Error for Malformed {}

/// The signature was made with another secret or for another request; it does not say which.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct InvalidSignature;

impl fmt::Display for InvalidSignature {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the signature does not match the request")
    }
}

impl Error for InvalidSignature {}
