//! The proxy's own error responses, in the server's format (contract section 2).

use std::io;

use http_body_util::channel::Channel;
use http_body_util::{Either, Full};
use hyper::StatusCode;
use hyper::body::Bytes;
use hyper::header::{
    CACHE_CONTROL, CONNECTION, CONTENT_TYPE, HeaderName, HeaderValue, X_CONTENT_TYPE_OPTIONS,
};

use charter_http::edge::request_id::RequestId;
use charter_http::respond::ApiError;

/// The connection ends with it, because the rest of the request may be unread or cannot be trusted.
const ALWAYS: [(HeaderName, &str); 4] = [
    (CONTENT_TYPE, "application/json; charset=utf-8"),
    (CACHE_CONTROL, "no-store"),
    (X_CONTENT_TYPE_OPTIONS, "nosniff"),
    (CONNECTION, "close"),
];

/// The proxy's own body, or the server's as a stream.
pub(super) type AnswerBody = Either<Full<Bytes>, Channel<Bytes, io::Error>>;

#[derive(Debug)]
pub(super) struct Refusal {
    pub(super) status: StatusCode,
    pub(super) error: ApiError,
}

impl From<ApiError> for Refusal {
    fn from(error: ApiError) -> Self {
        let status = error.status();
        Self { status, error }
    }
}

impl Refusal {
    pub(super) fn answer(self, request_id: &RequestId) -> hyper::Response<AnswerBody> {
        let body = self.error.to_json(request_id.as_str());
        let mut response = hyper::Response::new(Either::Left(Full::from(body)));
        *response.status_mut() = self.status;
        let headers = response.headers_mut();
        headers.extend(ALWAYS.map(|(name, value)| (name, HeaderValue::from_static(value))));
        request_id.write(headers);
        response
    }
}
