//! The client's side: a request in, four headers out.

use crate::authorization::Authorization;
use crate::content::sha256_hex;
use crate::error::Malformed;
use crate::key::Key;
use crate::string_to_sign::StringToSign;
use crate::{CONTENT_SHA256_HEADER, DATE_HEADER, NONCE_HEADER};

/// A request to sign. The fields have names so that no two can be swapped unseen.
#[derive(Debug, Clone, Copy)]
pub struct Request<'a> {
    /// In capitals.
    pub method: &'a str,
    /// Path and query exactly as they will stand in the request line.
    pub target: &'a str,
    /// The bytes that will be sent; empty for none.
    pub body: &'a [u8],
    /// Now, UTC, `YYYY-MM-DDTHH:MM:SSZ`.
    pub date: &'a str,
    /// Never used before with this key; 16 random bytes in hexadecimal do.
    pub nonce: &'a str,
}

impl Request<'_> {
    /// Signs it: the four headers to send with it.
    ///
    /// # Errors
    ///
    /// The first part that breaks its grammar.
    pub fn sign(&self, access_key: &str, key: &Key) -> Result<SignedHeaders, Malformed> {
        let content_sha256 = sha256_hex(self.body);
        let signature = StringToSign::new(
            self.method,
            self.target,
            self.date,
            self.nonce,
            &content_sha256,
        )?
        .sign(key);
        Ok(SignedHeaders {
            authorization: Authorization::new(access_key, signature)?.to_string(),
            date: self.date.to_owned(),
            nonce: self.nonce.to_owned(),
            content_sha256,
        })
    }
}

/// The headers of a signed request. Good for one attempt: a retry needs a new nonce.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SignedHeaders {
    /// `authorization`
    pub authorization: String,
    /// `x-date`
    pub date: String,
    /// `x-nonce`
    pub nonce: String,
    /// `x-content-sha256`
    pub content_sha256: String,
}

impl SignedHeaders {
    /// Names and values, names in lower case.
    #[must_use]
    pub fn pairs(&self) -> [(&'static str, &str); 4] {
        [
            ("authorization", &self.authorization),
            (DATE_HEADER, &self.date),
            (NONCE_HEADER, &self.nonce),
            (CONTENT_SHA256_HEADER, &self.content_sha256),
        ]
    }
}
