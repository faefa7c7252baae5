//! Signs one request, forwards it and returns the response.

use std::io::{self, Read as _};
use std::sync::Arc;
use std::time::Duration;

use http_body_util::channel::{Channel, Sender};
use http_body_util::{BodyExt as _, Either, LengthLimitError, Limited};
use hyper::body::{Body, Bytes, Incoming};
use hyper::header::{
    CONNECTION, CONTENT_LENGTH, EXPECT, HeaderMap, HeaderName, PROXY_AUTHENTICATE,
    PROXY_AUTHORIZATION, TE, TRAILER, TRANSFER_ENCODING, UPGRADE,
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
use charter_http::respond::{ApiError, Code, ErrorType};

/// Bytes of a response that are read and forwarded at a time.
const CHUNK: usize = 16 * 1024;
/// Limit of chunks that wait for a slow client.
const WAITING: usize = 4;
/// Time for a whole body, as the server gives by default.
const BODY_DEADLINE: Duration = Duration::from_secs(15);

/// Time for a client to read some of a response, which occupies one of the exchanges.
const CLIENT_PAUSE: Duration = Duration::from_mins(1);

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
        let body = read(&head.headers, body, self.body_limit, BODY_DEADLINE).await?;
        let signed = self.signed(&head, body.to_vec());
        let request = signed
            .map_err(|error| ApiError::invalid(Code::NonCanonicalTarget, error.to_string()))?;
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

    fn no_answer(&self, error: &io::Error) -> Refusal {
        let message = format!(
            "no answer from {}: {error}; whether the request was carried out is not known",
            self.origin
        );
        Refusal {
            status: StatusCode::BAD_GATEWAY,
            error: ApiError::new(ErrorType::Unavailable, Code::Unavailable, message),
        }
    }
}

/// Reads the whole body within its limits.
async fn read<B>(
    headers: &HeaderMap,
    body: B,
    limit: usize,
    deadline: Duration,
) -> Result<Bytes, ApiError>
where
    B: Body<Data = Bytes>,
    B::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
{
    let too_large = || {
        ApiError::payload_too_large(limit).saying(format!(
            "the body is larger than {limit} bytes; `charter proxy --body-limit` may be raised to what the server takes"
        ))
    };
    let broken = |message| ApiError::invalid(Code::InvalidRequest, message);
    let declared = headers.get(CONTENT_LENGTH);
    let declared = declared.and_then(|length| length.to_str().ok()?.parse().ok());
    if declared.is_some_and(|length: u64| length > limit as u64) {
        return Err(too_large());
    }
    match tokio::time::timeout(deadline, Limited::new(body, limit).collect()).await {
        Ok(Ok(body)) => Ok(body.to_bytes()),
        Ok(Err(error)) if error.is::<LengthLimitError>() => Err(too_large()),
        Ok(Err(error)) => Err(broken(format!("could not read the body: {error}"))),
        Err(_elapsed) => Err(broken(format!(
            "the body did not arrive within {} seconds",
            deadline.as_secs()
        ))),
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

/// Forwards the body, waiting for the server and for slow clients. One that reads nothing for [`CLIENT_PAUSE`] is cut
/// off.
fn pass_on(body: ureq::Body, mut sender: Sender<Bytes, io::Error>, runtime: &Handle) {
    let mut reader = body.into_reader();
    let mut chunk = vec![0; CHUNK];
    loop {
        match reader.read(&mut chunk) {
            Ok(0) => return,
            Ok(read) => {
                let data = Bytes::copy_from_slice(chunk.get(..read).unwrap_or_default());
                let sending = tokio::time::timeout(CLIENT_PAUSE, sender.send_data(data));
                match runtime.block_on(sending) {
                    Ok(Ok(())) => {}
                    Ok(Err(_gone)) => return,
                    Err(_elapsed) => return sender.abort(io::ErrorKind::TimedOut.into()),
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
    use http_body_util::Full;
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
    #[tokio::test]
    async fn a_body_has_a_limit_and_a_deadline() {
        let none = HeaderMap::new();
        let of = |body: &'static str| Full::from(body);
        let read_now = read(&none, of("12345678"), 8, BODY_DEADLINE).await;
        assert_eq!(read_now.expect("a body"), "12345678");
        let large = read(&none, of("123456789"), 8, BODY_DEADLINE).await;
        assert_eq!(large.expect_err("refused").code(), Code::PayloadTooLarge);
        // It never comes.
        let (_sender, silent) = Channel::<Bytes, io::Error>::new(1);
        let slow = read(&none, silent, 8, Duration::ZERO).await;
        let slow = slow.expect_err("refused");
        assert_eq!(slow.code(), Code::InvalidRequest);
        assert!(slow.message().contains("within 0 seconds"), "{slow:?}");
        let (_sender, silent) = Channel::<Bytes, io::Error>::new(1);
        let mut declared = HeaderMap::new();
        declared.insert(CONTENT_LENGTH, HeaderValue::from_static("10000000000"));
        let large = read(&declared, silent, 8, Duration::MAX).await;
        assert_eq!(large.expect_err("refused").code(), Code::PayloadTooLarge);
    }
}
