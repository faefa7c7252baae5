//! `x-request-id` comes back as it was sent (`AuthZEN` section 10.1.3: an arbitrary string), where the rest of the
//! service keeps well-formed ones only. Logs and records have the service's own.

use salvo::http::HeaderMap;
use salvo::http::header::{HeaderName, HeaderValue};
use salvo::{Request, Response, handler};

const X_REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");
const X_CORRELATION_ID: HeaderName = HeaderName::from_static("x-correlation-id");
const LONGEST: usize = 1024;

#[handler]
pub(super) async fn echo_request_id(request: &mut Request, response: &mut Response) {
    if let Some(id) = sent(request.headers()) {
        let headers = response.headers_mut();
        headers.insert(X_REQUEST_ID, id.clone());
        headers.insert(X_CORRELATION_ID, id);
    }
}

/// The first one; what a header can hold are visible characters, spaces, tabs and bytes beyond ASCII.
fn sent(headers: &HeaderMap) -> Option<HeaderValue> {
    let value = headers.get(X_REQUEST_ID)?;
    (1..=LONGEST).contains(&value.len()).then(|| value.clone())
}
