//! Request ids (contract section 2): the client's own if well-formed, else a generated one.

use std::sync::atomic::{AtomicU64, Ordering};

use salvo::http::HeaderMap;
use salvo::http::header::{HeaderName, HeaderValue};

use charter_domain::entropy::Entropy;

const X_REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");
const X_CORRELATION_ID: HeaderName = HeaderName::from_static("x-correlation-id");

/// Bytes.
const LONGEST_ECHO: usize = 1024;

/// 1 to 128 characters of `[A-Za-z0-9._-]`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RequestId(String);

impl RequestId {
    /// Takes a well-formed `x-request-id`, else a well-formed `x-correlation-id`, else generates one. A duplicated
    /// header counts as malformed.
    #[must_use]
    pub fn choose(headers: &HeaderMap, source: &RequestIds) -> Self {
        [X_REQUEST_ID, X_CORRELATION_ID]
            .iter()
            .find_map(|name| incoming(headers, name))
            .unwrap_or_else(|| source.next())
    }

    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Sets both response headers.
    pub fn write(&self, headers: &mut HeaderMap) {
        if let Ok(value) = HeaderValue::from_str(&self.0) {
            write(value, headers);
        }
    }
}

/// Sets both response headers to the first `x-request-id` as it was sent, which may be any string of at most 1,024
/// bytes. Returns whether there is one.
pub(super) fn write_as_sent(request: &HeaderMap, response: &mut HeaderMap) -> bool {
    let sent = request.get(X_REQUEST_ID);
    let sent = sent.filter(|value| (1..=LONGEST_ECHO).contains(&value.len()));
    if let Some(value) = sent {
        write(value.clone(), response);
    }
    sent.is_some()
}

fn write(id: HeaderValue, headers: &mut HeaderMap) {
    headers.insert(X_REQUEST_ID, id.clone());
    headers.insert(X_CORRELATION_ID, id);
}

/// Generates unique ids: a random half, drawn once, and a counter. Ids are no secret, so they may be guessable.
#[derive(Debug)]
pub struct RequestIds {
    random: u64,
    next: AtomicU64,
}

impl RequestIds {
    #[must_use]
    pub fn new(entropy: &dyn Entropy) -> Self {
        let mut bytes = [0; 8];
        entropy.fill(&mut bytes);
        Self {
            random: u64::from_be_bytes(bytes),
            next: AtomicU64::new(0),
        }
    }

    /// 32 digits of lowercase hex.
    #[must_use]
    pub fn next(&self) -> RequestId {
        let number = self.next.fetch_add(1, Ordering::Relaxed);
        RequestId(format!("{:016x}{number:016x}", self.random))
    }
}

fn incoming(headers: &HeaderMap, name: &HeaderName) -> Option<RequestId> {
    let mut values = headers.get_all(name).into_iter();
    let value = values.next()?.to_str().ok()?;
    let well_formed = values.next().is_none()
        && (1..=128).contains(&value.len())
        && value
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || b"._-".contains(&byte));
    well_formed.then(|| RequestId(value.to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Sevens;

    impl Entropy for Sevens {
        fn fill(&self, buffer: &mut [u8]) {
            buffer.fill(7);
        }
    }

    fn chosen(headers: &[(&'static str, &str)]) -> String {
        let mut map = HeaderMap::new();
        for (name, value) in headers {
            map.append(*name, HeaderValue::from_str(value).expect("a header value"));
        }
        RequestId::choose(&map, &RequestIds::new(&Sevens)).0
    }

    #[test]
    fn a_well_formed_incoming_id_is_kept() {
        let long = "a".repeat(128);
        assert_eq!(chosen(&[("x-request-id", "Az09._-")]), "Az09._-");
        assert_eq!(chosen(&[("x-request-id", &long)]), long);
        assert_eq!(chosen(&[("x-correlation-id", "c")]), "c");
        assert_eq!(
            chosen(&[("x-correlation-id", "c"), ("x-request-id", "r")]),
            "r"
        );
        assert_eq!(
            chosen(&[("x-correlation-id", "c"), ("x-request-id", "r r")]),
            "c"
        );
    }

    #[test]
    fn a_malformed_incoming_id_is_replaced() {
        let fresh = format!("{}{}", "07".repeat(8), "00".repeat(8));
        let long = "a".repeat(129);
        for bad in ["", " ", "a b", "a/b", "<script>", &long] {
            assert_eq!(chosen(&[("x-request-id", bad)]), fresh, "`{bad}` was kept");
        }
        assert_eq!(chosen(&[]), fresh);
        assert_eq!(
            chosen(&[("x-request-id", "a"), ("x-request-id", "b")]),
            fresh
        );
    }
}
