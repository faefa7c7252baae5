//! A middleware that signs the requests of `reqwest`; behind the feature `reqwest`.

use std::fmt;
use std::time::SystemTime;

use ::reqwest::header::{HeaderName, HeaderValue};
use ::reqwest::{Body, Response, Url};
use async_trait::async_trait;
use http_types::Extensions;
use reqwest_middleware::{Error, Middleware, Next};

use crate::client::Request;
use crate::error::Malformed;
use crate::key::Key;

/// Signs each attempt to one server, with a date and a nonce of its own.
///
/// Attach it behind (`with` after) a middleware that retries, and switch redirects of the client off: `reqwest` would
/// send the same signature again, which the server refuses. Requests to other servers pass as they are.
///
/// ```
/// use signing::Key;
/// use signing::reqwest::Signer;
///
/// let base = "https://charter.example.com".parse()?;
/// let http = reqwest::Client::builder().redirect(reqwest::redirect::Policy::none()).build()?;
/// let client = reqwest_middleware::ClientBuilder::new(http)
///     .with(Signer::new(&base, "sa_a1b2c3_d4e5f6_demo", Key::new("sk_live_test")))
///     .build();
/// let request = client.get("https://charter.example.com/organizations/info");
/// # let _ = request;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub struct Signer {
    server: Url,
    access_key: String,
    key: Key,
}

/// Why a request was not sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NotSigned {
    /// Its body is a stream, of which there are no bytes to hash yet.
    StreamedBody,
    /// A part of it breaks its grammar.
    Malformed(Malformed),
    /// The operating system gave no random bytes for a nonce.
    NoRandomness,
}

impl fmt::Display for NotSigned {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::StreamedBody => {
                f.write_str("a streamed body cannot be signed: give it as bytes or text")
            }
            Self::Malformed(malformed) => malformed.fmt(f),
            Self::NoRandomness => f.write_str("there is no randomness for a nonce"),
        }
    }
}

impl std::error::Error for NotSigned {}

impl fmt::Debug for Signer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut shown = f.debug_struct("Signer");
        shown
            .field("access_key", &self.access_key)
            .finish_non_exhaustive()
    }
}

impl Signer {
    /// Signs for the scheme, host and port of `base`.
    #[must_use]
    pub fn new(base: &Url, access_key: impl Into<String>, key: Key) -> Self {
        Self {
            server: base.clone(),
            access_key: access_key.into(),
            key,
        }
    }

    /// Sets the four headers of a request that is about to be sent.
    ///
    /// # Errors
    ///
    /// The body is a stream, or something breaks its grammar.
    pub fn sign(&self, request: &mut ::reqwest::Request) -> Result<(), NotSigned> {
        let body = match request.body().map(Body::as_bytes) {
            None => &[][..],
            Some(Some(bytes)) => bytes,
            Some(None) => return Err(NotSigned::StreamedBody),
        };
        let url = request.url();
        let query = url.query().map(|query| format!("?{query}"));
        let headers = Request {
            method: request.method().as_str(),
            target: &format!("{}{}", url.path(), query.unwrap_or_default()),
            body,
            date: &now(),
            nonce: &nonce()?,
        }
        .sign(&self.access_key, &self.key)
        .map_err(NotSigned::Malformed)?;
        for (name, value) in headers.pairs() {
            let mut value = HeaderValue::from_str(value)
                .map_err(|_| NotSigned::Malformed(Malformed::Authorization))?;
            value.set_sensitive(name == "authorization");
            request
                .headers_mut()
                .insert(HeaderName::from_static(name), value);
        }
        Ok(())
    }
}

#[expect(clippy::disallowed_methods, reason = "a client has its own clock")]
fn now() -> String {
    humantime::format_rfc3339_seconds(SystemTime::now()).to_string()
}

fn nonce() -> Result<String, NotSigned> {
    let mut random = [0; 16];
    getrandom::fill(&mut random).map_err(|_| NotSigned::NoRandomness)?;
    Ok(format!("{:032x}", u128::from_be_bytes(random)))
}

#[async_trait]
impl Middleware for Signer {
    async fn handle(
        &self,
        mut request: ::reqwest::Request,
        extensions: &mut Extensions,
        next: Next<'_>,
    ) -> reqwest_middleware::Result<Response> {
        if request.url().origin() == self.server.origin() {
            self.sign(&mut request).map_err(Error::middleware)?;
        }
        next.run(request, extensions).await
    }
}
