//! What shared caches may keep.

use salvo::Response;
use salvo::http::header::{CACHE_CONTROL, HeaderValue, VARY};

/// The page, its files and the public keys, unlike every other answer (contract section 2).
pub fn allow_caching(response: &mut Response) {
    let five_minutes = HeaderValue::from_static("public, max-age=300");
    response.headers_mut().insert(CACHE_CONTROL, five_minutes);
    // It is another answer for another origin.
    response
        .headers_mut()
        .insert(VARY, HeaderValue::from_static("origin"));
}
