//! The cookie that keeps a person signed in (contract section 5; RFC 6265 section 4.1).

use salvo::Response;
use salvo::http::cookie::time::Duration;
use salvo::http::cookie::{Cookie, SameSite};
use salvo::http::header::{COOKIE, SET_COOKIE};
use salvo::http::{HeaderMap, HeaderValue};

use crate::authn::opaque_token::OpaqueToken;
use crate::authn::portal_user::Refusal;
use crate::http::error::{ApiError, Code};

/// Its name.
const REFRESH_TOKEN: &str = "refresh_token";
/// Cookies of one name that are looked at: browsers hold one for each path and domain that set it.
const MOST_OF_ONE_NAME: usize = 8;
/// Where browsers send it.
const PATH: &str = "/api/auth";
/// As long as the token itself.
const MAX_AGE: Duration = Duration::days(30);

fn cookie(value: &str, max_age: Duration, is_secure: bool) -> Cookie<'_> {
    Cookie::build((REFRESH_TOKEN, value))
        .http_only(true)
        .secure(is_secure)
        .same_site(SameSite::Lax)
        .path(PATH)
        .max_age(max_age)
        .build()
}

/// Sets it.
pub fn set(response: &mut Response, token: &OpaqueToken, is_secure: bool) {
    write(response, &cookie(token.expose(), MAX_AGE, is_secure));
}

/// Makes the browser forget it.
pub fn clear(response: &mut Response, is_secure: bool) {
    write(response, &cookie("", Duration::ZERO, is_secure));
}

fn write(response: &mut Response, cookie: &Cookie<'_>) {
    // Its text is ASCII whatever the token is.
    if let Ok(mut value) = HeaderValue::from_str(&cookie.to_string()) {
        value.set_sensitive(true);
        response.headers_mut().append(SET_COOKIE, value);
    }
}

/// The refresh tokens that a request shows, in its order; what cannot be one of ours is left out.
pub fn refresh_tokens(headers: &HeaderMap) -> Vec<OpaqueToken> {
    values(headers, REFRESH_TOKEN)
        .filter_map(OpaqueToken::parse)
        .take(MOST_OF_ONE_NAME)
        .collect()
}

/// The same, at least one.
///
/// # Errors
///
/// `MISSING_CREDENTIALS` without the cookie; `INVALID_TOKEN` if none can be one of ours.
pub fn require_refresh_tokens(headers: &HeaderMap) -> Result<Vec<OpaqueToken>, ApiError> {
    let tokens = refresh_tokens(headers);
    if !tokens.is_empty() {
        return Ok(tokens);
    }
    if values(headers, REFRESH_TOKEN).next().is_some() {
        return Err(Refusal::InvalidToken.into());
    }
    Err(ApiError::unauthorized(
        Code::MissingCredentials,
        "send the cookie `refresh_token` that the sign-in set",
    ))
}

fn values<'a>(headers: &'a HeaderMap, wanted: &'static str) -> impl Iterator<Item = &'a str> {
    headers
        .get_all(COOKIE)
        .into_iter()
        // Other cookies may hold any bytes; ours are plain.
        .flat_map(|line| line.as_bytes().split(|byte| *byte == b';'))
        .filter_map(|pair| std::str::from_utf8(pair).ok()?.trim().split_once('='))
        .filter(move |(name, _)| *name == wanted)
        .map(|(_, value)| value)
}
