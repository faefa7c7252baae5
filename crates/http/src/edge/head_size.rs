//! The limits of a request's head over HTTP/2, the same as over HTTP/1.1, where the library keeps them: it has no limit
//! of fields for HTTP/2, and answers a head beyond its limit of bytes without a body.

use salvo::Request;
use salvo::http::Version;
use salvo::http::header::HOST;

use crate::respond::{ApiError, Code};

/// The library's limit for HTTP/2, in multiples of ours: between the two, requests get our answer. Heads over ours are
/// kept for no longer than it takes to refuse them.
pub(super) const LIBRARY_LIMIT: usize = 4;

/// `INVALID_REQUEST` for a head that HTTP/1.1 would refuse: of more than so many fields, or bytes with the request
/// line.
pub(super) fn check(
    request: &Request,
    max_fields: usize,
    max_bytes: usize,
) -> Result<(), ApiError> {
    if request.version() != Version::HTTP_2 {
        return Ok(());
    }
    let uri = request.uri();
    let target = uri
        .path_and_query()
        .map_or(0, |target| target.as_str().len());
    let line = request.method().as_str().len() + target + "  HTTP/1.1\r\n\r\n".len();
    let field = |name: usize, value: usize| name + value + ": \r\n".len();
    let fields = request.headers().iter();
    let (mut count, mut bytes) = fields.fold((0, line), |(count, bytes), (name, value)| {
        (count + 1, bytes + field(name.as_str().len(), value.len()))
    });
    // `:authority`, which HTTP/1.1 sends as a field.
    if let Some(host) = uri.authority()
        && !request.headers().contains_key(HOST)
    {
        count += 1;
        bytes += field(HOST.as_str().len(), host.as_str().len());
    }
    if count > max_fields || bytes > max_bytes {
        let message = "the request head is too large";
        return Err(ApiError::invalid(Code::InvalidRequest, message));
    }
    Ok(())
}
