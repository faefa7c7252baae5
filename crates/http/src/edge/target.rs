//! One spelling for each resource: which request targets and hosts are accepted (contract section 2).
//!
//! The signature covers the target's bytes as sent, but the router decodes them. Refusing all other spellings
//! keeps the two consistent. Pure functions over bytes.

use salvo::http::header::{HOST, TRANSFER_ENCODING};
use salvo::http::uri::{Authority, Scheme, Uri};
use salvo::http::{HeaderMap, Version};

use crate::respond::{ApiError, Code};

/// Requested by load balancers, some of them in HTTP/1.0 without a host (contract section 6).
const HEALTH: [&str; 2] = ["/healthz", "/readyz"];

/// In bytes.
pub const MAX_TARGET: usize = 8 * 1024;

pub const MAX_PARAMETERS: usize = 16;

/// Checks version, target, host and the number of query parameters, in this order. Errors are `INVALID_REQUEST`,
/// `NON_CANONICAL_TARGET`, `BAD_HOST` or `BAD_PARAMETER`.
pub fn check(version: Version, uri: &Uri, headers: &HeaderMap) -> Result<(), ApiError> {
    let is_health_check = HEALTH.contains(&uri.path());
    let is_served = match version {
        Version::HTTP_11 | Version::HTTP_2 => true,
        Version::HTTP_10 => is_health_check,
        _ => false,
    };
    if !is_served {
        return Err(ApiError::invalid(
            Code::InvalidRequest,
            "HTTP/1.0 is not served: use HTTP/1.1",
        )
        .closing());
    }
    if crate::edge::wire::has_conflicting_framing(headers) {
        return Err(ApiError::invalid(
            Code::InvalidRequest,
            "the body's length must be said once: by one `content-length` line, or by `transfer-encoding`",
        )
        .closing());
    }
    check_transfer_coding(headers)?;
    check_form(uri)?;
    check_path(uri.path().as_bytes()).map_err(non_canonical)?;
    if let Some(query) = uri.query() {
        check_query(query.as_bytes()).map_err(non_canonical)?;
    }
    if version == Version::HTTP_10 && !headers.contains_key(HOST) {
        return Ok(());
    }
    check_host(version, uri.authority(), headers)
        .map_err(|reason| ApiError::invalid(Code::BadHost, reason))?;
    check_parameter_count(uri.query().unwrap_or_default())
}

/// Counts parameters before they are decoded or compared, on every route: limits the cost of a query before
/// authentication.
fn check_parameter_count(query: &str) -> Result<(), ApiError> {
    if memchr::memchr_iter(b'&', query.as_bytes()).count() < MAX_PARAMETERS {
        return Ok(());
    }
    Err(ApiError::invalid(
        Code::BadParameter,
        format!("the query may have at most {MAX_PARAMETERS} parameters"),
    ))
}

/// The library would decode the last coding and ignore the others.
fn check_transfer_coding(headers: &HeaderMap) -> Result<(), ApiError> {
    let mut lines = headers.get_all(TRANSFER_ENCODING).into_iter();
    match (lines.next(), lines.next()) {
        (None, _) => Ok(()),
        (Some(coding), None)
            if coding
                .as_bytes()
                .trim_ascii()
                .eq_ignore_ascii_case(b"chunked") =>
        {
            Ok(())
        }
        _ => Err(ApiError::unsupported_transfer_coding()),
    }
}

/// Reads the target of a request that a gateway asks about, as it was sent.
///
/// # Errors
///
/// `NON_CANONICAL_TARGET`.
pub(crate) fn forwarded(target: &[u8]) -> Result<&str, ApiError> {
    if target.len() > MAX_TARGET {
        return Err(too_long());
    }
    let (path, query) = match memchr::memchr(b'?', target) {
        Some(at) => (target.get(..at), target.get(at + 1..)),
        None => (Some(target), None),
    };
    check_path(path.unwrap_or_default()).map_err(non_canonical)?;
    if let Some(query) = query {
        check_query(query).map_err(non_canonical)?;
    }
    std::str::from_utf8(target).map_err(|_| non_canonical("the request target is not ASCII"))
}

fn too_long() -> ApiError {
    let message = format!("the request target may have at most {MAX_TARGET} bytes");
    ApiError::invalid(Code::NonCanonicalTarget, message)
}

fn non_canonical(reason: &'static str) -> ApiError {
    ApiError::invalid(Code::NonCanonicalTarget, reason)
}

/// Origin form, or absolute form of an http address; neither `*` nor `host:port`.
fn check_form(uri: &Uri) -> Result<(), ApiError> {
    let length = uri.path().len() + uri.query().map_or(0, |query| query.len() + 1);
    if length > MAX_TARGET {
        return Err(too_long());
    }
    let is_http = |scheme: &Scheme| *scheme == Scheme::HTTP || *scheme == Scheme::HTTPS;
    if !uri.scheme().is_none_or(is_http) {
        return Err(non_canonical(
            "the scheme of the request target must be `http` or `https`",
        ));
    }
    if uri.path().starts_with('/') && (uri.scheme().is_some() == uri.authority().is_some()) {
        Ok(())
    } else {
        Err(non_canonical("the request target must start with `/`"))
    }
}

