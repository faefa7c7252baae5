//! `/api/auth/login`, `refresh`, `logout` (contract section 5).

use charter_macros::boxed;
use salvo::Writer;
use salvo::oapi::endpoint;

use crate::extract::anonymous::{Anonymous, CookieHolder, SignedInUser};
use crate::extract::body_value::Lenient;
use crate::extract::json_body::{Body, Nothing, request_body};
use crate::respond::{ApiError, ErrorType};
use charter_domain::email::EmailAddress;
use charter_domain::password::EnteredPassword;

use super::answer::{Done, Token};

/// Signs a user in: returns an access token in the body and a refresh token in the cookie. Unknown users,
/// disabled users and wrong passwords get the same response.
#[endpoint(operation_id = "login", tags("sign-in"))]
#[boxed]
pub async fn login(request: Anonymous<Body<Login>>) -> Result<Token, ApiError> {
    request
        .run(
            |state, Body(Login { email, password }), client| async move {
                let (Lenient(email), password) = (email, password.into_secret());
                let signed_in = state.portal_users.login(email, password, &client).await?;
                Ok(Token::new(signed_in, &state))
            },
        )
        .await
}

/// Exchanges the cookie for a new one and an access token. A cookie is valid once; within ten seconds it yields
/// the same successor again, later its reuse ends the session. Of several cookies of that name each is tried, and
/// more than eight are refused.
#[endpoint(operation_id = "refresh", tags("sign-in"))]
#[boxed]
pub async fn refresh(holder: CookieHolder<Body<Nothing>>) -> Result<Token, ApiError> {
    let tokens = holder.tokens;
    holder
        .request
        .run(|state, _, client| async move {
            let signed_in = state.portal_users.refresh(&tokens, &client).await?;
            Ok(Token::new(signed_in, &state))
        })
        .await
}

/// Ends the session of the access token and of the cookie. More than eight cookies of that name are refused.
#[endpoint(operation_id = "logout", tags("sign-in"))]
#[boxed]
pub async fn logout(leaving: SignedInUser<Body<Nothing>>) -> Result<Done, ApiError> {
    let (caller, cookies) = (leaving.caller, leaving.cookies?);
    leaving
        .request
        .run(|state, _, client| async move {
            state
                .portal_users
                .logout(&caller, &cookies, &client)
                .await?;
            Ok(Done::clearing_the_cookie(&state))
        })
        .await
}

request_body! {
    /// The credentials of a user.
    pub struct Login as "Login" {
        required email: Lenient<EmailAddress>,
        required password: EnteredPassword,
    }
    const REFUSES: &'static [ErrorType] = &[ErrorType::Unauthorized, ErrorType::RateLimitExceeded];
}
