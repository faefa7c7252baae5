//! Sends a signed request once.

use std::time::Duration;

use ureq::http::{HeaderMap, Request, Response, StatusCode, Version};
use ureq::tls::{RootCerts, TlsConfig};
use ureq::{Agent, Body};

use super::RequestError;
use super::prepare::Prepared;

/// From connecting to the last byte.
const TIMEOUT: Duration = Duration::from_mins(1);

#[derive(Debug)]
pub(super) struct ServerResponse {
    pub(super) status: StatusCode,
    pub(super) version: Version,
    pub(super) headers: HeaderMap,
    pub(super) body: Vec<u8>,
}

impl ServerResponse {
    /// Includes 304, the expected response to `if-none-match`.
    pub(super) fn is_success(&self) -> bool {
        self.status.is_success() || self.status == StatusCode::NOT_MODIFIED
    }
}

/// Redirects are not followed, because the signature is for this target.
pub(super) fn send(prepared: Prepared) -> Result<ServerResponse, RequestError> {
    let origin = prepared.origin.clone();
    exchange(prepared).map_err(|error| RequestError::NoAnswer {
        url: origin,
        reason: match error {
            ureq::Error::Io(error) => error.to_string(),
            error => error.to_string(),
        },
    })
}

/// A client that sends a request unchanged and accepts any response.
pub(crate) fn agent() -> Agent {
    Agent::config_builder()
        .timeout_global(Some(TIMEOUT))
        .http_status_as_error(false)
        .max_redirects(0)
        .max_redirects_will_error(false)
        .allow_non_standard_methods(true)
        .user_agent(concat!("charter/", env!("CARGO_PKG_VERSION")))
        // Companies often use their own certificate authorities.
        .tls_config(
            TlsConfig::builder()
                .root_certs(RootCerts::PlatformVerifier)
                .build(),
        )
        .build()
        .into()
}

fn exchange(prepared: Prepared) -> Result<ServerResponse, ureq::Error> {
    let agent = agent();
    let mut request = Request::builder()
        .method(prepared.method.clone())
        .uri(prepared.uri);
    for (name, value) in prepared.headers {
        request = request.header(name, value);
    }
    let has_length =
        prepared.body.is_some() || matches!(prepared.method.as_str(), "POST" | "PUT" | "PATCH");
    let answer = if has_length {
        agent.run(request.body(prepared.body.unwrap_or_default())?)
    } else {
        agent.run(request.body(())?)
    }?;
    read(answer)
}

fn read(answer: Response<Body>) -> Result<ServerResponse, ureq::Error> {
    let (head, mut body) = answer.into_parts();
    Ok(ServerResponse {
        status: head.status,
        version: head.version,
        headers: head.headers,
        body: body.read_to_vec()?,
    })
}
