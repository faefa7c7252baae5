//! Reads request bodies: limited in size and time, JSON only (contract section 2).

use std::future::pending;
use std::io;

use futures_util::StreamExt;
use salvo::Request;
use salvo::http::header::{CONTENT_ENCODING, CONTENT_LENGTH, CONTENT_TYPE};
use salvo::http::{HeaderMap, Method, Mime};
use salvo::hyper::body::Bytes;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use crate::edge::body_limits::{BodyLimits, BodyMemory};
use crate::edge::memory_budget::Share;
use crate::respond::{ApiError, Code};

/// A body with its share of the memory of all bodies.
struct HeldBody {
    bytes: Vec<u8>,
    share: Share<CancellationToken>,
    give_way: CancellationToken,
}

impl HeldBody {
    fn new(memory: &BodyMemory) -> Self {
        let give_way = CancellationToken::new();
        Self {
            bytes: Vec::new(),
            share: memory.0.open(give_way.clone(), Instant::now(), None),
            give_way,
        }
    }
}

impl AsRef<[u8]> for HeldBody {
    fn as_ref(&self) -> &[u8] {
        &self.bytes
    }
}

/// Reads the whole body.
///
/// # Errors
///
/// `PAYLOAD_TOO_LARGE`, at once if `content-length` is too large; `INVALID_REQUEST` if it takes too long or is
/// incomplete; `UNAVAILABLE` if all bodies together take too much memory. Each of them closes the connection,
/// because the rest is unread.
pub async fn read(request: &mut Request, limits: &BodyLimits) -> Result<Bytes, ApiError> {
    let declared = request
        .headers()
        .get(CONTENT_LENGTH)
        .and_then(|value| value.to_str().ok()?.parse::<u64>().ok());
    if declared.is_some_and(|length| length > limits.max_bytes as u64) {
        return Err(ApiError::payload_too_large(limits.max_bytes));
    }
    match tokio::time::timeout(limits.deadline, collect(request, limits)).await {
        Ok(result) => result,
        Err(_elapsed) => Err(too_slow(limits)),
    }
}

fn too_slow(limits: &BodyLimits) -> ApiError {
    let seconds = limits.deadline.as_secs_f32();
    let message = format!("the body did not arrive within {seconds} seconds");
    ApiError::invalid(Code::InvalidRequest, message).closing()
}

