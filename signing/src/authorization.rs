//! The value of the `authorization` header.

use std::fmt;

use crate::error::Malformed;
use crate::key::Signature;
use crate::string_to_sign::is_unreserved;

/// The name of the scheme, in capitals as the wire has it.
pub const SCHEME: &str = "HMAC";

/// `HMAC {access_key}:{signature}`, taken apart.
#[derive(Debug, Clone, Copy)]
pub struct Authorization<'a> {
    access_key: &'a str,
    signature: Signature,
}

impl<'a> Authorization<'a> {
    /// Puts the two together.
    ///
    /// # Errors
    ///
    /// [`Malformed::AccessKey`].
    pub fn new(access_key: &'a str, signature: Signature) -> Result<Self, Malformed> {
        let well_formed =
            (1..=128).contains(&access_key.len()) && access_key.bytes().all(is_unreserved);
        if well_formed {
            Ok(Self {
                access_key,
                signature,
            })
        } else {
            Err(Malformed::AccessKey)
        }
    }

    /// Reads a header's value: the scheme in either case, one or more spaces (RFC 9110 section
    /// 11.4), then the access key and the signature around one colon.
    ///
    /// # Errors
    ///
    /// [`Malformed::Authorization`], [`Malformed::AccessKey`] or [`Malformed::Signature`].
    pub fn parse(value: &'a str) -> Result<Self, Malformed> {
        let (access_key, signature) = value
            .split_once(' ')
            .filter(|(scheme, _)| scheme.eq_ignore_ascii_case(SCHEME))
            .and_then(|(_, rest)| rest.trim_start_matches(' ').split_once(':'))
            .ok_or(Malformed::Authorization)?;
        Self::new(access_key, signature.parse()?)
    }

    /// Who claims to have signed.
    #[must_use]
    pub const fn access_key(&self) -> &'a str {
        self.access_key
    }

    /// The proof.
    #[must_use]
    pub const fn signature(&self) -> &Signature {
        &self.signature
    }
}

/// Writes the header's value.
impl fmt::Display for Authorization<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{SCHEME} {}:{}", self.access_key, self.signature)
    }
}
