//! The proxy's own error responses, in the server's format (contract section 2).

use std::io;

use http_body_util::channel::Channel;
use http_body_util::{Either, Full};
use hyper::StatusCode;
use hyper::body::Bytes;
use hyper::header::{CACHE_CONTROL, CONTENT_TYPE, HeaderName, HeaderValue, X_CONTENT_TYPE_OPTIONS};
use serde_json::json;

use crate::cli::request::prepare;
use charter_domain::entropy::OsEntropy;

const REQUEST_IDS: [&str; 2] = ["x-request-id", "x-correlation-id"];
const ALWAYS: [(HeaderName, &str); 3] = [
    (CONTENT_TYPE, "application/json; charset=utf-8"),
    (CACHE_CONTROL, "no-store"),
    (X_CONTENT_TYPE_OPTIONS, "nosniff"),
];

/// The proxy's own body, or the server's as a stream.
pub(super) type AnswerBody = Either<Full<Bytes>, Channel<Bytes, io::Error>>;

#[derive(Debug)]
pub(super) struct Refusal {
    pub(super) status: StatusCode,
    pub(super) error_type: &'static str,
    pub(super) code: &'static str,
    pub(super) message: String,
}

impl Refusal {
    pub(super) fn new(
        status: StatusCode,
        error_type: &'static str,
        code: &'static str,
        message: impl Into<String>,
    ) -> Self {
        Self {
            status,
            error_type,
            code,
            message: message.into(),
        }
    }

    pub(super) fn answer(self) -> hyper::Response<AnswerBody> {
        let request_id = prepare::nonce(&OsEntropy);
        let error = json!({"error": {
            "type": self.error_type,
            "code": self.code,
            "message": self.message,
            "request_id": request_id,
        }});
        let mut response = hyper::Response::new(Either::Left(Full::from(error.to_string())));
        *response.status_mut() = self.status;
        let headers = response.headers_mut();
        headers.extend(ALWAYS.map(|(name, value)| (name, HeaderValue::from_static(value))));
        if let Ok(request_id) = HeaderValue::from_str(&request_id) {
            for name in REQUEST_IDS {
                headers.insert(name, request_id.clone());
            }
        }
        response
    }
}
