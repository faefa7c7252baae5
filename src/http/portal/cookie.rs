//! The cookie that keeps a person signed in (contract section 5; RFC 6265 section 4.1).

use salvo::Response;
use salvo::http::HeaderValue;
use salvo::http::cookie::time::Duration;
use salvo::http::cookie::{Cookie, SameSite};
use salvo::http::header::SET_COOKIE;

use crate::authn::opaque_token::OpaqueToken;

/// Its name.
pub const REFRESH_TOKEN: &str = "refresh_token";
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
