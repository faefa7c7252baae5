//! Authenticates requests of the workbench: by the operator token, or by the session cookie, which counts only for
//! requests of this listener's own pages.

use salvo::http::HeaderMap;
use salvo::http::header::{AUTHORIZATION, HOST, HeaderName, ORIGIN};
use salvo::http::uri::Authority;
use salvo::{Depot, Request};

use charter_authn::operator::{Admission, Operator};
use charter_authn::rejection::Rejection;
use charter_authn::secrets::opaque_token::OpaqueToken;

use crate::edge::context::RequestContext;
use crate::extract::authenticate::collect;
use crate::extract::cookie;
use crate::respond::{ApiError, Code};
use crate::state::{SharedState, State};

const FETCH_SITE: HeaderName = HeaderName::from_static("sec-fetch-site");

/// What the session cookie is for: with them all of [`super::router`] begins.
pub(super) const COOKIE_PATHS: [&str; 4] = ["/session", "/policies", "/decisions", "/replicas"];

/// The name of the session cookie. With the prefix, browsers let it be set over https only; `__Host-` would want it for
/// every path.
pub(super) const fn cookie_name(is_secure: bool) -> &'static str {
    if is_secure {
        "__Secure-charter_operator"
    } else {
        "charter_operator"
    }
}

/// A request of an operator.
pub(super) struct OperatorRequest {
    pub(super) state: SharedState,
    pub(super) context: RequestContext,
    admission: Admission,
}

impl OperatorRequest {
    /// # Errors
    ///
    /// 401 without a valid token or session; `ORIGIN_NOT_ALLOWED` if another site's page sent the cookie.
    pub(super) fn of(request: &Request, depot: &Depot) -> Result<Self, ApiError> {
        if request.headers().contains_key(AUTHORIZATION) {
            return Self::by_token(request, depot);
        }
        let (state, context) = parts(depot)?;
        let tokens = session_tokens(request, &state)?;
        check_same_origin(request)?;
        let sessions = &state.workbench.sessions;
        let admitted = tokens.iter().find_map(|token| sessions.admit(token).ok());
        let ended = || {
            ApiError::from(Rejection::InvalidToken)
                .saying("the workbench's session has ended, sign in again")
        };
        let admission = admitted.ok_or_else(ended)?;
        Ok(Self {
            state,
            context,
            admission,
        })
    }

    /// The same with the token only.
    pub(super) fn by_token(request: &Request, depot: &Depot) -> Result<Self, ApiError> {
        let (state, context) = parts(depot)?;
        let credentials = collect(request, context.client_ip);
        let admission = state.operators.admit(&credentials).map_err(refused)?;
        Ok(Self {
            state,
            context,
            admission,
        })
    }

    pub(super) const fn admission(&self) -> Admission {
        self.admission
    }

    pub(super) fn operator(&self) -> Operator<'_> {
        self.state.operators.operator(self.admission)
    }
}

/// Rewords a rejection: the workbench accepts only the operator token.
fn refused(rejection: Rejection) -> ApiError {
    let message = match rejection {
        Rejection::MissingCredentials | Rejection::MalformedAuthorization(_) => {
            "send `authorization: Bearer {operator token}`"
        }
        Rejection::AmbiguousCredentials => {
            "send one `authorization` header with one scheme, `Bearer`"
        }
        Rejection::InvalidToken => "that is not the operator token, `server.ops_token`",
        other => return other.into(),
    };
    ApiError::from(rejection).saying(message)
}

fn parts(depot: &Depot) -> Result<(SharedState, RequestContext), ApiError> {
    let state = SharedState::of(depot)?;
    let context = RequestContext::behind_edge(depot)?.clone();
    Ok((state, context))
}

/// The well-formed tokens of the cookie: other ports of this host may have set cookies of that name.
///
/// # Errors
///
/// `MISSING_CREDENTIALS` without the cookie, `INVALID_REQUEST` with too many.
pub(super) fn session_tokens(
    request: &Request,
    state: &State,
) -> Result<Vec<OpaqueToken>, ApiError> {
    let name = cookie_name(state.workbench.secure_cookie);
    if cookie::values(request.headers(), name).next().is_none() {
        return Err(refused(Rejection::MissingCredentials));
    }
    cookie::tokens(request.headers(), name)
}

/// Refuses requests of other sites' pages, or of other ports of this host (by Fetch Metadata, or else by `origin`, RFC
/// 6454). Only reads may have neither: a cookie alone changes nothing.
///
/// # Errors
///
/// `ORIGIN_NOT_ALLOWED`.
pub(super) fn check_same_origin(request: &Request) -> Result<(), ApiError> {
    let is_safe = request.method().is_safe();
    let is_allowed = match sender(request) {
        Sender::OwnPage => true,
        Sender::User | Sender::Unknown => is_safe,
        Sender::OtherPage => false,
    };
    if is_allowed {
        return Ok(());
    }
    Err(ApiError::forbidden(
        Code::OriginNotAllowed,
        "the session cookie is for the workbench's own pages; programs show the operator token",
    ))
}

/// The same for requests with the token: programs send neither header.
///
/// # Errors
///
/// `ORIGIN_NOT_ALLOWED`.
pub(super) fn check_own_page(request: &Request) -> Result<(), ApiError> {
    match sender(request) {
        Sender::OwnPage | Sender::Unknown => Ok(()),
        Sender::User | Sender::OtherPage => Err(ApiError::forbidden(
            Code::OriginNotAllowed,
            "a session is opened by the workbench's own pages, or by a program",
        )),
    }
}

/// The sender of a request, as the browser states it.
enum Sender {
    /// A page of this listener.
    OwnPage,
    /// The user, by the address bar or a bookmark.
    User,
    OtherPage,
    /// A program, or a browser that sends neither header.
    Unknown,
}

fn sender(request: &Request) -> Sender {
    let headers = request.headers();
    let (Ok(site), Ok(origin)) = (single(headers, &FETCH_SITE), single(headers, &ORIGIN)) else {
        return Sender::OtherPage;
    };
    let origin_is_own = origin.map(|origin| is_origin_of(origin, request));
    match (site, origin_is_own) {
        (_, Some(false)) => Sender::OtherPage,
        (Some("same-origin"), _) | (None, Some(true)) => Sender::OwnPage,
        (Some("none"), _) => Sender::User,
        (Some(_), _) => Sender::OtherPage,
        (None, None) => Sender::Unknown,
    }
}

struct Repeated;

/// A header's value; empty if it is not text, which is no origin.
fn single<'a>(headers: &'a HeaderMap, name: &HeaderName) -> Result<Option<&'a str>, Repeated> {
    let mut lines = headers.get_all(name).into_iter();
    match (lines.next(), lines.next()) {
        (None, _) => Ok(None),
        (Some(line), None) => Ok(Some(line.to_str().unwrap_or_default())),
        (Some(_), Some(_)) => Err(Repeated),
    }
}

/// Whether an origin has the request's host.
fn is_origin_of(origin: &str, request: &Request) -> bool {
    let host = request
        .headers()
        .get(HOST)
        .and_then(|host| host.to_str().ok());
    let authority = request.uri().authority();
    let host = host.or_else(|| authority.map(Authority::as_str));
    let origin_host = origin
        .strip_prefix("http://")
        .or_else(|| origin.strip_prefix("https://"));
    match (origin_host, host) {
        (Some(origin_host), Some(host)) => origin_host.eq_ignore_ascii_case(host),
        _ => false,
    }
}
