//! Redirects.

use salvo::Response;
use salvo::http::StatusCode;
use salvo::http::header::{HeaderValue, LOCATION};

pub fn redirect(response: &mut Response, path: &'static str) {
    response.status_code(StatusCode::FOUND);
    response
        .headers_mut()
        .insert(LOCATION, HeaderValue::from_static(path));
}
