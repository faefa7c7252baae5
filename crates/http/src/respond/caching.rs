use salvo::Response;
use salvo::http::header::{CACHE_CONTROL, HeaderValue, VARY};

/// Allows shared caches to store the docs page, its files and the public keys, unlike all other responses
/// (contract section 2).
pub fn allow_caching(response: &mut Response) {
    let five_minutes = HeaderValue::from_static("public, max-age=300");
    response.headers_mut().insert(CACHE_CONTROL, five_minutes);
    // The response depends on the origin.
    response
        .headers_mut()
        .insert(VARY, HeaderValue::from_static("origin"));
}
