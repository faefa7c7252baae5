//! The raw pieces of a request that authentication looks at, and the form they must have
//! (contract section 3).

use std::net::IpAddr;

use crate::domain::timestamp::{self, Timestamp};

use super::rejection::Rejection;

/// How often a header was sent, and its value if exactly once.
#[derive(Debug, Clone, Copy)]
pub enum Header<'a> {
    /// Not at all.
    Missing,
    /// Once, with these bytes.
    Once(&'a [u8]),
    /// More than once.
    Repeated,
}

impl<'a> Header<'a> {
    /// Collects the values of one header.
    pub fn collect(mut values: impl Iterator<Item = &'a [u8]>) -> Self {
        match (values.next(), values.next()) {
            (None, _) => Self::Missing,
            (Some(value), None) => Self::Once(value),
            (Some(_), Some(_)) => Self::Repeated,
        }
    }

    fn text(self, name: &'static str) -> Result<&'a str, Rejection> {
        match self {
            Self::Missing => Err(Rejection::MalformedAuthorization(format!("send `{name}`"))),
            Self::Repeated => Err(Rejection::MalformedAuthorization(format!("send `{name}` once"))),
            Self::Once(value) => std::str::from_utf8(value).map_err(|_| {
                Rejection::MalformedAuthorization(format!("`{name}` must be plain ascii"))
            }),
        }
    }
}

/// What authentication sees of a request.
#[derive(Debug, Clone, Copy)]
pub struct Credentials<'a> {
    /// In capitals, as sent.
    pub method: &'a str,
    /// The path's bytes as sent.
    pub path: &'a str,
    /// The query's bytes as sent, without the `?`; empty if there is none.
    pub query: &'a str,
    /// `authorization`
    pub authorization: Header<'a>,
    /// `x-date`
    pub date: Header<'a>,
    /// `x-nonce`
    pub nonce: Header<'a>,
    /// `x-content-sha256`
    pub content_sha256: Header<'a>,
    /// The client's address, trusted proxies already looked through.
    pub source_ip: IpAddr,
}

/// Which kind of credential the client chose.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Scheme {
    /// A signed request.
    Hmac,
    /// A portal user's access token.
    Bearer,
}

impl<'a> Credentials<'a> {
    /// Which single scheme the request uses, and what follows its name.
    ///
    /// # Errors
    ///
    /// Missing, ambiguous or unknown (contract section 2, credentials).
    pub fn scheme(&self) -> Result<(Scheme, &'a str), Rejection> {
        match self.authorization {
            Header::Missing => return Err(Rejection::MissingCredentials),
            Header::Repeated => return Err(Rejection::AmbiguousCredentials),
            Header::Once(_) => {}
        }
        let value = self.authorization.text("authorization")?;
        let named = |name: &str| {
            value
                .split([' ', ','])
                .any(|word| word.eq_ignore_ascii_case(name))
        };
        if named("HMAC") && named("Bearer") {
            return Err(Rejection::AmbiguousCredentials);
        }
        match value.split_once(' ') {
            Some(("HMAC", rest)) => Ok((Scheme::Hmac, rest)),
            // RFC 6750 section 2.1, RFC 9110 section 11.1: scheme names ignore case.
            Some((scheme, rest)) if scheme.eq_ignore_ascii_case("Bearer") => {
                Ok((Scheme::Bearer, rest))
            }
            _ => Err(Rejection::MalformedAuthorization(
                "use `HMAC {access_key}:{signature}` or `Bearer {token}`".to_owned(),
            )),
        }
    }

    /// The signing headers, each sent once and in its one form.
    ///
    /// # Errors
    ///
    /// [`Rejection::MalformedAuthorization`] names the header.
    pub fn signed(&self, authorization: &'a str) -> Result<SignedHeaders<'a>, Rejection> {
        let malformed = |why: &str| Rejection::MalformedAuthorization(why.to_owned());
        let (access_key, signature) = authorization
            .split_once(':')
            .filter(|(key, _)| is_access_key_text(key))
            .ok_or_else(|| malformed("use `HMAC {access_key}:{signature}`"))?;
        if !signing::is_signature_text(signature) {
            return Err(malformed("the signature must be 32 bytes in canonical base64"));
        }
        let date_text = self.date.text("x-date")?;
        let date = timestamp::parse(date_text)
            .map_err(|error| Rejection::MalformedAuthorization(format!("`x-date`: {error}")))?;
        let nonce = self.nonce.text("x-nonce")?;
        if !signing::is_nonce(nonce) {
            return Err(malformed("`x-nonce` must be 8 to 128 characters of `A-Za-z0-9._~-`"));
        }
        let content_sha256 = self.content_sha256.text("x-content-sha256")?;
        if !signing::is_content_sha256(content_sha256) {
            return Err(malformed("`x-content-sha256` must be 64 lowercase hex digits"));
        }
        Ok(SignedHeaders {
            access_key,
            signature,
            date_text,
            date,
            nonce,
            content_sha256,
        })
    }
}

/// Opaque, but bounded and plain, so that it can be logged and looked up.
fn is_access_key_text(text: &str) -> bool {
    (1..=128).contains(&text.len())
        && text
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-'))
}

/// The signing headers of one request, well-formed but not yet verified.
#[derive(Debug, Clone, Copy)]
pub struct SignedHeaders<'a> {
    /// The access key's public text.
    pub access_key: &'a str,
    /// Canonical base64.
    pub signature: &'a str,
    /// `x-date` as sent, which is what was signed.
    pub date_text: &'a str,
    /// `x-date` as a time.
    pub date: Timestamp,
    /// `x-nonce`
    pub nonce: &'a str,
    /// `x-content-sha256`
    pub content_sha256: &'a str,
}