/// Whether the server's own limit of a body's time, which begins with the request, ended it.
fn is_timeout(error: &(dyn std::error::Error + 'static)) -> bool {
    std::iter::successors(Some(error), |error| match error.downcast_ref() {
        // Its `source` skips the error that it wraps.
        Some(io) => io::Error::get_ref(io).map(|inner| inner as _),
        None => error.source(),
    })
    .filter_map(|error| error.downcast_ref::<io::Error>())
    .any(|error| error.kind() == io::ErrorKind::TimedOut)
}

async fn collect(request: &mut Request, limits: &BodyLimits) -> Result<Bytes, ApiError> {
    let mut stream = request.take_body();
    let mut whole: Option<HeldBody> = None;
    loop {
        let frame = tokio::select! {
            biased;
            frame = stream.next() => frame,
            () = told_to_give_way(whole.as_ref()) => return Err(no_memory()),
        };
        let Some(frame) = frame else {
            break;
        };
        let frame = frame.map_err(|error| {
            if is_timeout(&error) {
                too_slow(limits)
            } else {
                broken_off()
            }
        })?;
        // Trailers are ignored.
        let Ok(data) = frame.into_data() else {
            continue;
        };
        let so_far = whole.as_ref().map_or(0, |whole| whole.bytes.len());
        if so_far.saturating_add(data.len()) > limits.max_bytes {
            // The edge may read on.
            *request.body_mut() = stream;
            return Err(ApiError::payload_too_large(limits.max_bytes));
        }
        let whole = whole.get_or_insert_with(|| HeldBody::new(&limits.memory));
        if !whole.share.grow(data.len(), Instant::now()) {
            return Err(no_memory());
        }
        // Copied, because a frame keeps the whole buffer alive that it was read into.
        whole.bytes.extend_from_slice(&data);
    }
    Ok(whole.map_or_else(Bytes::new, |whole| {
        whole.share.settle();
        Bytes::from_owner(whole)
    }))
}

fn broken_off() -> ApiError {
    ApiError::invalid(Code::InvalidRequest, "the body broke off or is malformed").closing()
}

async fn told_to_give_way(body: Option<&HeldBody>) {
    match body {
        Some(body) => body.give_way.cancelled().await,
        None => pending().await,
    }
}

fn no_memory() -> ApiError {
    metrics::counter!("charter_http_overloaded_total", "memory" => "bodies").increment(1);
    ApiError::unavailable("request bodies take all the memory they may", 1).closing()
}

/// Requires the media type JSON; PATCH also accepts a merge patch (RFC 7396). `UNSUPPORTED_MEDIA_TYPE` also for
/// missing or duplicate types, for a parameter other than `charset=utf-8`, and for a compressed body.
pub fn require_json(method: &Method, headers: &HeaderMap) -> Result<(), ApiError> {
    let mut lines = headers.get_all(CONTENT_TYPE).into_iter();
    let media_type = match (lines.next(), lines.next()) {
        (Some(line), None) => line
            .to_str()
            .ok()
            .and_then(|text| without_spaces(text).parse::<Mime>().ok()),
        _ => None,
    };
    let is_json = media_type.is_some_and(|media_type| {
        let name_fits = match media_type.essence_str() {
            "application/json" => true,
            "application/merge-patch+json" => method == Method::PATCH,
            _ => false,
        };
        name_fits
            && media_type
                .params()
                .all(|(name, value)| name == "charset" && value == "utf-8")
    });
    if !is_json {
        return Err(ApiError::unsupported_media_type(
            "the body must be `application/json`",
        ));
    }
    if headers.contains_key(CONTENT_ENCODING) {
        return Err(ApiError::unsupported_media_type(
            "the body must not be compressed; leave out `content-encoding`",
        ));
    }
    Ok(())
}

/// Without the spaces around `;` and the empty parameters that RFC 9110 section 5.6.6 allows and the parser does not.
/// None of the accepted values contains a `;`, so quoted ones need no care.
fn without_spaces(media_type: &str) -> String {
    let mut parts = media_type
        .split(';')
        .map(|part| part.trim_matches([' ', '\t']));
    let mut whole = parts.next().unwrap_or_default().to_owned();
    for parameter in parts.filter(|part| !part.is_empty()) {
        whole.push(';');
        whole.push_str(parameter);
    }
    whole
}

#[cfg(test)]
mod tests {
    use salvo::http::HeaderValue;

    use super::*;

    fn takes(method: &Method, content_type: &str) -> bool {
        let mut headers = HeaderMap::new();
        headers.insert(
            CONTENT_TYPE,
            HeaderValue::from_str(content_type).expect("a value"),
        );
        require_json(method, &headers).is_ok()
    }

    #[test]
    fn only_json_is_taken() {
        for good in [
            "application/json",
            "Application/JSON",
            "application/json; charset=utf-8",
            "application/json;charset=UTF-8",
            "application/json; charset=\"utf-8\"",
            "application/json; charset=\"UTF-8\"",
            "application/json ; charset=utf-8",
            "application/json\t;\tcharset=utf-8",
            "application/json ;charset=UTF-8",
            "application/json;",
            "application/json; ; charset=utf-8 ;",
        ] {
            assert!(takes(&Method::POST, good), "`{good}` was refused");
        }
        for bad in [
            "",
            "application",
            "text/json",
            "text/plain",
            "application/json5",
            "application/problem+json",
            "application/merge-patch+json",
            "application/json, application/json",
            "application/json; charset=latin1",
            "application/json; version=1",
            "application/json; charset=\"utf-8 ;\"",
            "application/json; charset=utf-8; charset=latin1",
            "application/json; charset = utf-8",
            "application/ json",
            ";charset=utf-8",
            "multipart/form-data; boundary=x",
            "application/x-www-form-urlencoded",
        ] {
            assert!(!takes(&Method::POST, bad), "`{bad}` was taken");
        }
        assert!(takes(&Method::PATCH, "application/merge-patch+json"));
        assert!(require_json(&Method::POST, &HeaderMap::new()).is_err());
    }
}
