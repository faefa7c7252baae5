//! `/session`: a browser exchanges the operator token for a cookie that scripts cannot read, for an hour.

use charter_macros::boxed;
use salvo::http::StatusCode;
use salvo::http::cookie::time::Duration;
use salvo::http::cookie::{Cookie, SameSite};
use salvo::prelude::Json;
use salvo::{Depot, Request, Response, handler};
use serde::Serialize;

use charter_authn::operator_sessions::LIFETIME;
use charter_domain::timestamp;

use super::admission::{
    COOKIE_PATHS, OperatorRequest, check_own_page, check_same_origin, cookie_name, session_tokens,
};
use crate::extract::cookie;
use crate::extract::query::NoParameters;
use crate::respond::ApiError;
use crate::state::SharedState;

/// `POST /session`: opens a session.
#[handler]
#[boxed]
pub(super) async fn open(
    request: &mut Request,
    depot: &mut Depot,
    response: &mut Response,
) -> Result<Json<OpenSession>, ApiError> {
    // Before the token: another site's page sets no cookie here, even if it knows the token.
    check_own_page(request)?;
    let asked = OperatorRequest::by_token(request, depot)?;
    NoParameters::check(request)?;
    let workbench = &asked.state.workbench;
    let token = workbench.sessions.open(asked.admission());
    let max_age = Duration::try_from(LIFETIME).unwrap_or(Duration::ZERO);
    set(response, token.expose(), max_age, workbench.secure_cookie);
    let ends = asked.state.clock.now() + LIFETIME;
    Ok(Json(OpenSession {
        expires_at: timestamp::format(ends),
    }))
}

/// `DELETE /session`: ends it.
#[handler]
#[boxed]
pub(super) async fn close(
    request: &mut Request,
    depot: &mut Depot,
    response: &mut Response,
) -> Result<(), ApiError> {
    let state = SharedState::of(depot)?;
    let tokens = session_tokens(request, &state)?;
    check_same_origin(request)?;
    NoParameters::check(request)?;
    for token in tokens {
        state.workbench.sessions.close(&token);
    }
    set(response, "", Duration::ZERO, state.workbench.secure_cookie);
    response.status_code(StatusCode::NO_CONTENT);
    Ok(())
}

#[derive(Serialize)]
pub(super) struct OpenSession {
    expires_at: String,
}

/// Sets the cookie for each of the API's paths: pages, files and figures, and whatever else this host serves, do not
/// get it.
fn set(response: &mut Response, value: &str, max_age: Duration, is_secure: bool) {
    for path in COOKIE_PATHS {
        let cookie = Cookie::build((cookie_name(is_secure), value))
            .http_only(true)
            .secure(is_secure)
            .same_site(SameSite::Strict)
            .path(path)
            .max_age(max_age)
            .build();
        cookie::write(response, &cookie);
    }
}
