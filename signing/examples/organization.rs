//! Reads the caller's organization and changes it: the Rust part of `docs/signing.md`, which shows
//! this file from the line below on. Its requests are made by a test, too.
#![expect(
    clippy::disallowed_methods,
    reason = "a client has its own clock, randomness and environment"
)]
// --- what docs/signing.md shows starts here
use std::env;
use std::error::Error;
use std::io::{self, Write};

use signing::{Key, Request};

/// One account on one server.
pub struct Client {
    /// Scheme, host and port, no slash behind.
    pub base_url: String,
    /// `sa_…`
    pub access_key: String,
    /// Made of `charter_sk_…`.
    pub key: Key,
}

impl Client {
    /// Signs one request and sends it: the status and the body of the answer.
    ///
    /// # Errors
    ///
    /// When it cannot be signed, or no answer comes.
    pub fn send(
        &self,
        method: &str,
        target: &str,
        body: &[u8],
    ) -> Result<(u16, String), Box<dyn Error>> {
        let headers = Request {
            method,
            target,
            body,
            date: &chrono::Utc::now().format("%Y-%m-%dT%H:%M:%SZ").to_string(),
            nonce: &format!("{:032x}", rand::random::<u128>()),
        }
        .sign(&self.access_key, &self.key)?;

        // `http::Uri` keeps the target as it is; a client built on `url::Url` may not.
        let mut request = ureq::http::Request::builder()
            .method(method)
            .uri(format!("{}{target}", self.base_url));
        for (name, value) in headers.pairs() {
            request = request.header(name, value);
        }
        let agent = ureq::Agent::new_with_config(
            ureq::Agent::config_builder()
                .http_status_as_error(false)
                .max_redirects(0)
                .build(),
        );
        let mut answer = if body.is_empty() {
            agent.run(request.body(())?)?
        } else {
            agent.run(
                request
                    .header("content-type", "application/json")
                    .body(body)?,
            )?
        };
        Ok((
            answer.status().as_u16(),
            answer.body_mut().read_to_string()?,
        ))
    }
}

fn main() -> Result<(), Box<dyn Error>> {
    let client = Client {
        base_url: env::var("CHARTER_BASE_URL")?,
        access_key: env::var("CHARTER_ACCESS_KEY")?,
        key: Key::new(&env::var("CHARTER_SECRET_KEY")?),
    };
    let change = br#"{"metadata":{"signed_with":"rust"}}"#;
    for (method, body) in [("GET", b"".as_slice()), ("PATCH", change)] {
        let (status, answer) = client.send(method, "/organizations/info", body)?;
        writeln!(io::stdout(), "{status} {answer}")?;
        if status >= 400 {
            return Err(format!("{method} was refused").into());
        }
    }
    Ok(())
}
