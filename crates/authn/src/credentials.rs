//! The parts of a request that authentication needs, and their format (contract section 3).

use std::net::IpAddr;

use signing::{Authorization, StringToSign};

use charter_domain::timestamp::{self, Timestamp};

use crate::rejection::Rejection;

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
    pub fn of(mut values: impl Iterator<Item = &'a [u8]>) -> Self {
        match (values.next(), values.next()) {
            (None, _) => Self::Missing,
            (Some(value), None) => Self::Once(value),
            (Some(_), Some(_)) => Self::Repeated,
        }
    }

    fn text(self, name: &'static str) -> Result<&'a str, Rejection> {
        match self {
            Self::Missing => Err(Rejection::MalformedAuthorization(format!("send `{name}`"))),
            Self::Repeated => Err(Rejection::MalformedAuthorization(format!(
                "send `{name}` once"
            ))),
            Self::Once(value) => std::str::from_utf8(value).map_err(|_| {
                Rejection::MalformedAuthorization(format!("`{name}` must be plain ascii"))
            }),
        }
    }
}

/// The parts of a request that authentication needs.
#[derive(Debug, Clone, Copy)]
pub struct Credentials<'a> {
    /// In capitals, as sent.
    pub method: &'a str,
    /// The request target's bytes as sent: path and query.
    pub target: &'a str,
    /// `authorization`
    pub authorization: Header<'a>,
    /// `x-date`
    pub date: Header<'a>,
    /// `x-nonce`
    pub nonce: Header<'a>,
    /// `x-content-sha256`
    pub content_sha256: Header<'a>,
    /// The client's address, behind trusted proxies; unspecified (`::`) if one of these sent none.
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
    /// Reads a request; `header` looks a header up by its name.
    pub fn collect(
        method: &'a str,
        target: &'a str,
        source_ip: IpAddr,
        header: impl Fn(&str) -> Header<'a>,
    ) -> Self {
        Self {
            method,
            target,
            authorization: header("authorization"),
            date: header(signing::DATE_HEADER),
            nonce: header(signing::NONCE_HEADER),
            content_sha256: header(signing::CONTENT_SHA256_HEADER),
            source_ip,
        }
    }

    /// The scheme of the request's single credential.
    ///
    /// # Errors
    ///
    /// Missing, ambiguous or unknown (contract section 2, credentials).
    pub fn scheme(&self) -> Result<Scheme, Rejection> {
        match self.authorization {
            Header::Missing => return Err(Rejection::MissingCredentials),
            Header::Repeated => return Err(Rejection::AmbiguousCredentials),
            Header::Once(_) => {}
        }
        let value = self.authorization.text("authorization")?;
        // RFC 6750 section 2.1 and RFC 9110 section 11.1: scheme names ignore case.
        let names = |scheme: &str| {
            value
                .split([' ', ','])
                .any(|word| word.eq_ignore_ascii_case(scheme))
        };
        match (names(signing::SCHEME), names("Bearer")) {
            (true, true) => Err(Rejection::AmbiguousCredentials),
            (true, false) => Ok(Scheme::Hmac),
            (false, true) => Ok(Scheme::Bearer),
            (false, false) => Err(Rejection::MalformedAuthorization(
                "use `HMAC {access_key}:{signature}` or `Bearer {token}`".to_owned(),
            )),
        }
    }

    /// The access token: `Bearer` in either case, one or more spaces, the token (RFC 9110 section
    /// 11.4, RFC 6750 section 2.1).
    ///
    /// # Errors
    ///
    /// [`Rejection::MalformedAuthorization`].
    pub fn bearer(&self) -> Result<&'a str, Rejection> {
        let value = self.authorization.text("authorization")?;
        let is_of_token = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~+/=".contains(&byte);
        value
            .split_once(' ')
            .filter(|(scheme, _)| scheme.eq_ignore_ascii_case("Bearer"))
            .map(|(_, token)| token.trim_start_matches(' '))
            .filter(|token| !token.is_empty() && token.bytes().all(is_of_token))
            .ok_or_else(|| Rejection::MalformedAuthorization("write `Bearer {token}`".to_owned()))
    }

    /// The signing headers, each sent once and well-formed.
    ///
    /// # Errors
    ///
    /// [`Rejection::MalformedAuthorization`] names the header.
    pub fn signed(&self) -> Result<SignedHeaders<'a>, Rejection> {
        let malformed =
            |error: &dyn std::fmt::Display| Rejection::MalformedAuthorization(error.to_string());
        let authorization = Authorization::parse(self.authorization.text("authorization")?)
            .map_err(|error| malformed(&error))?;
        let date = self.date.text(signing::DATE_HEADER)?;
        let content_sha256 = self.content_sha256.text(signing::CONTENT_SHA256_HEADER)?;
        let nonce = self.nonce.text(signing::NONCE_HEADER)?;
        let text = StringToSign::new(self.method, self.target, date, nonce, content_sha256)
            .map_err(|error| malformed(&error))?;
        let date = timestamp::parse(date)
            .map_err(|error| Rejection::MalformedAuthorization(format!("`x-date`: {error}")))?;
        Ok(SignedHeaders {
            authorization,
            text,
            date,
            nonce,
            content_sha256,
        })
    }

    /// The access key that a signed request names, well-formed but not verified; for the log.
    #[must_use]
    pub fn claimed_access_key(&self) -> Option<&'a str> {
        let value = self.authorization.text("authorization").ok()?;
        Some(Authorization::parse(value).ok()?.access_key())
    }
}

/// The signing headers of one request, well-formed but not yet verified.
#[derive(Debug, Clone, Copy)]
pub struct SignedHeaders<'a> {
    /// The access key and the signature.
    pub authorization: Authorization<'a>,
    /// The signed parts.
    pub text: StringToSign<'a>,
    /// `x-date` as a time.
    pub date: Timestamp,
    /// `x-nonce`
    pub nonce: &'a str,
    /// `x-content-sha256`
    pub content_sha256: &'a str,
}
