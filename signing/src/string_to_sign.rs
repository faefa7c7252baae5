//! The text that a signature covers, and the grammar of its parts.

use std::fmt;

use hmac::Mac;

use crate::error::{InvalidSignature, Malformed};
use crate::key::{Key, Signature};

/// The six parts of a request that are signed, checked so that no two requests share a text.
///
/// Nothing is decoded, sorted or normalised: the parts are those of the request line and the
/// headers, byte for byte.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct StringToSign<'a> {
    method: &'a str,
    path: &'a str,
    query: &'a str,
    date: &'a str,
    nonce: &'a str,
    content_sha256: &'a str,
}

impl<'a> StringToSign<'a> {
    /// Takes a request apart. `target` is the request target as sent, in origin form: it is split
    /// at the first `?` into path and query.
    ///
    /// `date` is only checked for what could make the text ambiguous: whether it is a date, and a
    /// recent one, is for whoever has a clock.
    ///
    /// # Errors
    ///
    /// The first part that breaks its grammar.
    pub fn new(
        method: &'a str,
        target: &'a str,
        date: &'a str,
        nonce: &'a str,
        content_sha256: &'a str,
    ) -> Result<Self, Malformed> {
        // `/p?` and `/p` would give one text for two targets.
        let (path, query) = match target.split_once('?') {
            Some((_, "")) => return Err(Malformed::EmptyQuery),
            Some(parts) => parts,
            None => (target, ""),
        };
        Self {
            method,
            path,
            query,
            date,
            nonce,
            content_sha256,
        }
        .checked()
    }

    /// Reads the text back. `parse(&text)` of a text that [`Self::new`] made gives the same parts.
    ///
    /// # Errors
    ///
    /// [`Malformed::Lines`], or the first part that breaks its grammar.
    pub fn parse(text: &'a str) -> Result<Self, Malformed> {
        let mut lines = text.split('\n');
        let mut line = || lines.next().ok_or(Malformed::Lines);
        let parts = Self {
            method: line()?,
            path: line()?,
            query: line()?,
            date: line()?,
            nonce: line()?,
            content_sha256: line()?,
        };
        if lines.next().is_some() {
            return Err(Malformed::Lines);
        }
        parts.checked()
    }

    fn checked(self) -> Result<Self, Malformed> {
        let rules = [
            (is_method(self.method), Malformed::Method),
            (is_path(self.path), Malformed::Target),
            (
                self.query.chars().all(may_stand_in_target),
                Malformed::Target,
            ),
            (is_visible_ascii(self.date), Malformed::Date),
            (is_valid_nonce(self.nonce), Malformed::Nonce),
            (
                is_valid_content_hash(self.content_sha256),
                Malformed::ContentHash,
            ),
        ];
        match rules.into_iter().find(|(holds, _)| !holds) {
            Some((_, broken)) => Err(broken),
            None => Ok(self),
        }
    }

    /// Signs it.
    #[must_use]
    pub fn sign(&self, key: &Key) -> Signature {
        Signature::from_bytes(self.mac(key).finalize().into_bytes().into())
    }

    /// Checks a signature, in a time that does not depend on where it differs.
    ///
    /// # Errors
    ///
    /// [`InvalidSignature`]: another secret, or another request.
    pub fn verify(&self, key: &Key, signature: &Signature) -> Result<(), InvalidSignature> {
        self.mac(key)
            .verify_slice(signature.as_bytes())
            .map_err(|_| InvalidSignature)
    }

    /// The computation over the text, fed piece by piece: the server never needs the whole.
    fn mac(&self, key: &Key) -> impl Mac<OutputSize = hmac::digest::consts::U32> {
        let [first, rest @ ..] = self.lines();
        let mut mac = key.mac();
        mac.update(first.as_bytes());
        for line in rest {
            mac.update(b"\n");
            mac.update(line.as_bytes());
        }
        mac
    }

    /// The parts in the order of the text.
    const fn lines(&self) -> [&'a str; 6] {
        [
            self.method,
            self.path,
            self.query,
            self.date,
            self.nonce,
            self.content_sha256,
        ]
    }

    /// The method, in capitals.
    #[must_use]
    pub const fn method(&self) -> &'a str {
        self.method
    }

    /// The target up to the first `?`.
    #[must_use]
    pub const fn path(&self) -> &'a str {
        self.path
    }

    /// The target behind the first `?`; empty if there is none.
    #[must_use]
    pub const fn query(&self) -> &'a str {
        self.query
    }

    /// `x-date`, as sent.
    #[must_use]
    pub const fn date(&self) -> &'a str {
        self.date
    }

    /// `x-nonce`.
    #[must_use]
    pub const fn nonce(&self) -> &'a str {
        self.nonce
    }

    /// `x-content-sha256`.
    #[must_use]
    pub const fn content_sha256(&self) -> &'a str {
        self.content_sha256
    }
}

/// Writes the text: six lines joined by LF, none at the end.
impl fmt::Display for StringToSign<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.lines().join("\n"))
    }
}

/// Whether it is 8 to 128 characters of `A-Za-z0-9._~-`.
#[must_use]
pub fn is_valid_nonce(nonce: &str) -> bool {
    (8..=128).contains(&nonce.len()) && nonce.bytes().all(is_unreserved)
}

/// Whether it is 64 lowercase hexadecimal digits.
#[must_use]
pub fn is_valid_content_hash(hash: &str) -> bool {
    hash.len() == 64
        && hash
            .bytes()
            .all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'))
}

/// RFC 3986 section 2.3.
pub(crate) const fn is_unreserved(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'_' | b'~' | b'-')
}

/// A token (RFC 9110 section 9.1) without small letters.
fn is_method(method: &str) -> bool {
    !method.is_empty()
        && method.bytes().all(|byte| {
            byte.is_ascii_uppercase() || byte.is_ascii_digit() || b"!#$%&'*+-.^_`|~".contains(&byte)
        })
}

fn is_path(path: &str) -> bool {
    path.starts_with('/') && path.chars().all(may_stand_in_target)
}

/// A fragment never leaves the client, so `#` cannot be part of what was sent. What lies beyond
/// ASCII is not for this crate to judge: it is signed as it is.
fn may_stand_in_target(character: char) -> bool {
    !character.is_control() && character != ' ' && character != '#'
}

fn is_visible_ascii(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_graphic())
}
