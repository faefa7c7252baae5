//! `/api/auth/forgot-password`, `reset-password` and `change-password` (contract section 5).

use charter_macros::boxed;
use salvo::Writer;
use salvo::oapi::endpoint;

use crate::extract::anonymous::{Anonymous, SignedInUser};
use crate::extract::body_value::Lenient;
use crate::extract::json_body::{Body, request_body};
use crate::extract::own_user::authorize;
use crate::extract::values::LinkToken;
use crate::respond::{ApiError, ErrorType};
use charter_domain::email::EmailAddress;
use charter_domain::password::{EnteredPassword, NewPassword};
use charter_domain::permission::Permission;

use super::answer::Done;

/// Sends a link to reset the password, if a user has the address. The response is always the same, and is sent
/// before the address is looked up.
#[endpoint(operation_id = "forgotPassword", tags("sign-in"))]
#[boxed]
pub async fn forgot_password(request: Anonymous<Body<Forgotten>>) -> Result<Done, ApiError> {
    let (state, client) = (request.state, request.client);
    let Body(Forgotten {
        email: Lenient(email),
    }) = request.input;
    state.portal_users.count_forgotten(&client).await?;
    if let Some(email) = email {
        let tasks = state.tasks.clone();
        tasks.detach(async move {
            let sent = state.portal_users.send_reset_link(&email, &client).await;
            if let Err(error) = sent {
                tracing::warn!(
                    request_id = client.request_id,
                    error = &error as &dyn std::error::Error,
                    "could not send a link to reset a password"
                );
            }
        });
    }
    Ok(Done::plain())
}

/// Sets a new password with the token of an emailed link. Ends all sessions of the user, and verifies the
/// address.
#[endpoint(operation_id = "resetPassword", tags("sign-in"))]
#[boxed]
pub async fn reset_password(request: Anonymous<Body<Reset>>) -> Result<Done, ApiError> {
    request
        .run(
            |state, Body(Reset { token, password }), client| async move {
                state
                    .portal_users
                    .reset_password(token.expose(), password.into_secret(), &client)
                    .await?;
                Ok(Done::plain())
            },
        )
        .await
}

/// Changes the password of the signed-in user, who must give the current one and have a verified address. Ends all
/// other sessions of the user.
#[endpoint(operation_id = "changePassword", tags("sign-in"))]
#[boxed]
pub async fn change_password(
    request: SignedInUser<Body<PasswordChange>>,
) -> Result<Done, ApiError> {
    let SignedInUser {
        caller,
        authorizer,
        mut request,
        ..
    } = request;
    authorize(&authorizer, Permission::ChangeOwnPassword, &mut request).await?;
    request
        .run(
            |state, Body(PasswordChange { current, new }), client| async move {
                let (current, new) = (current.into_secret(), new.into_secret());
                let device = state
                    .portal_users
                    .change_password(&caller, current, new, &client)
                    .await?;
                Ok(Done::setting_the_device(device, &state))
            },
        )
        .await
}

request_body! {
    /// The address of the user.
    pub struct Forgotten as "ForgotPassword" {
        required email: Lenient<EmailAddress>,
    }
    const REFUSES: &'static [ErrorType] = &[ErrorType::RateLimitExceeded];
}

request_body! {
    /// The token of an emailed link and the new password.
    pub struct Reset as "ResetPassword" {
        required token: LinkToken,
        required password as "newPassword": NewPassword,
    }
}

request_body! {
    /// The current and the new password.
    pub struct PasswordChange as "ChangePassword" {
        required current as "currentPassword": EnteredPassword,
        required new as "newPassword": NewPassword = "another horse battery staple",
    }
    const REFUSES: &'static [ErrorType] = &[ErrorType::RateLimitExceeded];
}
