//! `/api/auth/forgot-password`, `reset-password` and `change-password` (contract section 5).

use salvo::Writer;
use salvo::oapi::{ToSchema, endpoint};
use secrecy::{ExposeSecret, SecretString};

use crate::extract::anonymous::{Anonymous, SignedInPerson};
use crate::extract::fields::Fields;
use crate::extract::json_body::{Body, BodyInput};
use crate::extract::own_person::require_active;
use crate::respond::{ApiError, ErrorType};
use charter_domain::email::EmailAddress;

use super::answer::Done;
use super::parse;

/// Sends a link that sets another password, if the address is a person's. The answer is the same in
/// any case, and comes before the address is looked up.
#[endpoint(operation_id = "forgotPassword", tags("sign-in"))]
pub async fn forgot_password(request: Anonymous<Body<Forgotten>>) -> Result<Done, ApiError> {
    let (state, client) = (request.state, request.client);
    let Body(Forgotten { email }) = request.input;
    state.portal_users.count_forgotten(&client).await?;
    if let Some(email) = email {
        let tasks = state.tasks.clone();
        tasks.detach(async move {
            let sent = state.portal_users.send_reset_link(&email, &client).await;
            if let Err(error) = sent {
                tracing::warn!(
                    request_id = client.request_id,
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
            |state, Body(Reset { token, password }), client| async move {
                let token = token.expose_secret();
                state
                    .portal_users
                    .reset_password(token, password, &client)
                    .await?;
                Ok(Done::plain())
            },
        )
        .await
}

/// Sets another password for who is signed in and knows the current one. Every other session of the
/// person ends.
#[endpoint(operation_id = "changePassword", tags("sign-in"))]
pub async fn change_password(
    request: SignedInPerson<Body<PasswordChange>>,
) -> Result<Done, ApiError> {
    let person = request.person;
    require_active(&person)?;
    request
        .request
        .run(
            |state, Body(PasswordChange { current, new }), client| async move {
                let device = state
                    .portal_users
                    .change_password(&person, current, new, &client)
                    .await?;
                Ok(Done::setting_the_device(device, &state))
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

/// The password that somebody has, and the one it wants.
#[derive(Debug)]
pub struct PasswordChange {
    current: SecretString,
    new: SecretString,
}

impl BodyInput for PasswordChange {
    type Schema = PasswordChangeBody;
    const REFUSES: &'static [ErrorType] = &[ErrorType::RateLimitExceeded];
    const ON_PORTAL: bool = true;

    fn read(fields: &mut Fields) -> Option<Self> {
        let current = fields.required("currentPassword", parse::entered_password);
        let new = fields.required("newPassword", parse::new_password);
        Some(Self {
            current: current?,
            new: new?,
        })
    }
}

/// The password that somebody has, and the one it wants.
#[derive(ToSchema)]
#[salvo(schema(name = "ChangePassword", rename_all = "camelCase"))]
#[expect(dead_code, reason = "describes a request body, which `Fields` reads")]
pub struct PasswordChangeBody {
    #[salvo(schema(example = "correct horse battery staple"))]
    current_password: String,
    #[salvo(schema(
        min_length = 8,
        max_length = 256,
        example = "another horse battery staple"
    ))]
    new_password: String,
}
