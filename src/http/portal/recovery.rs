//! `/api/auth/forgot-password` and `reset-password` (contract section 5).

use salvo::Writer;
use salvo::oapi::{ToSchema, endpoint};
use secrecy::{ExposeSecret, SecretString};

use crate::domain::email::EmailAddress;
use crate::http::anonymous::Anonymous;
use crate::http::error::{ApiError, ErrorType};
use crate::http::fields::Fields;
use crate::http::input::{Body, BodyInput};

use super::answer::Done;
use super::parse;

/// Sends a link that sets another password, if the address is a person's. The answer is the same in
/// any case, and comes before the address is looked up.
#[endpoint(operation_id = "forgotPassword", tags("sign-in"))]
pub async fn forgot_password(request: Anonymous<Body<Forgotten>>) -> Result<Done, ApiError> {
    let (state, stranger) = (request.state, request.stranger);
    let Body(Forgotten { email }) = request.input;
    state.portal_users.count_forgotten(&stranger)?;
    if let Some(email) = email {
        let tasks = state.tasks.clone();
        tasks.detach(async move {
            let sent = state.portal_users.send_reset_link(&email, &stranger).await;
            if let Err(error) = sent {
                tracing::warn!(
                    request_id = stranger.request_id,
                    error = &error as &dyn std::error::Error,
                    "no link that resets a password was sent"
                );
            }
        });
    }
    Ok(Done::plain())
}

/// Sets another password with the token of a link. Every session of the person ends, and its address
/// is verified.
#[endpoint(operation_id = "resetPassword", tags("sign-in"))]
pub async fn reset_password(request: Anonymous<Body<Reset>>) -> Result<Done, ApiError> {
    request
        .run(
            |state, Body(Reset { token, password }), stranger| async move {
                let token = token.expose_secret();
                state
                    .portal_users
                    .reset_password(token, password, &stranger)
                    .await?;
                Ok(Done::plain())
            },
        )
        .await
}

/// Whose password is forgotten.
#[derive(Debug)]
pub struct Forgotten {
    email: Option<EmailAddress>,
}

impl BodyInput for Forgotten {
    type Schema = ForgottenBody;
    const REFUSES: &'static [ErrorType] = &[ErrorType::RateLimitExceeded];
    const ON_PORTAL: bool = true;

    fn read(fields: &mut Fields) -> Option<Self> {
        let email = fields.required("email", parse::maybe_email);
        Some(Self { email: email? })
    }
}

/// Whose password is forgotten.
#[derive(ToSchema)]
#[salvo(schema(name = "ForgotPassword"))]
#[expect(dead_code, reason = "describes a request body, which `Fields` reads")]
pub struct ForgottenBody {
    #[salvo(schema(example = "ada@example.com"))]
    email: String,
}

/// The token of a link and another password.
#[derive(Debug)]
pub struct Reset {
    token: SecretString,
    password: SecretString,
}

impl BodyInput for Reset {
    type Schema = ResetBody;
    const ON_PORTAL: bool = true;

    fn read(fields: &mut Fields) -> Option<Self> {
        let token = fields.required("token", parse::token);
        let password = fields.required("newPassword", parse::new_password);
        Some(Self {
            token: token?,
            password: password?,
        })
    }
}

/// The token of a link and another password.
#[derive(ToSchema)]
#[salvo(schema(name = "ResetPassword", rename_all = "camelCase"))]
#[expect(dead_code, reason = "describes a request body, which `Fields` reads")]
pub struct ResetBody {
    #[salvo(schema(example = "mS1wX0gq0bqVt9m3wqf9YwQm1l1nq2c4o5p6r7s8t9A"))]
    token: String,
    #[salvo(schema(
        min_length = 8,
        max_length = 256,
        example = "correct horse battery staple"
    ))]
    new_password: String,
}
