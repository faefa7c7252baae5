//! Sends a browser elsewhere.

use salvo::Response;
use salvo::http::StatusCode;
use salvo::http::header::{HeaderValue, LOCATION};

/// 302 to this path.
pub fn redirect(response: &mut Response, path: &'static str) {
    response.status_code(StatusCode::FOUND);
    response
        .headers_mut()
        .insert(LOCATION, HeaderValue::from_static(path));
}
