//! Builds the signed request, without I/O.

use signing::Key;
use ureq::http::uri::PathAndQuery;
use ureq::http::{HeaderName, HeaderValue, Method, Uri};

use super::RequestError;
use charter_domain::clock::Clock;
use charter_domain::entropy::Entropy;
use charter_domain::timestamp;

/// Headers that clients cannot set: they are signed, or describe the transport.
pub(crate) const OWN_HEADERS: [&str; 7] = [
    "authorization",
    signing::DATE_HEADER,
    signing::NONCE_HEADER,
    signing::CONTENT_SHA256_HEADER,
    "host",
    "content-length",
    "transfer-encoding",
];

/// The request as given in the arguments.
pub(super) struct Wanted<'a> {
    /// Scheme, host and port.
    pub(super) base_url: &'a str,
    /// In any case; sent in upper case.
    pub(super) method: &'a str,
    /// Path and query.
    pub(super) target: &'a str,
    /// `name: value` each.
    pub(super) headers: &'a [String],
    pub(super) body: Option<Vec<u8>>,
    /// Where the body was read from, if it is a file.
    pub(super) body_file: Option<&'a str>,
}

#[derive(Clone, Copy)]
pub(crate) struct Credentials<'a> {
    pub(crate) access_key: &'a str,
    pub(crate) secret_key: &'a str,
}

/// A signed request, to be sent once.
#[derive(Debug)]
pub(super) struct Prepared {
    pub(super) method: Method,
    /// Scheme, host and port, without a trailing slash.
    pub(super) origin: String,
    /// The origin followed by the exact signed target.
    pub(super) uri: Uri,
    /// Without those that the HTTP client adds.
    pub(super) headers: Vec<(HeaderName, HeaderValue)>,
    /// The hashed bytes.
    pub(super) body: Option<Vec<u8>>,
    pub(super) body_file: Option<String>,
}

/// The signed request.
pub(super) fn prepare(
    wanted: Wanted<'_>,
    credentials: Credentials<'_>,
    clock: &dyn Clock,
    entropy: &dyn Entropy,
) -> Result<Prepared, RequestError> {
    let method = wanted.method.to_ascii_uppercase();
    let body = wanted.body.as_deref().unwrap_or_default();
    let mut headers = sign(&method, wanted.target, body, credentials, clock, entropy)?;
    for text in wanted.headers {
        headers.push(further_header(text)?);
    }
    let is_given = |name: &str| headers.iter().any(|(given, _)| given == name);
    let type_is_open = wanted.body.is_some() && !is_given("content-type");
    let accept_is_open = !is_given("accept");
    if type_is_open {
        headers.push(header("content-type", "application/json")?);
    }
    if accept_is_open {
        headers.push(header("accept", "application/json")?);
    }

    let origin = origin(wanted.base_url)?;
    Ok(Prepared {
        method: Method::from_bytes(method.as_bytes()).map_err(|_| signing::Malformed::Method)?,
        uri: locate(&origin, wanted.target)?,
        origin,
        headers,
        body: wanted.body,
        body_file: wanted.body_file.map(str::to_owned),
    })
}

/// The headers of a signature with the current time and a nonce of 128 random bits.
pub(crate) fn sign(
    method: &str,
    target: &str,
    body: &[u8],
    credentials: Credentials<'_>,
    clock: &dyn Clock,
    entropy: &dyn Entropy,
) -> Result<Vec<(HeaderName, HeaderValue)>, RequestError> {
    let signed = signing::Request {
        method,
        target,
        body,
        date: &timestamp::format(clock.now()),
        nonce: &nonce(entropy),
    }
    .sign(credentials.access_key, &Key::new(credentials.secret_key))?;
    let pairs = signed.pairs();
    pairs
        .into_iter()
        .map(|(name, value)| header(name, value))
        .collect()
}

/// 128 random bits in hexadecimal.
pub(crate) fn nonce(entropy: &dyn Entropy) -> String {
    let mut bytes = [0; 16];
    entropy.fill(&mut bytes);
    format!("{:032x}", u128::from_be_bytes(bytes))
}

/// The base URL without a trailing slash. It must not have a path or query, so that the signed target is the sent
/// one.
pub(crate) fn origin(base_url: &str) -> Result<String, RequestError> {
    let refused = || RequestError::BaseUrl(base_url.to_owned());
    let text = base_url.strip_suffix('/').unwrap_or(base_url);
    let uri: Uri = text.parse().map_err(|_| refused())?;
    let scheme = uri
        .scheme_str()
        .filter(|name| matches!(*name, "http" | "https"));
    let authority = uri.authority().filter(|it| !it.as_str().contains('@'));
    let (Some(scheme), Some(authority)) = (scheme, authority) else {
        return Err(refused());
    };
    let origin = format!("{scheme}://{authority}");
    if origin.eq_ignore_ascii_case(text) {
        Ok(origin)
    } else {
        Err(refused())
    }
}

/// The URI of the target, if parsing leaves the target unchanged.
pub(crate) fn locate(origin: &str, target: &str) -> Result<Uri, RequestError> {
    let refused = || RequestError::Target(target.to_owned());
    let uri: Uri = format!("{origin}{target}").parse().map_err(|_| refused())?;
    let sent = uri.path_and_query().map(PathAndQuery::as_str);
    if target.is_ascii() && sent == Some(target) {
        Ok(uri)
    } else {
        Err(refused())
    }
}

fn further_header(text: &str) -> Result<(HeaderName, HeaderValue), RequestError> {
    let refused = |reason| RequestError::Header(text.to_owned(), reason);
    let (name, value) = text
        .split_once(':')
        .ok_or_else(|| refused("write `name: value`"))?;
    if OWN_HEADERS.iter().any(|own| own.eq_ignore_ascii_case(name)) {
        return Err(refused("this command sets it"));
    }
    header(name, value.trim())
}

fn header(name: &str, value: &str) -> Result<(HeaderName, HeaderValue), RequestError> {
    let refused = |reason| RequestError::Header(format!("{name}: {value}"), reason);
    let name = HeaderName::from_bytes(name.as_bytes())
        .map_err(|_| refused("its name is not a header's name"))?;
    if !value
        .bytes()
        .all(|byte| byte == b' ' || byte.is_ascii_graphic())
    {
        return Err(refused("its value must be visible ASCII"));
    }
    let value =
        HeaderValue::from_str(value).map_err(|_| refused("its value must be visible ASCII"))?;
    Ok((name, value))
}
