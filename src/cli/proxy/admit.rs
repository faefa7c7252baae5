//! Admits programs on this machine and refuses web pages, which a browser on this machine may run.

use std::net::SocketAddr;

use hyper::header::{HOST, HeaderName, ORIGIN};
use hyper::{Method, Request};

use charter_http::respond::{ApiError, Code};

const SEC_FETCH_SITE: HeaderName = HeaderName::from_static("sec-fetch-site");

/// Refuses requests of web pages (Fetch Metadata), host names that point to loopback (DNS rebinding), and requests
/// for other servers.
pub(super) fn admit<B>(request: &Request<B>, own: SocketAddr) -> Result<(), ApiError> {
    let headers = request.headers();
    let is_typed = |site: &[u8]| site == b"none";
    let sites = headers.get_all(SEC_FETCH_SITE);
    let is_of_page =
        headers.contains_key(ORIGIN) || sites.iter().any(|site| !is_typed(site.as_bytes()));
    if is_of_page {
        return Err(ApiError::forbidden(
            Code::OriginNotAllowed,
            "web pages may not use `charter proxy`, whose requests are signed",
        ));
    }
    let mut hosts = headers.get_all(HOST).iter();
    let host = hosts.next().filter(|_| hosts.next().is_none());
    let host = host.and_then(|host| host.to_str().ok());
    let authority = request.uri().authority();
    let is_own = |name: &str| {
        name == own.to_string() || name.eq_ignore_ascii_case(&format!("localhost:{}", own.port()))
    };
    let is_for_this = host.is_some_and(is_own)
        && authority.is_none_or(|authority| is_own(authority.as_str()))
        && request.method() != Method::CONNECT;
    if is_for_this {
        return Ok(());
    }
    Err(ApiError::invalid(
        Code::BadHost,
        format!("`charter proxy` signs for one server alone: send requests to http://{own}"),
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn code(uri: &str, headers: &[(&str, &str)]) -> Option<&'static str> {
        let mut request = Request::builder().uri(uri);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let request = request.body(()).expect("a request");
        let own = "127.0.0.1:8765".parse().expect("an address");
        let refused = admit(&request, own).err();
        refused.map(|error| error.code().as_str())
    }

    #[test]
    fn programs_are_admitted_and_pages_are_not() {
        let host = ("host", "127.0.0.1:8765");
        assert_eq!(code("/a", &[host]), None);
        assert_eq!(code("/a", &[("host", "LocalHost:8765")]), None);
        assert_eq!(code("http://localhost:8765/a", &[host]), None);
        assert_eq!(code("/a", &[host, ("sec-fetch-site", "none")]), None);
        for page in [
            ("origin", "http://127.0.0.1:8765"),
            ("origin", "null"),
            ("sec-fetch-site", "same-origin"),
            ("sec-fetch-site", "cross-site"),
        ] {
            assert_eq!(
                code("/a", &[host, page]),
                Some("ORIGIN_NOT_ALLOWED"),
                "{page:?}"
            );
        }
        for hosts in [
            &[][..],
            &[host, host],
            &[("host", "127.0.0.1")],
            &[("host", "rebound.example:8765")],
            &[("host", "127.0.0.1:8766")],
        ] {
            assert_eq!(code("/a", hosts), Some("BAD_HOST"), "{hosts:?}");
        }
        assert_eq!(code("http://other.example/a", &[host]), Some("BAD_HOST"));
    }
}