/// The only spelling of a path: no empty, `.` or `..` segment, no trailing slash, and escapes in uppercase hex,
/// none of an unreserved character.
fn check_path(path: &[u8]) -> Result<(), &'static str> {
    let inner = match path {
        [b'/'] => return Ok(()),
        [b'/', inner @ ..] => inner,
        _ => return Err("the request target must start with `/`"),
    };
    for segment in inner.split(|&byte| byte == b'/') {
        match segment {
            b"" => return Err("the path has an empty segment or a trailing slash"),
            b"." | b".." => return Err("the path has a dot segment"),
            _ => check_segment(segment)?,
        }
    }
    Ok(())
}

fn check_segment(segment: &[u8]) -> Result<(), &'static str> {
    let mut decoded = Vec::with_capacity(segment.len());
    let mut rest = segment;
    loop {
        rest = match rest {
            [] => break,
            [b'%', high, low, rest @ ..] => {
                let byte = uppercase_hex(*high)
                    .zip(uppercase_hex(*low))
                    .map(|(high, low)| high << 4 | low)
                    .ok_or("an escape in the path must be `%` and two uppercase hex digits")?;
                if is_unreserved(byte) {
                    return Err("the path escapes a character that needs no escape");
                }
                if matches!(byte, b'/' | b'\\') || byte.is_ascii_control() {
                    return Err("the path escapes a slash, a backslash or a control character");
                }
                decoded.push(byte);
                rest
            }
            [byte, rest @ ..] if stands_for_itself(*byte) => {
                decoded.push(*byte);
                rest
            }
            _ => return Err("the path has a character that must be escaped or left out"),
        };
    }
    let text = std::str::from_utf8(&decoded).map_err(|_| "the path is not UTF-8")?;
    if text.chars().any(char::is_control) {
        return Err("the path escapes a slash, a backslash or a control character");
    }
    Ok(())
}

/// RFC 3986 section 2.3. Escapes of other characters are spellings of their own (section 6.2.2.2).
const fn is_unreserved(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_' | b'~')
}

/// `pchar` of RFC 3986 without escapes and without `;`, at which some servers truncate paths.
fn stands_for_itself(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"-._~!$&'()*+,=:@".contains(&byte)
}

fn uppercase_hex(digit: u8) -> Option<u8> {
    match digit {
        b'0'..=b'9' => Some(digit - b'0'),
        b'A'..=b'F' => Some(digit - b'A' + 10),
        _ => None,
    }
}

/// A query is taken as sent; refuses only bytes that no URI may contain, and a bare `?`.
fn check_query(query: &[u8]) -> Result<(), &'static str> {
    if query.is_empty() {
        return Err("the request target ends in a bare `?`");
    }
    if query.iter().any(|&byte| is_never_in_a_uri(byte)) {
        return Err("the query has a character that no URI may have, or a fragment follows it");
    }
    Ok(())
}

/// Bytes that RFC 3986 does not allow in a request target; `#` starts a fragment.
pub(super) const fn is_never_in_a_uri(byte: u8) -> bool {
    matches!(
        byte,
        0..=b' ' | b'#' | b'"' | b'<' | b'>' | b'\\' | b'^' | b'`' | b'{' | b'|' | b'}' | 0x7F..
    )
}

/// Exactly one well-formed host, the same in the header and the target.
fn check_host(
    version: Version,
    authority: Option<&Authority>,
    headers: &HeaderMap,
) -> Result<(), &'static str> {
    let mut lines = headers.get_all(HOST).into_iter();
    let host = match (lines.next(), lines.next()) {
        (None, _) if version == Version::HTTP_2 && authority.is_some() => None,
        (None, _) => return Err("the `host` header is missing"),
        (Some(_), Some(_)) => return Err("the `host` header is repeated"),
        (Some(line), None) => Some(
            line.to_str()
                .ok()
                .and_then(|text| text.parse::<Authority>().ok())
                .filter(is_host)
                .ok_or("the `host` header is not a host name or address with an optional port")?,
        ),
    };
    if !authority.is_none_or(is_host) {
        return Err("the request target's host is malformed");
    }
    match (&host, authority) {
        // Authorities compare without case.
        (Some(host), Some(authority)) if host != authority => {
            Err("the `host` header and the request target name different hosts")
        }
        _ => Ok(()),
    }
}

/// `host [":" port]`, without user information.
fn is_host(authority: &Authority) -> bool {
    let text = authority.as_str();
    let port_is_right = match text.get(authority.host().len()..) {
        Some("") => true,
        Some(port) => port.starts_with(':') && authority.port_u16().is_some(),
        None => false,
    };
    // Registered names may contain more characters, but then a list of two hosts would be one.
    let is_plain = text
        .bytes()
        .all(|byte| byte.is_ascii_alphanumeric() || b"-._:[]".contains(&byte));
    !authority.host().is_empty() && is_plain && port_is_right
}

#[cfg(test)]
#[path = "target_tests.rs"]
mod tests;
