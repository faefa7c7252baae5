//! `/api/auth/verify-email` and `resend-verification` (contract section 5).

use charter_macros::boxed;
use salvo::Writer;
use salvo::oapi::endpoint;

use crate::extract::anonymous::{PerhapsSignedIn, SignedInUser};
use crate::extract::json_body::{Body, Nothing, request_body};
use crate::extract::own_user::authorize;
use crate::extract::values::LinkToken;
use crate::respond::{ApiError, Code, ErrorType};
use charter_authn::users::{Proof, UserError};
use charter_domain::password::EnteredPassword;
use charter_domain::permission::Permission;

use super::answer::Done;

/// Verifies an address with the token of the emailed link, and the user's password or access token: the link
/// alone must not verify an account that somebody else registered with the address. Ends all earlier sessions.
#[endpoint(operation_id = "verifyEmail", tags("sign-in"))]
#[boxed]
pub async fn verify_email(follower: PerhapsSignedIn<Body<Link>>) -> Result<Done, ApiError> {
    let PerhapsSignedIn {
        signed_in,
        mut request,
    } = follower;
    if let Some((_, authorizer)) = &signed_in {
        authorize(authorizer, Permission::VerifyOwnEmail, &mut request).await?;
    }
    request
        .run(|state, Body(Link { token, password }), client| async move {
            let by_password = password.is_some();
            let proof = match (password, signed_in) {
                (Some(password), _) => Proof::Password(password.into_secret()),
                (None, Some((caller, _))) => Proof::Session(caller),
                (None, None) => {
                    return Err(ApiError::invalid(
                        Code::MissingField,
                        "missing fields: `password`; or send the access token of the account",
                    ));
                }
            };
            let verified = state
                .portal_users
                .verify_email(token.expose(), proof, &client)
                .await;
            match verified {
                Ok(()) => Ok(Done::plain()),
                // Which of the two is not told: that would tell of a password whether it is right.
                Err(UserError::InvalidLink) if by_password => Err(ApiError::invalid(
                    Code::InvalidLink,
                    "the link or the password is not right; check the password, or ask for a new link",
                )),
                Err(refusal) => Err(refusal.into()),
            }
        })
        .await
}

/// Sends the link to verify the user's address again; does nothing if it is verified.
#[endpoint(operation_id = "resendVerification", tags("sign-in"))]
#[boxed]
pub async fn resend(request: SignedInUser<Body<Nothing>>) -> Result<Done, ApiError> {
    let SignedInUser {
        caller,
        authorizer,
        mut request,
        ..
    } = request;
    authorize(&authorizer, Permission::VerifyOwnEmail, &mut request).await?;
    request
        .run(|state, _, client| async move {
            state
                .portal_users
                .resend_verification(&caller, &client)
                .await?;
            Ok(Done::plain())
        })
        .await
}

request_body! {
    /// The token of an emailed link.
    pub struct Link as "Link" {
        required token: LinkToken,
        /// The user's password. Required without an access token.
        optional password: EnteredPassword,
    }
    const REFUSES: &'static [ErrorType] = &[ErrorType::RateLimitExceeded];
}
