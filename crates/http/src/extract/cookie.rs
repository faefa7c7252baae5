//! The refresh cookie and the device cookie, which tells a user's browser from unknown ones (contract section 5;
//! RFC 6265 section 4.1).

use salvo::Response;
use salvo::http::cookie::time::Duration;
use salvo::http::cookie::{Cookie, SameSite};
use salvo::http::header::{COOKIE, SET_COOKIE};
use salvo::http::{HeaderMap, HeaderValue};
use secrecy::{ExposeSecret, SecretString};

use crate::respond::{ApiError, Code};
use charter_authn::secrets::opaque_token::OpaqueToken;
use charter_authn::users::UserError;

const REFRESH_TOKEN: &str = "refresh_token";
const DEVICE: &str = "device";
const PATH: &str = "/api/auth";
/// The lifetime of a refresh token.
const REFRESH_MAX_AGE: Duration = Duration::days(30);
const DEVICE_MAX_AGE: Duration = Duration::days(365);
/// Limit of cookies of one name: browsers hold one for each path and domain that set it.
const MAX_COOKIES: usize = 8;

fn cookie<'a>(
    name: &'static str,
    value: &'a str,
    max_age: Duration,
    is_secure: bool,
) -> Cookie<'a> {
    Cookie::build((name, value))
        .http_only(true)
        .secure(is_secure)
        .same_site(SameSite::Lax)
        .path(PATH)
        .max_age(max_age)
        .build()
}

pub fn set(response: &mut Response, token: &OpaqueToken, is_secure: bool) {
    let cookie = cookie(REFRESH_TOKEN, token.expose(), REFRESH_MAX_AGE, is_secure);
    write(response, &cookie);
}

/// Deletes the refresh token in the browser.
pub fn clear(response: &mut Response, is_secure: bool) {
    write(
        response,
        &cookie(REFRESH_TOKEN, "", Duration::ZERO, is_secure),
    );
}

pub fn set_device(response: &mut Response, device: &SecretString, is_secure: bool) {
    let cookie = cookie(DEVICE, device.expose_secret(), DEVICE_MAX_AGE, is_secure);
    write(response, &cookie);
}

pub(crate) fn write(response: &mut Response, cookie: &Cookie<'_>) {
    // A cookie's text is always ASCII.
    if let Ok(mut value) = HeaderValue::from_str(&cookie.to_string()) {
        value.set_sensitive(true);
        response.headers_mut().append(SET_COOKIE, value);
    }
}

/// The refresh tokens of a request, as [`tokens`].
pub fn refresh_tokens(headers: &HeaderMap) -> Result<Vec<OpaqueToken>, ApiError> {
    tokens(headers, REFRESH_TOKEN)
}

/// The tokens of a cookie, in the request's order; malformed ones are omitted. `INVALID_REQUEST` if there are too many
/// to try: what is left out could be the one that matters.
pub(crate) fn tokens(
    headers: &HeaderMap,
    name: &'static str,
) -> Result<Vec<OpaqueToken>, ApiError> {
    let tokens = values(headers, name).filter_map(OpaqueToken::parse);
    let tokens: Vec<_> = tokens.take(MAX_COOKIES + 1).collect();
    if tokens.len() > MAX_COOKIES {
        return Err(ApiError::invalid(
            Code::InvalidRequest,
            "send at most eight cookies of one name: delete those of other paths and hosts",
        ));
    }
    Ok(tokens)
}

/// The same, at least one: `MISSING_CREDENTIALS` without the cookie, `INVALID_TOKEN` if all are malformed.
pub fn require_refresh_tokens(headers: &HeaderMap) -> Result<Vec<OpaqueToken>, ApiError> {
    let tokens = refresh_tokens(headers)?;
    if !tokens.is_empty() {
        return Ok(tokens);
    }
    if values(headers, REFRESH_TOKEN).next().is_some() {
        return Err(UserError::InvalidToken.into());
    }
    Err(ApiError::unauthorized(
        Code::MissingCredentials,
        "send the cookie `refresh_token` that the sign-in set",
    ))
}

/// The device cookies of a request, not yet verified.
pub fn devices(headers: &HeaderMap) -> Vec<SecretString> {
    values(headers, DEVICE)
        .map(SecretString::from)
        .take(MAX_COOKIES)
        .collect()
}

/// The values of a cookie, in the request's order.
pub(crate) fn values<'a>(
    headers: &'a HeaderMap,
    wanted: &'static str,
) -> impl Iterator<Item = &'a str> {
    headers
        .get_all(COOKIE)
        .into_iter()
        // Other cookies may contain any bytes; ours are ASCII.
        .flat_map(|line| line.as_bytes().split(|byte| *byte == b';'))
        .filter_map(|pair| std::str::from_utf8(pair).ok()?.trim().split_once('='))
        .filter(move |(name, _)| *name == wanted)
        .map(|(_, value)| value)
}
