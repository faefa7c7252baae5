//! `/api/auth/login`, `refresh`, `logout` (contract section 5).

use salvo::Writer;
use salvo::oapi::{ToSchema, endpoint};
use secrecy::SecretString;

use crate::extract::anonymous::{Anonymous, CookieHolder, SignedInPerson};
use crate::extract::fields::Fields;
use crate::extract::json_body::{Body, BodyInput};
use crate::respond::{ApiError, ErrorType};
use charter_domain::email::EmailAddress;

use super::answer::{Done, Token};
use super::parse;

/// Signs a person in: an access token in the body, a refresh token in the cookie. Unknown, disabled
/// and wrong have one answer.
#[endpoint(operation_id = "login", tags("sign-in"))]
pub async fn login(request: Anonymous<Body<Login>>) -> Result<Token, ApiError> {
    request
        .run(
            |state, Body(Login { email, password }), client| async move {
                let signed_in = state.portal_users.login(email, password, &client).await?;
                Ok(Token::new(signed_in, &state))
            },
        )
        .await
}

/// Exchanges the cookie for another one and an access token. A cookie is used once; for ten seconds
/// it gets the same successor again, after that its use ends the session. Of several cookies of that
/// name each is tried.
#[endpoint(operation_id = "refresh", tags("sign-in"))]
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

/// Ends the session of the access token and of the cookie.
#[endpoint(operation_id = "logout", tags("sign-in"))]
pub async fn logout(leaving: SignedInPerson<Body<Nothing>>) -> Result<Done, ApiError> {
    let (person, cookies) = (leaving.person, leaving.cookies);
    leaving
        .request
        .run(|state, _, client| async move {
            state
                .portal_users
                .logout(&person, &cookies, &client)
                .await?;
            Ok(Done::clearing_the_cookie(&state))
        })
        .await
}

/// What a sign-in says.
#[derive(Debug)]
pub struct Login {
    email: Option<EmailAddress>,
    password: SecretString,
}

impl BodyInput for Login {
    type Schema = LoginBody;
    const REFUSES: &'static [ErrorType] = &[ErrorType::Unauthorized, ErrorType::RateLimitExceeded];
    const ON_PORTAL: bool = true;

    fn read(fields: &mut Fields) -> Option<Self> {
        let email = fields.required("email", parse::maybe_email);
        let password = fields.required("password", parse::entered_password);
        Some(Self {
            email: email?,
            password: password?,
        })
    }
}

/// Who signs in.
#[derive(ToSchema)]
#[salvo(schema(name = "Login"))]
#[expect(dead_code, reason = "describes a request body, which `Fields` reads")]
pub struct LoginBody {
    #[salvo(schema(example = "ada@example.com"))]
    email: String,
    #[salvo(schema(example = "correct horse battery staple"))]
    password: String,
}

/// A request without anything to say: no body, or `{}`.
#[derive(Debug)]
pub struct Nothing;

impl BodyInput for Nothing {
    type Schema = NothingBody;
    const REFUSES: &'static [ErrorType] = &[ErrorType::Unauthorized];
    const MAY_BE_ABSENT: bool = true;
    const ON_PORTAL: bool = true;

    fn read(_: &mut Fields) -> Option<Self> {
        Some(Self)
    }
}

/// Nothing.
#[derive(ToSchema)]
#[salvo(schema(name = "Nothing", example = json!({})))]
pub struct NothingBody {}
