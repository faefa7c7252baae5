//! Web origins that may call with credentials: the `Origin` check and CORS, over one list of exact origins
//! (contract section 5; the Fetch standard, section 3.3).

use salvo::cors::{AllowOrigin, Cors, CorsHandler};
use salvo::http::header::{
    ACCESS_CONTROL_ALLOW_CREDENTIALS, ACCESS_CONTROL_ALLOW_ORIGIN, ACCESS_CONTROL_EXPOSE_HEADERS,
    ACCESS_CONTROL_REQUEST_METHOD, AUTHORIZATION, CONTENT_TYPE, ETAG, HeaderName, HeaderValue,
    IF_MATCH, IF_NONE_MATCH, LOCATION, ORIGIN, RETRY_AFTER, VARY,
};
use salvo::http::{HeaderMap, Method};
use salvo::{Depot, FlowCtrl, Handler, Request, Response, async_trait};

use crate::respond::{ApiError, Code};

/// Pages of any origin may report a leaked key here, without credentials (contract section 4).
const FOR_ANY_ORIGIN: &str = "/leaked-keys";

/// How long browsers may cache a preflight response, in seconds.
const MAX_AGE: u64 = 600;
/// Response headers that pages may read besides those that CORS always exposes.
const EXPOSED: [HeaderName; 7] = [
    ETAG,
    LOCATION,
    RETRY_AFTER,
    HeaderName::from_static("x-request-id"),
    HeaderName::from_static("x-ratelimit-limit"),
    HeaderName::from_static("x-ratelimit-remaining"),
    HeaderName::from_static("x-ratelimit-reset"),
];

/// Web origins in their serialized form (RFC 6454 section 6.1).
#[derive(Debug, Clone)]
pub struct Origins(Vec<String>);

impl Origins {
    #[must_use]
    pub const fn new(origins: Vec<String>) -> Self {
        Self(origins)
    }

    fn has(&self, origin: &HeaderValue) -> bool {
        self.0
            .iter()
            .any(|known| known.as_bytes() == origin.as_bytes())
    }

    /// Refuses requests that a page of another origin sent: `ORIGIN_NOT_ALLOWED`, also for two origins and for
    /// `null`. A request without `origin` does not come from a page.
    pub fn check(&self, headers: &HeaderMap) -> Result<(), ApiError> {
        let mut lines = headers.get_all(ORIGIN).into_iter();
        match (lines.next(), lines.next()) {
            (None, _) => Ok(()),
            (Some(origin), None) if self.has(origin) => Ok(()),
            (Some(_), _) => Err(ApiError::forbidden(
                Code::OriginNotAllowed,
                "this web origin may not call; an operator adds it to `portal.origins`",
            )),
        }
    }

    /// Adds CORS headers to a response that was made before CORS was checked, or in place of an aborted one.
    pub(super) fn complete(&self, request: &HeaderMap, response: &mut HeaderMap) {
        let mut lines = request.get_all(ORIGIN).into_iter();
        let (Some(origin), None) = (lines.next(), lines.next()) else {
            return;
        };
        if !self.has(origin) || response.contains_key(ACCESS_CONTROL_ALLOW_ORIGIN) {
            return;
        }
        response.insert(ACCESS_CONTROL_ALLOW_ORIGIN, origin.clone());
        response.insert(
            ACCESS_CONTROL_ALLOW_CREDENTIALS,
            HeaderValue::from_static("true"),
        );
        let exposed = EXPOSED.each_ref().map(HeaderName::as_str).join(", ");
        if let Ok(exposed) = HeaderValue::from_str(&exposed) {
            response.insert(ACCESS_CONTROL_EXPOSE_HEADERS, exposed);
        }
        response.insert(VARY, HeaderValue::from_static("origin"));
    }

    /// The CORS handler for these origins.
    #[must_use]
    pub fn cors(&self) -> CrossOrigin {
        let known = self.clone();
        let allowed = move |origin: Option<&HeaderValue>, _: &Request, _: &Depot| {
            origin.filter(|origin| known.has(origin)).cloned()
        };
        let methods = [
            Method::GET,
            Method::POST,
            Method::PUT,
            Method::PATCH,
            Method::DELETE,
        ];
        let headers = [AUTHORIZATION, CONTENT_TYPE, IF_MATCH, IF_NONE_MATCH]
            .into_iter()
            .chain(
                [
                    "x-request-id",
                    "x-correlation-id",
                    "x-date",
                    "x-nonce",
                    "x-content-sha256",
                ]
                .map(HeaderName::from_static),
            );
        let cors = Cors::new()
            .allow_origin(AllowOrigin::dynamic(allowed))
            .allow_credentials(true)
            .allow_methods(methods.to_vec())
            .allow_headers(headers.collect::<Vec<_>>())
            .expose_headers(EXPOSED.to_vec())
            .max_age(MAX_AGE)
            .vary([ORIGIN]);
        let for_any = Cors::new()
            .allow_origin(AllowOrigin::any())
            .allow_methods(vec![Method::POST])
            .allow_headers(vec![CONTENT_TYPE])
            .expose_headers(EXPOSED.to_vec())
            .max_age(MAX_AGE);
        CrossOrigin {
            known: cors.into_handler(),
            any: for_any.into_handler(),
        }
    }
}

/// Adds CORS headers to responses for browsers, and answers preflights. Requests without `origin` are unaffected.
pub struct CrossOrigin {
    known: CorsHandler,
    any: CorsHandler,
}

#[async_trait]
impl Handler for CrossOrigin {
    async fn handle(
        &self,
        request: &mut Request,
        depot: &mut Depot,
        response: &mut Response,
        control: &mut FlowCtrl,
    ) {
        let headers = request.headers();
        let is_bare_options = request.method() == Method::OPTIONS
            && !headers.contains_key(ACCESS_CONTROL_REQUEST_METHOD);
        if headers.contains_key(ORIGIN) && !is_bare_options {
            let cors = match request.uri().path() {
                FOR_ANY_ORIGIN => &self.any,
                _ => &self.known,
            };
            cors.handle(request, depot, response, control).await;
        } else {
            control.call_next(request, depot, response).await;
        }
    }
}
