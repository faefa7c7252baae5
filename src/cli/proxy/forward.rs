//! Signs one request, forwards it and returns the response.

use std::io::{self, Read as _};
use std::sync::Arc;

use http_body_util::channel::{Channel, Sender};
use http_body_util::{BodyExt as _, Either, LengthLimitError, Limited};
use hyper::body::{Bytes, Incoming};
use hyper::header::{
    CONNECTION, EXPECT, HeaderMap, HeaderName, PROXY_AUTHENTICATE, PROXY_AUTHORIZATION, TE,
    TRAILER, TRANSFER_ENCODING, UPGRADE,
};
use hyper::{Request, Response, StatusCode};
use secrecy::{ExposeSecret as _, SecretString};
use tokio::runtime::Handle;
use ureq::Agent;

use super::refusal::{AnswerBody, Refusal};
use crate::cli::request::prepare::{self, Credentials, OWN_HEADERS};
use crate::cli::request::{RequestError, send};
use charter_domain::clock::SystemClock;
use charter_domain::entropy::OsEntropy;

/// Bytes of a response that are read and forwarded at a time.
const CHUNK: usize = 16 * 1024;
/// Limit of chunks that wait for a slow client.
const WAITING: usize = 4;

/// Hop-by-hop headers (RFC 9110 section 7.6.1), besides those that `connection` names.
const HOP_BY_HOP: [HeaderName; 9] = [
    CONNECTION,
    HeaderName::from_static("keep-alive"),
    HeaderName::from_static("proxy-connection"),
    PROXY_AUTHENTICATE,
    PROXY_AUTHORIZATION,
    TE,
    TRAILER,
    TRANSFER_ENCODING,
    UPGRADE,
];

/// The server and the credentials for it.
pub(super) struct Upstream {
    origin: String,
    access_key: String,
    secret_key: SecretString,
    body_limit: usize,
    agent: Agent,
    clock: SystemClock,
}

impl Upstream {
    pub(super) fn new(
        origin: String,
        access_key: &str,
        secret_key: SecretString,
        body_limit: usize,
    ) -> Self {
        Self {
            origin,
            access_key: access_key.to_owned(),
            secret_key,
            body_limit,
            agent: send::agent(),
            clock: SystemClock::start(),
        }
    }

    /// The server's origin and the access key, for display.
    pub(super) fn names(&self) -> (&str, &str) {
        (&self.origin, &self.access_key)
    }

    /// The server's response. Its body is streamed; if it ends early, so does the response to the client.
    pub(super) async fn forward(
        self: Arc<Self>,
        request: Request<Incoming>,
    ) -> Result<Response<AnswerBody>, Refusal> {
        let (head, body) = request.into_parts();
        // The hash of the body must be known before the head is sent.
        let body = Limited::new(body, self.body_limit).collect().await;
        let body = body
            .map_err(|error| self.unread(error.as_ref()))?
            .to_bytes();
        let signed = self.signed(&head, body.to_vec());
        let request = signed.map_err(|error| {
            let (status, code) = (StatusCode::BAD_REQUEST, "NON_CANONICAL_TARGET");
            Refusal::new(status, "INVALID_REQUEST", code, error.to_string())
        })?;
        let sending = Arc::clone(&self);
        let answer = tokio::task::spawn_blocking(move || sending.agent.run(request)).await;
        let answer = answer
            .map_err(io::Error::other)
            .and_then(|answer| answer.map_err(ureq::Error::into_io))
            .map_err(|error| self.no_answer(&error))?;
        let (mut head, body) = answer.into_parts();
        remove_hop_by_hop(&mut head.headers);
        let (sender, channel) = Channel::new(WAITING);
        let runtime = Handle::current();
        tokio::task::spawn_blocking(move || pass_on(body, sender, &runtime));
        let mut response = Response::new(Either::Right(channel));
        *response.status_mut() = head.status;
        *response.headers_mut() = head.headers;
        Ok(response)
    }

    fn signed(
        &self,
        head: &hyper::http::request::Parts,
        body: Vec<u8>,
    ) -> Result<Request<Vec<u8>>, RequestError> {
        let target = head
            .uri
            .path_and_query()
            .map_or("", |target| target.as_str());
        let credentials = Credentials {
            access_key: &self.access_key,
            secret_key: self.secret_key.expose_secret(),
        };
        let method = head.method.as_str();
        let (clock, entropy) = (&self.clock, &OsEntropy);
        let signature = prepare::sign(method, target, &body, credentials, clock, entropy)?;
        let mut headers = head.headers.clone();
        remove_hop_by_hop(&mut headers);
        headers.remove(EXPECT);
        for own in OWN_HEADERS {
            headers.remove(own);
        }
        headers.extend(signature);
        let mut request = Request::new(body);
        *request.method_mut() = head.method.clone();
        *request.uri_mut() = prepare::locate(&self.origin, target)?;
        *request.headers_mut() = headers;
        Ok(request)
    }

    fn unread(&self, error: &(dyn std::error::Error + 'static)) -> Refusal {
        if error.is::<LengthLimitError>() {
            let message = format!(
                "the body is larger than {} bytes; `charter proxy --body-limit` may be raised to what the server takes",
                self.body_limit
            );
            let (status, kind) = (StatusCode::PAYLOAD_TOO_LARGE, "PAYLOAD_TOO_LARGE");
            return Refusal::new(status, kind, kind, message);
        }
        let message = format!("could not read the body: {error}");
        let (status, kind) = (StatusCode::BAD_REQUEST, "INVALID_REQUEST");
        Refusal::new(status, kind, kind, message)
    }

    fn no_answer(&self, error: &io::Error) -> Refusal {
        let message = format!(
            "no answer from {}: {error}; whether the request was carried out is not known",
            self.origin
        );
        Refusal::new(
            StatusCode::BAD_GATEWAY,
            "UNAVAILABLE",
            "UNAVAILABLE",
            message,
        )
    }
}

fn remove_hop_by_hop(headers: &mut HeaderMap) {
    let named: Vec<HeaderName> = headers
        .get_all(CONNECTION)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','))
        .filter_map(|name| name.trim().parse().ok())
        .collect();
    for name in HOP_BY_HOP.iter().chain(&named) {
        headers.remove(name);
    }
}

/// Forwards the body, waiting for the server and for slow clients.
fn pass_on(body: ureq::Body, mut sender: Sender<Bytes, io::Error>, runtime: &Handle) {
    let mut reader = body.into_reader();
    let mut chunk = vec![0; CHUNK];
    loop {
        match reader.read(&mut chunk) {
            Ok(0) => return,
            Ok(read) => {
                let data = Bytes::copy_from_slice(chunk.get(..read).unwrap_or_default());
                if runtime.block_on(sender.send_data(data)).is_err() {
                    return;
                }
            }
            Err(error) => {
                sender.abort(error);
                return;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use hyper::header::HeaderValue;

    use super::*;

    #[test]
    fn headers_of_one_connection_go_no_further() {
        let mut headers = HeaderMap::new();
        for (name, value) in [
            ("connection", "close, X-Hop"),
            ("x-hop", "1"),
            ("te", "trailers"),
            ("if-match", "\"1\""),
        ] {
            headers.append(name, HeaderValue::from_static(value));
        }
        remove_hop_by_hop(&mut headers);
        let left: Vec<_> = headers.keys().map(HeaderName::as_str).collect();
        assert_eq!(left, ["if-match"]);
    }
}
